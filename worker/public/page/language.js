/**
 * Which language the page speaks: the chosen one, else the browser's. What is on the page carries the key of its text
 * (`data-text`, and `data-text-…` for attributes), so that a switch needs no reload and loses nothing.
 */
import { texts } from "./texts.js";

/** @typedef {import("./texts.js").Key} Key */
/** @typedef {Record<string, string | number>} Values */

const STORAGE = "edge-slm-language";

/** @returns {"en" | "zh"} */
function startLanguage() {
  const [stored] = [readStored(), ...navigator.languages].filter((tag) => tag !== null && /^(en|zh)\b/.test(tag));
  return stored?.startsWith("zh") ? "zh" : "en";
}

/** A browser may forbid the storage. */
function readStored() {
  try {
    return localStorage.getItem(STORAGE);
  } catch {
    return null;
  }
}

let language = startLanguage();

/** Of the page's words, as BCP 47. */
export function pageLanguage() {
  return language === "zh" ? "zh-CN" : "en";
}

/**
 * @param {string} value
 * @returns {value is Key} whether it is a text of its own, such as the name of a language
 */
function isKey(value) {
  return value.includes(".") && Object.hasOwn(texts.en, value);
}

/**
 * @param {Key} key
 * @param {Values} [values]
 * @returns {string}
 */
export function text(key, values = {}) {
  return texts[language][key].replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name] ?? "";
    if (typeof value === "number") return number(value);
    return isKey(value) ? text(value) : value;
  });
}

/**
 * @param {number} value
 * @param {Intl.NumberFormatOptions} [options]
 */
export function number(value, options = { maximumFractionDigits: 1 }) {
  return new Intl.NumberFormat(pageLanguage(), options).format(value);
}

/**
 * Attributes of an element whose words are those of a key.
 * @param {Key} key
 * @param {Values} [values]
 */
export function said(key, values) {
  return { "data-text": key, ...(values ? { "data-values": JSON.stringify(values) } : {}) };
}

const ATTRIBUTES = ["aria-label", "placeholder"];

/**
 * Writes the words of all elements below one that carry keys.
 * @param {ParentNode} root
 */
export function speak(root) {
  for (const element of root.querySelectorAll("[data-text]")) {
    const { text: key, values } = /** @type {HTMLElement} */ (element).dataset;
    element.textContent = text(/** @type {Key} */ (key), values ? JSON.parse(values) : {});
  }
  for (const attribute of ATTRIBUTES) {
    for (const element of root.querySelectorAll(`[data-text-${attribute}]`)) {
      element.setAttribute(attribute, text(/** @type {Key} */ (element.getAttribute(`data-text-${attribute}`))));
    }
  }
}

export function switchLanguage() {
  language = language === "en" ? "zh" : "en";
  try {
    localStorage.setItem(STORAGE, language);
  } catch {
    // Then it lasts until the page is left.
  }
  document.documentElement.lang = pageLanguage();
  speak(document);
  document.dispatchEvent(new Event("language"));
}

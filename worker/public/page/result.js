/** What each result shows below it: time, tokens, model, price, and the very same call as code. */
import { dollars, hasApiKey, quote } from "./api.js";
import { h } from "./dom.js";
import { number, said, speak } from "./language.js";
import { curlOf, typescriptOf } from "./snippets.js";

/**
 * @typedef {import("./api.js").Call} Call
 * @typedef {import("./api.js").Model} Model
 * @typedef {import("./api.js").Prices} Prices
 * @typedef {import("./language.js").Key} Key
 */

/**
 * @param {object} result
 * @param {number} result.ms round trip
 * @param {number} [result.firstMs] until the first token
 * @param {number} [result.modelMs] as the server's clock has it
 * @param {Record<string, number> | number} [result.tokens] source and target, or just how many
 * @param {number} [result.score]
 * @param {Model | undefined} result.model
 * @param {Prices | undefined} result.prices
 * @param {number} result.characters that are paid for
 */
export function facts({ ms, firstMs, modelMs, tokens, score, model, prices, characters }) {
  const price = prices?.prices.find((entry) => entry.model === model?.id);
  const amount = price && dollars(quote(price, characters));
  /** @type {[Key, HTMLElement | undefined | false][]} */
  const rows = [
    ["fact.total", h("dd", milliseconds(ms))],
    ["fact.first", firstMs !== undefined && h("dd", milliseconds(firstMs))],
    ["fact.model_ms", modelMs !== undefined && h("dd", milliseconds(modelMs))],
    ["fact.tokens", tokens !== undefined && h("dd", tokenText(tokens))],
    ["fact.score", score !== undefined && h("dd", {}, number(score, { maximumFractionDigits: 2 }))],
    ["fact.model", model && h("dd", {}, model.id)],
    ["fact.size", model && h("dd", said("unit.mb", { n: model.size.bytes / 1e6 }))],
    ["fact.cost", amount !== undefined && h("dd", prices?.billing ? {} : said("fact.free", { amount }), amount)],
  ];
  return h(
    "dl",
    { class: "facts" },
    ...rows.flatMap(([key, value]) => (value ? [h("div", {}, h("dt", said(key)), value)] : [])),
  );
}

/** @param {number} ms A server's clock that stood still says 0. */
function milliseconds(ms) {
  return ms < 1 ? said("unit.below_ms", { n: 1 }) : said("unit.ms", { n: ms < 10 ? ms : Math.round(ms) });
}

/** @param {Record<string, number> | number} tokens */
function tokenText(tokens) {
  return typeof tokens === "number" ? said("unit.count", { n: tokens }) : said("fact.token_flow", tokens);
}

const LANGUAGES = /** @type {const} */ ([
  ["curl", curlOf],
  ["TypeScript", typescriptOf],
]);

/** Which one the reader chose last. */
let chosen = 0;

/** @param {Call} call */
export function code(call) {
  const options = { origin: location.origin, withKey: hasApiKey() };
  const place = h("pre", { tabindex: 0, role: "region", "data-text-aria-label": "code.title" });
  const buttons = LANGUAGES.map(([name], i) =>
    h("button", { type: "button", class: "secondary", click: () => choose(i) }, name),
  );
  /** @param {number} index */
  const choose = (index) => {
    chosen = index;
    for (const [i, button] of buttons.entries()) button.setAttribute("aria-pressed", String(i === index));
    const [, write] = LANGUAGES[index === 1 ? 1 : 0];
    place.textContent = write(call, options);
  };
  choose(chosen);
  return h(
    "section",
    { class: "code" },
    h(
      "div",
      { class: "snippet-bar" },
      h("h2", said("code.title")),
      h("div", { class: "segments", role: "group", "data-text-aria-label": "code.language" }, ...buttons),
      copyButton(() => place.textContent ?? ""),
    ),
    place,
  );
}

/** @param {() => string} content */
function copyButton(content) {
  const button = h("button", { type: "button", class: "secondary", "aria-live": "polite", ...said("code.copy") });
  /** @param {Key} key */
  const say = (key) => {
    Object.assign(button.dataset, { text: key });
    speak(/** @type {ParentNode} */ (button.parentNode));
  };
  button.addEventListener("click", async () => {
    const copied = await navigator.clipboard.writeText(content()).then(
      () => true,
      () => false,
    );
    say(copied ? "code.copied" : "code.failed");
    setTimeout(() => say("code.copy"), 2000);
  });
  return button;
}

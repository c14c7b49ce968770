/** What every page has: header, language switch, footer; and a service worker, so that it opens without a network. */
import { ApiProblem, Unreachable } from "./api.js";
import { h, show } from "./dom.js";
import { pageLanguage, said, speak, switchLanguage } from "./language.js";

/** @typedef {import("./language.js").Key} Key */

/** @type {[string, Key][]} */
const PAGES = [
  ["/", "nav.playground"],
  ["/models", "nav.models"],
  ["/docs", "nav.docs"],
  ["/dashboard", "nav.dashboard"],
];

/**
 * @param {string} path of this page
 * @param {...Node} content
 */
export function openPage(path, ...content) {
  document.documentElement.lang = pageLanguage();
  const main = /** @type {HTMLElement} */ (document.getElementById("main"));
  main.append(...content);
  main.before(
    h("a", { class: "skip", href: "#main", ...said("skip") }),
    h(
      "header",
      { class: "top" },
      h("a", { class: "brand", href: "/" }, "edge", h("b", {}, "/"), "slm"),
      h(
        "nav",
        { "data-text-aria-label": "nav.label" },
        ...PAGES.map(([href, key]) =>
          h("a", { href, ...(href === path ? { "aria-current": "page" } : {}), ...said(key) }),
        ),
      ),
      h("button", {
        type: "button",
        class: "quiet",
        lang: "",
        "data-text-aria-label": "language.label",
        ...said("language"),
        click: switchLanguage,
      }),
    ),
  );
  main.after(h("footer", { class: "foot" }, h("p", said("foot.limits")), h("p", said("foot.privacy"))));
  speak(document);
  // Not where the page is opened from a place that allows none.
  navigator.serviceWorker?.register("/sw.js").catch(() => {});
}

/**
 * @param {Key} title
 * @param {Key} lead
 * @param {...Node} more
 */
export function hero(title, lead, ...more) {
  return h(
    "header",
    { class: "hero" },
    h("h1", said(title)),
    h("div", { class: "beside" }, h("p", said(lead)), ...more),
  );
}

/**
 * Runs something that calls the server; what it throws is shown in `place`.
 * @template T
 * @param {HTMLElement} place
 * @param {() => Promise<T>} work
 * @returns {Promise<T | undefined>}
 */
export async function attempt(place, work) {
  show(place);
  try {
    return await work();
  } catch (error) {
    show(place, describeProblem(error));
    return undefined;
  }
}

/** @param {unknown} error */
export function describeProblem(error) {
  if (error instanceof Unreachable) {
    return h("div", { class: "problem", role: "alert" }, h("span", said("problem.offline")));
  }
  if (!(error instanceof ApiProblem)) console.error(error);
  const title = error instanceof ApiProblem ? h("b", {}, error.title) : h("b", said("problem.title"));
  const detail = error instanceof Error ? error.message : String(error);
  return h("div", { class: "problem", role: "alert" }, title, h("span", {}, detail));
}

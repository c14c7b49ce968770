/** The panel that recommends: a history of ids, what comes next, and what of the history spoke for it. */
import { ask } from "./api.js";
import { percent } from "./classify.js";
import { h, show } from "./dom.js";
import { attempt } from "./frame.js";
import { said } from "./language.js";
import { code, facts } from "./result.js";

/**
 * @typedef {import("./playground.js").Server} Server
 * @typedef {{ id: string, probability: number | null, because: { id: string, share: number }[] }} Recommendation
 * @typedef {{ recommendations: Recommendation[], based_on: "history" | "popularity", history_items: number,
 *   unknown: { history: string[] }, timing: { recommend_ms: number } }} Answer
 */

/** Items of the history that the panel begins with. */
const FIRST = 3;

/** @param {Server} server */
export function recommendPanel({ models, prices }) {
  const model = models.find(({ task }) => task === "recommendation");
  if (!model) return h("p", { class: "empty-note", ...said("recommend.none") });

  const field = h("input", { id: "recommend-history", type: "text", autocomplete: "off", spellcheck: "false" });
  const run = h("button", { type: "submit", class: "primary", ...said("recommend.run") });
  const problem = h("div");
  const result = h("div", { class: "result", id: "recommend-result" });
  const form = h(
    "form",
    {},
    h("label", { for: "recommend-history", ...said("recommend.history") }),
    field,
    h(
      "div",
      { class: "examples" },
      ...model.most_popular.map((id) => h("button", { type: "button", class: "quiet", click: () => add(id) }, id)),
      h("button", { type: "button", class: "quiet", click: () => set([]), ...said("recommend.nobody") }),
    ),
    h("div", { class: "actions" }, run),
    problem,
  );
  const history = () => field.value.split(/[\s,]+/).filter((id) => id !== "");
  /** @param {string[]} ids */
  const set = (ids) => {
    field.value = ids.join(" ");
    form.requestSubmit();
  };
  /** @param {string} id */
  const add = (id) => set([...history(), id]);

  let running = false;
  const recommend = async () => {
    if (running) return;
    running = true;
    run.setAttribute("aria-disabled", "true");
    const ids = history();
    /** @type {import("./api.js").Call} */
    const call = { method: "POST", path: "/v1/recommend", body: { history: ids, model: model.id } };
    const found = await attempt(problem, () => ask(call));
    running = false;
    run.removeAttribute("aria-disabled");
    if (!found) return show(result);
    /** @type {{ answer: Answer, ms: number }} */
    const { answer, ms } = found;
    const { unknown } = answer;
    show(
      result,
      h(
        "section",
        { "aria-live": "polite" },
        h("h2", said(answer.based_on === "history" ? "recommend.next" : "recommend.popular")),
        unknown.history.length > 0 && h("p", said("recommend.unknown", { ids: unknown.history.join(", ") })),
        list(answer.recommendations, add),
      ),
      h(
        "section",
        {},
        facts({
          ms,
          modelMs: answer.timing.recommend_ms,
          model,
          prices,
          characters: ids.reduce((sum, { length }) => sum + length, 0),
        }),
      ),
      code(call),
    );
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    recommend();
  });
  field.value = model.most_popular.slice(0, FIRST).join(" ");
  return h(
    "div",
    {},
    h("p", { class: "lead", ...said("recommend.lead", { n: model.size.vocab_size, id: model.id }) }),
    h("p", { lang: "en" }, model.description),
    form,
    result,
  );
}

/**
 * @param {Recommendation[]} recommendations
 * @param {(id: string) => void} onTake
 */
function list(recommendations, onTake) {
  const most = Math.max(...recommendations.map(({ probability }) => probability ?? 0));
  return h(
    "ol",
    { class: "ranking" },
    ...recommendations.map(({ id, probability, because }) =>
      h(
        "li",
        {},
        h(
          "span",
          {},
          h("button", { type: "button", class: "quiet", click: () => onTake(id) }, id),
          because.length > 0 &&
            h("span", {
              class: "said",
              ...said("recommend.because", {
                ids: because.map((reason) => `${reason.id} (${percent(reason.share)})`).join(", "),
              }),
            }),
        ),
        h("span", { class: "number" }, probability === null ? "" : percent(probability)),
        // Of thousands of items even the best is improbable: the bar is long beside the best one's.
        h("span", { class: "bar", "aria-hidden": true, "--share": (probability ?? 0) / (most || 1) }),
      ),
    ),
  );
}

/**
 * The panel of knowledge bases: the operator fills one from Markdown, anybody asks it, and what was asked before is told
 * along. The admin key lives in its field and nowhere else.
 */
import { ask, put } from "./api.js";
import { rankedList } from "./classify.js";
import { h, show } from "./dom.js";
import { attempt } from "./frame.js";
import { said } from "./language.js";
import { code, facts } from "./result.js";

/**
 * @typedef {import("./playground.js").Server} Server
 * @typedef {{ entry: string, kind: "pair" | "document", title: string | null, source: string | null, passage?: string }} Source
 * @typedef {{ answer: string, confidence: number, source: Source }} Alternative
 * @typedef {{ answer: string | null, confidence: number, source: Source | null, handoff: boolean,
 *   reason: "below_threshold" | "no_entries" | "no_text" | null, searched: string, alternatives: Alternative[] }} Answer
 */

/** What people ask a library, and a page of its house rules. */
const ENTRIES = `## When are you open?

From nine to six on weekdays, until noon on Saturdays. We are closed on Sundays.

## How long may I keep a book?

Three weeks, and twice three weeks more if nobody else has asked for it.

## What does a late book cost?

Twenty cents a day for each book, ten euros at most.

## How do I get a library card?

Bring your passport to the desk on the first floor. The card is free for children and costs twelve euros a year for others.

# House rules

## Reading room

The reading room on the second floor has forty seats. Bags and coats stay in the lockers beside the stairs. Water is allowed, coffee is not.
`;
const QUESTIONS = [
  "What are your opening hours?",
  "And on Sundays?",
  "How much do I pay if I bring a book back too late?",
  "Who won the match last night?",
];

/** @param {Server} server */
export function knowledgePanel({ models, prices }) {
  const model = models.find(({ task }) => task === "embedding");
  if (!model) return h("p", { class: "empty-note", ...said("knowledge.none") });

  const key = h("input", { id: "knowledge-key", type: "password", autocomplete: "off", spellcheck: "false" });
  const id = h("input", { id: "knowledge-id", autocomplete: "off", spellcheck: "false" });
  const entries = h("textarea", { id: "knowledge-entries", class: "prose" });
  const fill = h("button", { type: "submit", class: "primary", ...said("knowledge.fill") });
  const filled = h("p", { class: "said", "aria-live": "polite" });
  const fillProblem = h("div");
  const field = (/** @type {HTMLElement} */ input, /** @type {import("./language.js").Key} */ label) =>
    h("div", { class: "field" }, h("label", { for: input.id, ...said(label) }), input);
  const fillForm = h(
    "form",
    {},
    h("div", { class: "inline-form" }, field(id, "knowledge.id"), field(key, "dashboard.key")),
    h("label", { for: "knowledge-entries", ...said("knowledge.entries") }),
    entries,
    h("div", { class: "actions" }, fill),
    filled,
    fillProblem,
  );
  fillForm.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (key.value.trim() === "") return key.focus();
    const path = `/v1/knowledge/${encodeURIComponent(id.value)}`;
    const result = await attempt(fillProblem, async () => {
      await put(path, key.value.trim(), "application/json", "{}");
      return put(`${path}/entries`, key.value.trim(), "text/markdown", entries.value);
    });
    if (!result) return show(filled);
    const { added, updated, refused, passages } = result;
    show(filled, h("span", said("knowledge.filled", { added, updated, refused: refused.length, passages })));
  });

  /** @type {{ role: string, content: string }[]} */
  let history = [];
  const question = h("input", { id: "knowledge-question", class: "prose", autocomplete: "off" });
  const run = h("button", { type: "submit", class: "primary", ...said("answer.run") });
  const problem = h("div");
  const result = h("div", { class: "result", id: "knowledge-result" });
  const askForm = h(
    "form",
    {},
    h("label", { for: "knowledge-question", ...said("answer.question") }),
    question,
    h(
      "div",
      { class: "examples" },
      ...QUESTIONS.map((example) =>
        h("button", { type: "button", class: "quiet", lang: "en", click: () => use(example) }, example),
      ),
    ),
    h("div", { class: "actions" }, run),
    problem,
  );
  /** @param {string} example */
  const use = (example) => {
    question.value = example;
    askForm.requestSubmit();
  };
  askForm.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = question.value;
    if (given.trim() === "") return question.focus();
    /** @type {import("./api.js").Call} */
    const call = { method: "POST", path: "/v1/answer", body: { question: given, knowledge_base: id.value, history } };
    const found = await attempt(problem, () => ask(call));
    if (!found) return show(result);
    /** @type {Answer} */
    const answer = found.answer;
    history = [...history, { role: "user", content: given }, { role: "assistant", content: answer.answer ?? "" }].slice(
      -6,
    );
    show(
      result,
      h("section", { class: "book" }, ...told(answer)),
      h(
        "section",
        {},
        facts({
          ms: found.ms,
          modelMs: found.answer.timing.answer_ms,
          model,
          prices,
          characters: given.length,
        }),
      ),
      code(call),
    );
  });
  id.value = "playground";
  entries.value = ENTRIES;
  question.value = QUESTIONS[0] ?? "";
  return h("div", {}, h("p", { class: "lead", ...said("knowledge.lead") }), fillForm, askForm, result);
}

/** @param {Answer} answer */
function told({ answer, confidence, source, reason, searched, alternatives }) {
  const best = answer === null || source === null ? [] : [{ answer, confidence, source }];
  const all = [...best, ...alternatives];
  return [
    h(
      "div",
      { class: "stack", "aria-live": "polite" },
      answer === null
        ? h("p", { class: "said", ...said(`knowledge.${reason ?? "no_text"}`) })
        : h("p", { class: "found", lang: "en" }, answer),
      source && h("p", { class: "explained", lang: "en" }, source.passage ?? source.title ?? source.entry),
      h("p", { class: "said", ...said("knowledge.searched", { text: searched }) }),
    ),
    all.length > 0 && h("section", {}, h("h2", said("knowledge.ranking")), rankedList(all.map(rankedOf))),
  ].filter((element) => element);
}

/** @param {Alternative} answer */
function rankedOf({ source, confidence }) {
  return { text: source.title ?? source.entry, share: confidence, lang: "en" };
}

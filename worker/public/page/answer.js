/** The panel that answers: a question about a text, and the text with its answer in it. */
import { ask } from "./api.js";
import { rankedList } from "./classify.js";
import { h, show } from "./dom.js";
import { attempt } from "./frame.js";
import { said } from "./language.js";
import { code, facts } from "./result.js";
import { submitWithEnter } from "./translate.js";

/**
 * @typedef {import("./playground.js").Server} Server
 * @typedef {{ text: string, start: number, end: number, confidence: number }} Span
 * @typedef {{ answer: string | null, start: number | null, end: number | null, confidence: number,
 *   reason: "below_threshold" | "no_text" | null, alternatives: Span[], tokens: number, windows: number }} Answer
 */

const CONTEXT =
  "The library was founded in 1871 by the merchant Ada Holm, who left it her house and four thousand books. It is open " +
  "from nine to six on weekdays and closes at noon on Saturdays. Members may borrow ten books for three weeks; a late " +
  "book costs twenty cents a day. The reading room on the second floor was added in 1924 after a fire.";
const QUESTIONS = [
  "Who founded the library?",
  "How many books may members borrow?",
  "When was the reading room added?",
  "Who is the king of Norway?",
];

/** @param {Server} server */
export function answerPanel({ models, prices }) {
  const model = models.find(({ task }) => task === "question-answering");
  if (!model) return h("p", { class: "empty-note", ...said("answer.none") });

  const question = h("input", { id: "answer-question", class: "prose", autocomplete: "off" });
  const context = h("textarea", { id: "answer-context", class: "prose" });
  const run = h("button", { type: "submit", class: "primary", ...said("answer.run") });
  const problem = h("div");
  const result = h("div", { class: "result", id: "answer-result" });
  const form = h(
    "form",
    {},
    h("label", { for: "answer-context", ...said("answer.context") }),
    context,
    h("label", { for: "answer-question", ...said("answer.question") }),
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
    if (context.value.trim() === "") context.value = CONTEXT;
    form.requestSubmit();
  };

  let running = false;
  const answer = async () => {
    const given = { question: question.value, context: context.value };
    if (running) return;
    if (given.question.trim() === "") return question.focus();
    if (given.context.trim() === "") return context.focus();
    running = true;
    run.setAttribute("aria-disabled", "true");
    /** @type {import("./api.js").Call} */
    const call = { method: "POST", path: "/v1/answer", body: { ...given, model: model.id } };
    const found = await attempt(problem, () => ask(call));
    running = false;
    run.removeAttribute("aria-disabled");
    if (!found) return show(result);
    const { answer: body, ms } = found;
    show(
      result,
      h("section", { class: "book" }, ...told(body, given.context)),
      h(
        "section",
        {},
        facts({
          ms,
          modelMs: body.timing.answer_ms,
          tokens: body.tokens,
          model,
          prices,
          characters: given.question.length + given.context.length,
        }),
      ),
      code(call),
    );
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answer();
  });
  submitWithEnter(context, form);
  context.value = CONTEXT;
  question.value = QUESTIONS[0] ?? "";
  return h("div", {}, h("p", { class: "lead", ...said("answer.lead") }), form, result);
}

/**
 * @param {Answer} found
 * @param {string} context
 */
function told({ answer, start, end, confidence, reason, alternatives }, context) {
  const best = answer === null ? [] : [{ text: answer, start: start ?? 0, end: end ?? 0, confidence }];
  return [
    h(
      "div",
      { class: "stack", "aria-live": "polite" },
      answer === null
        ? h("p", { class: "said", ...said(`answer.${reason ?? "no_text"}`) })
        : h("p", { class: "found", lang: "en" }, answer),
      h("p", { class: "explained", lang: "en" }, ...highlighted(context, best)),
    ),
    alternatives.length > 0 || best.length > 0
      ? h(
          "section",
          {},
          h("h2", said("answer.ranking")),
          rankedList(
            [...best, ...alternatives].map(({ text, confidence }) => ({ text, share: confidence, lang: "en" })),
          ),
        )
      : null,
  ].filter((element) => element !== null);
}

/**
 * @param {string} context
 * @param {Span[]} spans in no order, none over another
 */
function highlighted(context, spans) {
  /** @type {(string | HTMLElement)[]} */
  const parts = [];
  let at = 0;
  for (const { start, end } of spans.toSorted((a, b) => a.start - b.start)) {
    parts.push(context.slice(at, start), h("mark", { class: "for", "--weight": 1 }, context.slice(start, end)));
    at = end;
  }
  return [...parts, context.slice(at)];
}

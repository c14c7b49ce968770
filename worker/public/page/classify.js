/** The panel that classifies: every question of a model with its answer, and the words that speak for one of them. */
import { ask } from "./api.js";
import { h, roving, show } from "./dom.js";
import { attempt } from "./frame.js";
import { number, said } from "./language.js";
import { code, facts } from "./result.js";
import { submitWithEnter } from "./translate.js";

/**
 * @typedef {import("./playground.js").Server} Server
 * @typedef {{ label: string | null, reason: "out_of_scope" | "below_threshold" | "no_text" | null,
 *   labels: { label: string, probability: number }[],
 *   explanation?: { label: string, words: { text: string, weight: number }[], words_per_weight: number } }} Answer
 */

const EXAMPLES = [
  "My card was charged twice and nobody answers my mails.",
  "The film is a charming and often affecting journey.",
  "The striker scored twice as the visitors won the final in Madrid.",
  "How many people live in Tokyo?",
];
const CHINESE_EXAMPLE = "房间很干净，服务也很好，下次还会再来。";
/** Log-odds that are weaker decide nothing. */
const LEAST_WEIGHT = 0.1;

/** @param {Server} server */
export function classifyPanel({ models, prices }) {
  const classifiers = models.filter(({ task }) => task === "classification");
  const [first] = classifiers.toSorted((a, b) => b.heads.length - a.heads.length);
  if (!first) return h("p", { class: "empty-note", ...said("classify.none") });

  const examples = classifiers.some(({ source_languages }) => source_languages.includes("zh"))
    ? [...EXAMPLES, CHINESE_EXAMPLE]
    : EXAMPLES;

  const text = h("textarea", { id: "classify-text", class: "prose" });
  const run = h("button", { type: "submit", class: "primary", ...said("classify.run") });
  const problem = h("div");
  const result = h("div", { class: "result", id: "classify-result" });
  const form = h(
    "form",
    {},
    h("label", { for: "classify-text", ...said("classify.text") }),
    text,
    h(
      "div",
      { class: "examples" },
      ...examples.map((example) => {
        const lang = example === CHINESE_EXAMPLE ? "zh" : "en";
        return h("button", { type: "button", class: "quiet", lang, click: () => use(example) }, example);
      }),
    ),
    h("div", { class: "actions" }, run),
    problem,
  );
  /** @param {string} example */
  const use = (example) => {
    text.value = example;
    form.requestSubmit();
  };

  let running = false;
  let chosen = first.heads[0]?.name ?? "";
  const classify = async () => {
    const given = text.value;
    if (running || given.trim() === "") return text.focus();
    running = true;
    run.setAttribute("aria-disabled", "true");
    /** @type {import("./api.js").Call} */
    const call = { method: "POST", path: "/v1/classify", body: { text: given, explain: true } };
    const found = await attempt(problem, () => ask(call));
    running = false;
    run.removeAttribute("aria-disabled");
    if (!found) return show(result);
    const { answer, ms } = found;
    const model = classifiers.find(({ id }) => id === answer.model.id) ?? first;
    const [classification] = answer.classifications;
    const detail = h("div", { class: "stack", "aria-live": "polite" });
    const choose = (/** @type {string} */ task) => {
      chosen = task;
      show(detail, ...explain(classification.tasks[task], model.source_languages[0] ?? ""));
    };
    show(
      result,
      h("section", { class: "book" }, taskList(classification.tasks, chosen, choose), detail),
      h(
        "section",
        {},
        facts({
          ms,
          modelMs: answer.timing.classify_ms,
          tokens: classification.tokens,
          model,
          prices,
          characters: given.length,
        }),
      ),
      code(call),
    );
    choose(Object.hasOwn(classification.tasks, chosen) ? chosen : (Object.keys(classification.tasks)[0] ?? ""));
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    classify();
  });
  submitWithEnter(text, form);
  text.value = EXAMPLES[0] ?? "";
  return h("div", {}, h("p", { class: "lead", ...said("classify.lead") }), form, result);
}

/** @param {string} name as the API writes it */
export function readable(name) {
  return name.replaceAll("_", " ");
}

/** @param {number} probability */
export function percent(probability) {
  return number(probability, { style: "percent", maximumFractionDigits: 1 });
}

/**
 * @param {Record<string, Answer>} tasks
 * @param {string} chosen
 * @param {(task: string) => void} onChoose
 */
function taskList(tasks, chosen, onChoose) {
  const list = h("div", { class: "tasks", role: "radiogroup", "data-text-aria-label": "classify.tasks" });
  const choose = (/** @type {HTMLElement} */ button) => {
    for (const other of list.children) {
      other.setAttribute("aria-checked", String(other === button));
      /** @type {HTMLElement} */ (other).tabIndex = other === button ? 0 : -1;
    }
    onChoose(button.dataset.task ?? "");
  };
  for (const [task, { reason, labels }] of Object.entries(tasks)) {
    const [best] = labels;
    const isChosen = task === chosen;
    const button = h(
      "button",
      {
        type: "button",
        class: "task",
        role: "radio",
        "aria-checked": String(isChosen),
        tabindex: isChosen ? 0 : -1,
        "data-task": task,
        click: () => choose(button),
      },
      h("span", { class: "name" }, readable(task)),
      reason === null
        ? h("span", { class: "found" }, readable(best?.label ?? ""))
        : h("span", { class: "found", ...said(`classify.${reason}`) }),
      h("span", { class: "number" }, best ? percent(best.probability) : ""),
      h("span", { class: "bar", "aria-hidden": true, "--share": best?.probability ?? 0 }),
    );
    list.append(button);
  }
  roving(list, ".task", choose);
  return list;
}

/**
 * @param {Answer | undefined} answer
 * @param {string} lang of the text
 */
function explain(answer, lang) {
  if (!answer) return [];
  const { explanation, labels } = answer;
  return [
    ...(explanation ? [highlighted(explanation, lang)] : []),
    h("section", {}, h("h2", said("classify.ranking")), ranking(labels)),
  ];
}

/** @param {{ label: string, probability: number }[]} labels */
export function ranking(labels) {
  return rankedList(labels.map(({ label, probability }) => ({ text: readable(label), share: probability })));
}

/** @param {{ text: string, share: number, lang?: string }[]} rows the best first */
export function rankedList(rows) {
  return h(
    "ol",
    { class: "ranking" },
    ...rows.map(({ text, share, lang }) =>
      h(
        "li",
        {},
        h("span", lang === undefined ? {} : { lang }, text),
        h("span", { class: "number" }, percent(share)),
        h("span", { class: "bar", "aria-hidden": true, "--share": share }),
      ),
    ),
  );
}

/**
 * @param {NonNullable<Answer["explanation"]>} explanation
 * @param {string} lang of the words
 */
function highlighted({ label, words, words_per_weight }, lang) {
  const strongest = Math.max(...words.map(({ weight }) => Math.abs(weight)), LEAST_WEIGHT);
  const named = words
    .filter(({ weight }) => Math.abs(weight) >= LEAST_WEIGHT)
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight))
    .slice(0, 5)
    .map(({ text, weight }) => `${text.trim()} ${number(weight, { signDisplay: "always", maximumFractionDigits: 1 })}`);
  return h(
    "section",
    {},
    h("h2", said("classify.words", { label: readable(label) })),
    h(
      "p",
      { class: "explained", lang },
      ...words.flatMap(({ text, weight }) => {
        const [, space, word] = /^(\s*)([\s\S]*)$/.exec(text) ?? ["", "", text];
        if (Math.abs(weight) < LEAST_WEIGHT) return [text];
        const share = Math.abs(weight) / strongest;
        return [space ?? "", h("mark", { class: weight > 0 ? "for" : "against", "--weight": share }, word ?? "")];
      }),
    ),
    named.length === 0
      ? h("p", { class: "said", ...said("classify.no_words") })
      : h("p", { class: "said", ...said("classify.for", { words: named.join(", ") }) }),
    words_per_weight > 1 && h("p", { class: "said", ...said("classify.neighbours", { n: words_per_weight }) }),
  );
}

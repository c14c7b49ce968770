/** The panel that translates: tokens as they come, alternatives of the beam, attention, and the call as code. */
import { drawAlignment } from "./alignment.js";
import { askStreaming } from "./api.js";
import { h, show } from "./dom.js";
import { attempt } from "./frame.js";
import { number, said, speak } from "./language.js";
import { code, facts } from "./result.js";

/**
 * @typedef {import("./api.js").Model} Model
 * @typedef {import("./playground.js").Server} Server
 * @typedef {{ source: string, text: string, alternatives?: { text: string, score: number }[],
 *   alignment?: import("./alignment.js").Alignment }} Part
 */

/** Of the languages that shipped models read. */
const EXAMPLES = /** @type {Record<string, string[]>} */ ({
  en: [
    "A man is riding a bicycle on the street.",
    "Two children are playing with a dog in the snow.",
    "A woman in a red coat is waiting for the bus.",
  ],
});
const BEAM_SIZES = [2, 3, 4, 5, 6, 8];

/** @param {Server} server */
export function translatePanel({ models, prices }) {
  const pairs = models.flatMap((model) =>
    model.task === "translation"
      ? model.source_languages.flatMap((source) => model.target_languages.map((target) => ({ model, source, target })))
      : [],
  );
  const [first] = pairs;
  if (!first) return h("p", { class: "empty-note", ...said("translate.none") });
  let pair = first;

  const text = h("textarea", { id: "translate-text", class: "prose" });
  const sourceLabel = h("label", { for: "translate-text", "data-text": "translate.source" });
  const targetLabel = h("p", { class: "label", "data-text": "translate.target" });
  const examples = h("div", { class: "examples" });
  const beam = h("input", { type: "radio", name: "search", value: "beam", id: "search-beam" });
  const greedy = h("input", { type: "radio", name: "search", value: "greedy", checked: true, id: "search-greedy" });
  const size = h(
    "select",
    { "data-text-aria-label": "translate.size" },
    ...BEAM_SIZES.map((n) => h("option", { selected: n === 5 }, String(n))),
  );
  size.addEventListener("change", () => {
    beam.checked = true;
  });
  const pairChoice = h(
    "select",
    { id: "translate-pair" },
    ...pairs.map(({ model, source, target }) => h("option", {}, `${source} → ${target}, ${model.id}`)),
  );
  pairChoice.addEventListener("change", () => usePair(pairs[pairChoice.selectedIndex] ?? pair));
  const run = h("button", { type: "submit", class: "primary", ...said("translate.run") });
  const output = h("div", { class: "output empty", "aria-live": "polite", id: "translate-output" });
  const problem = h("div");
  const more = h("div", { class: "result" });
  const empty = () => {
    output.className = "output empty";
    show(output, h("span", said("translate.empty")));
  };
  const form = h(
    "form",
    { class: "book" },
    h(
      "div",
      { class: "field" },
      sourceLabel,
      text,
      examples,
      h(
        "div",
        { class: "actions" },
        run,
        h(
          "fieldset",
          { class: "choices" },
          h("legend", { class: "hidden", ...said("translate.search") }),
          h("label", { for: "search-greedy" }, greedy, h("span", said("translate.greedy"))),
          h(
            "span",
            { class: "choice" },
            h("label", { for: "search-beam" }, beam, h("span", said("translate.beam"))),
            size,
          ),
        ),
        pairs.length > 1 && h("div", {}, h("label", { for: "translate-pair", ...said("translate.model") }), pairChoice),
      ),
    ),
    h("div", { class: "field" }, targetLabel, output, problem),
  );
  /** @param {typeof pair} chosen */
  const usePair = (chosen) => {
    pair = chosen;
    const { source, target } = pair;
    text.lang = source;
    output.lang = target;
    sourceLabel.dataset.values = JSON.stringify({ language: nameOf(source) });
    targetLabel.dataset.values = JSON.stringify({ language: nameOf(target) });
    examples.replaceChildren(
      ...(EXAMPLES[source] ?? []).map((example) =>
        h("button", { type: "button", class: "quiet", lang: source, click: () => use(example) }, example),
      ),
    );
    text.value ||= EXAMPLES[source]?.[0] ?? "";
    show(more);
    empty();
    speak(form);
  };
  /** @param {string} example */
  const use = (example) => {
    text.value = example;
    form.requestSubmit();
  };

  let running = false;
  const translate = async () => {
    const given = text.value;
    if (running || given.trim() === "") return text.focus();
    running = true;
    run.setAttribute("aria-disabled", "true");
    show(more);
    show(output);
    output.className = "output live";
    const { model, source, target } = pair;
    const beamSize = beam.checked ? Number(size.value) : 1;
    /** @type {import("./api.js").Call} */
    const call = {
      method: "POST",
      path: "/v1/translate",
      body: {
        text: given,
        source,
        target,
        model: model.id,
        beam_size: beamSize,
        stream: true,
        ...(beamSize > 1 ? { alternatives: true } : {}),
        alignments: true,
      },
    };
    const result = await attempt(problem, () => askStreaming(call, (delta) => output.append(delta)));
    output.className = "output";
    running = false;
    run.removeAttribute("aria-disabled");
    if (!result) return empty();
    const { answer, ms, firstMs } = result;
    const [translation] = answer.translations;
    output.textContent = translation.text;
    show(
      more,
      translation.truncated && h("p", { class: "problem", ...said("translate.truncated") }),
      attention(translation.parts, { source, target }),
      beamSize > 1 && alternatives(translation.parts, target),
      h(
        "section",
        {},
        facts({
          ms,
          firstMs: beamSize === 1 ? firstMs : undefined,
          modelMs: answer.timing.generate_ms,
          tokens: { source: translation.source_tokens, target: translation.target_tokens },
          score: translation.score ?? undefined,
          model,
          prices,
          characters: given.length,
        }),
      ),
      code(call),
    );
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    translate();
  });
  submitWithEnter(text, form);
  usePair(pair);
  return h("div", {}, h("p", { class: "lead", ...said("translate.lead") }), form, more);
}

/** @param {string} language */
function nameOf(language) {
  return ["en", "de", "zh"].includes(language) ? `lang.${language}` : language;
}

/**
 * Control and Enter, where Enter alone makes a new line.
 * @param {HTMLTextAreaElement} area
 * @param {HTMLFormElement} form
 */
export function submitWithEnter(area, form) {
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
}

/**
 * @param {Part[]} parts
 * @param {{ source: string, target: string }} languages
 */
function attention(parts, languages) {
  const drawn = parts.flatMap(({ alignment }) => (alignment ? [drawAlignment(alignment, languages)] : []));
  if (drawn.length === 0) return undefined;
  return h(
    "section",
    { class: "attention" },
    h("h2", said("attention.title")),
    ...drawn,
    h("p", { class: "empty-note", ...said("attention.hint") }),
  );
}

/**
 * @param {Part[]} parts
 * @param {string} lang
 */
function alternatives(parts, lang) {
  const found = parts.map((part) => part.alternatives ?? []).filter(({ length }) => length > 0);
  return h(
    "section",
    {},
    h("h2", said("alternatives.title")),
    ...(found.length === 0 ? [h("p", said("alternatives.none"))] : found.map((of) => alternativeList(of, lang))),
  );
}

/**
 * @param {{ text: string, score: number }[]} alternatives of one sentence
 * @param {string} lang
 */
function alternativeList(alternatives, lang) {
  return h(
    "ol",
    { class: "alternatives", lang },
    ...alternatives.map(({ text, score }) =>
      h("li", {}, h("span", {}, text), h("span", { class: "number" }, number(score, { maximumFractionDigits: 2 }))),
    ),
  );
}

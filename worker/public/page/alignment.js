/**
 * Draws which source words a translation's words were made from: a line for each weight, as strong as it is. Pointing at
 * a word, or walking to it with the arrow keys, leaves its own lines and shades the words at their ends.
 */
import { h, roving, svg } from "./dom.js";
import { number, speak } from "./language.js";

/** @typedef {{ source_words: string[], target_words: string[], weights: number[][] }} Alignment */

/** Lines that are weaker are not drawn, words that are weaker not named. */
const LEAST_DRAWN = 0.07;
const LEAST_NAMED = 0.15;

/**
 * @param {Alignment} alignment
 * @param {{ source: string, target: string }} languages
 */
export function drawAlignment({ source_words, target_words, weights }, languages) {
  const lines = svg("svg", { "aria-hidden": true });
  const note = h("p", { class: "said", "aria-live": "polite" });
  const row = (/** @type {string[]} */ words, /** @type {string} */ lang, /** @type {string} */ label) =>
    h(
      "div",
      { class: "words", lang, role: "group", "data-text-aria-label": label },
      ...words.map((word, i) =>
        h("button", { type: "button", class: "word", tabindex: i === 0 ? 0 : -1 }, word.trim()),
      ),
    );
  const sources = row(source_words, languages.source, "attention.source");
  const targets = row(target_words, languages.target, "attention.target");
  const pair = h("div", { class: "pair" }, sources, targets, lines);

  const links = weights.flatMap((row, t) =>
    row.flatMap((weight, s) =>
      weight < LEAST_DRAWN
        ? []
        : [{ s, t, weight, path: svg("path", { "stroke-width": 1 + 3 * weight, "stroke-opacity": weight * 0.75 }) }],
    ),
  );
  lines.append(...links.map(({ path }) => path));

  const layOut = () => {
    const frame = pair.getBoundingClientRect();
    const boxes = (/** @type {HTMLElement} */ place) => [...place.children].map((word) => word.getBoundingClientRect());
    const [from, to] = [boxes(sources), boxes(targets)];
    const tops = new Set([...from.map(({ top }) => Math.round(top)), ...to.map(({ top }) => Math.round(top))]);
    pair.classList.toggle("wrapped", tops.size > 2);
    for (const { s, t, path } of links) {
      const [a, b] = [from[s], to[t]];
      if (!a || !b) continue;
      const [x0, y0] = [a.left + a.width / 2 - frame.left, a.bottom - frame.top];
      const [x1, y1] = [b.left + b.width / 2 - frame.left, b.top - frame.top];
      const bend = (y1 - y0) / 2;
      path.setAttribute("d", `M${x0} ${y0}C${x0} ${y0 + bend} ${x1} ${y1 - bend} ${x1} ${y1}`);
    }
  };
  new ResizeObserver(layOut).observe(pair);

  /** @param {"source" | "target"} [side] @param {number} [index] */
  const choose = (side, index) => {
    pair.classList.toggle("chosen", side !== undefined);
    const weightOf = (/** @type {"source" | "target"} */ of, /** @type {number} */ i) => {
      if (side === undefined || index === undefined) return 0;
      if (of === side) return 0;
      return (of === "source" ? weights[index]?.[i] : weights[i]?.[index]) ?? 0;
    };
    for (const [of, place] of /** @type {const} */ ([
      ["source", sources],
      ["target", targets],
    ])) {
      for (const [i, word] of /** @type {HTMLElement[]} */ ([...place.children]).entries()) {
        word.style.setProperty("--weight", String(weightOf(of, i)));
        word.classList.toggle("on", of === side && i === index);
      }
    }
    for (const { s, t, path } of links) path.classList.toggle("on", (side === "source" ? s : t) === index && !!side);
    if (side !== undefined && index !== undefined) tell(side, index);
  };
  /** @param {"source" | "target"} side @param {number} index */
  const tell = (side, index) => {
    const [own, others] = side === "target" ? [target_words, source_words] : [source_words, target_words];
    const named = others
      .map((word, i) => ({ word, weight: (side === "target" ? weights[index]?.[i] : weights[i]?.[index]) ?? 0 }))
      .filter(({ weight }) => weight >= LEAST_NAMED)
      .sort((a, b) => b.weight - a.weight)
      .slice(0, 4)
      .map(({ word, weight }) => `${word.trim()} ${number(weight, { style: "percent" })}`);
    const word = own[index]?.trim() ?? "";
    const key = named.length === 0 ? "attention.nothing" : side === "target" ? "attention.from" : "attention.to";
    note.dataset.text = key;
    note.dataset.values = JSON.stringify({ word, sources: named.join(" · ") });
    speak(figure);
  };
  for (const [side, place] of /** @type {const} */ ([
    ["source", sources],
    ["target", targets],
  ])) {
    for (const [i, word] of [...place.children].entries()) {
      word.addEventListener("pointerenter", () => choose(side, i));
      word.addEventListener("focus", () => choose(side, i));
      word.addEventListener("click", () => choose(side, i));
      word.addEventListener("blur", () => choose());
    }
    roving(place, ".word");
  }
  pair.addEventListener("pointerleave", ({ pointerType }) => {
    if (pointerType === "mouse" && !pair.contains(document.activeElement)) choose();
  });
  const figure = h("div", { class: "sentence" }, pair, note);
  return figure;
}

/** The page that compares the models: size, quality beside published figures, latency from here. */
import { benchmarks } from "./anchors.js";
import { ask, readModels } from "./api.js";
import { bars, dots } from "./charts.js";
import { h, show } from "./dom.js";
import { attempt, hero, openPage } from "./frame.js";
import { number, said, text } from "./language.js";

/**
 * @typedef {import("./api.js").Model} Model
 * @typedef {import("./language.js").Key} Key
 */

const MEASURED_CALLS = 20;

const problem = h("div");
const content = h("div");

/** @param {Key} title @param {Key} note @param {...Node} children */
function block(title, note, ...children) {
  return h("section", { class: "block" }, h("h2", said(title)), h("p", said(note)), ...children);
}

/** @param {Key} title @param {Key} unit */
function caption(title, unit) {
  return h("span", {}, h("b", said(title)), " ", h("span", said(unit)));
}

/** @param {Model[]} models */
function sizes(models) {
  const rows = (/** @type {"parameters" | "bytes"} */ name) =>
    models.map(({ id, size }) => ({ name: id, value: size[name] / 1e6, ours: true }));
  const label = (
    /** @type {Key} */ title,
    /** @type {Key} */ unit,
    /** @type {{ name: string, value: number }[]} */ of,
  ) =>
    `${text(title)}: ${of.map(({ name, value }) => `${name} ${number(value, { maximumFractionDigits: 2 })}`).join(", ")} ${text(unit)}`;
  const [parameters, bytes] = [rows("parameters"), rows("bytes")];
  return block(
    "models.size",
    "models.size_note",
    h(
      "div",
      { class: "charts" },
      bars(
        caption("models.parameters", "models.parameters_unit"),
        parameters,
        label("models.parameters", "models.parameters_unit", parameters),
      ),
      bars(caption("models.bytes", "models.megabytes"), bytes, label("models.bytes", "models.megabytes", bytes)),
    ),
  );
}

/** @param {Model} model @returns {import("./api.js").Call} */
function sampleCall(model) {
  if (model.task === "classification") {
    const isChinese = model.source_languages.includes("zh");
    const sample = isChinese ? "请问我怎样才能重新设置账户的密码？" : "How do I reset the password of my account?";
    const body = { text: sample, model: model.id };
    return { method: "POST", path: "/v1/classify", body };
  }
  if (model.task === "question-answering") {
    const context =
      "The bridge over the river was built in 1894 by the engineer Ada Holm. It was closed to cars in 2011.";
    const body = { question: "Who built the bridge?", context, model: model.id };
    return { method: "POST", path: "/v1/answer", body };
  }
  if (model.task === "embedding") {
    const body = { input: "How do I reset the password of my account?", model: model.id };
    return { method: "POST", path: "/v1/embeddings", body };
  }
  if (model.task === "recommendation") {
    const body = { history: model.most_popular.slice(0, 5), model: model.id };
    return { method: "POST", path: "/v1/recommend", body };
  }
  const body = {
    text: "Two young men are playing with a small dog in the snow.",
    source: model.source_languages[0],
    target: model.target_languages[0],
    model: model.id,
    beam_size: 1,
  };
  return { method: "POST", path: "/v1/translate", body };
}

/** @param {Model} model */
async function measure(model) {
  const call = sampleCall(model);
  await ask(call);
  /** @type {number[]} */
  const times = [];
  for (let i = 0; i < MEASURED_CALLS; i++) times.push((await ask(call)).ms);
  times.sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
  return { model, median: at(0.5), p95: at(0.95) };
}

/** @param {Model[]} models */
function latency(models) {
  const wrong = h("div");
  const place = h("div", { class: "charts", "aria-live": "polite" });
  const run = h("button", { type: "button", class: "primary", ...said("models.measure", { n: MEASURED_CALLS }) });
  let running = false;
  run.addEventListener("click", async () => {
    if (running) return;
    running = true;
    run.setAttribute("aria-disabled", "true");
    show(place, h("p", { class: "empty-note", ...said("models.measuring") }));
    const found = await attempt(wrong, async () => {
      const results = [];
      for (const model of models) results.push(await measure(model));
      return results;
    });
    running = false;
    run.removeAttribute("aria-disabled");
    if (!found) return show(place);
    const rows = found.map(({ model, median, p95 }) => ({
      name: model.id,
      value: median,
      ours: true,
      note: text("models.p95", { n: p95 }),
    }));
    const spoken = rows.map(({ name, value }) => `${name} ${number(value)} ms`).join(", ");
    show(place, bars(caption("models.median", "models.milliseconds"), rows, `${text("models.median")}: ${spoken}`));
  });
  return block("models.latency", "models.latency_note", wrong, place, run);
}

/** @param {Model[]} models */
function quality(models) {
  const found = benchmarks.flatMap((benchmark) => {
    const ours = models.flatMap(({ id, quality: figures }) => {
      const value = figures[benchmark.quality];
      return value === undefined ? [] : [{ name: id, value, ours: true, source: benchmark.quality }];
    });
    const rows = [...ours, ...benchmark.anchors.map((anchor) => ({ ...anchor, ours: false }))];
    return ours.length === 0 ? [] : [{ benchmark, rows: rows.sort((a, b) => b.value - a.value) }];
  });
  if (found.length === 0) return block("models.quality", "models.quality_note", h("p", said("models.none")));
  return block(
    "models.quality",
    "models.quality_note",
    h(
      "div",
      { class: "charts" },
      ...found.map(({ benchmark: { title, unit }, rows }) =>
        dots(
          h("span", {}, h("b", {}, title), " ", h("span", {}, unit)),
          rows,
          `${title}, ${unit}: ${rows.map(({ name, value }) => `${name} ${value}`).join(", ")}`,
        ),
      ),
    ),
    h(
      "details",
      {},
      h("summary", said("models.table")),
      ...found.map(({ benchmark: { title, unit }, rows }) =>
        table(
          `${title}, ${unit}`,
          ["models.value", "models.source"],
          rows.map(({ name, value, ours, source }) => ({
            head: name,
            cells: [number(value, { maximumFractionDigits: 2 }), ours ? `${text("models.here")}: ${source}` : source],
          })),
        ),
      ),
    ),
  );
}

/**
 * @param {string} title
 * @param {[Key, Key]} heads of the second and the third column
 * @param {{ head: string, cells: [string, string] }[]} rows
 */
function table(title, heads, rows) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": title },
    h(
      "table",
      {},
      h("caption", {}, title),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col", ...said("prices.model") }),
          h("th", { scope: "col", class: "right", ...said(heads[0]) }),
          h("th", { scope: "col", ...said(heads[1]) }),
        ),
      ),
      h(
        "tbody",
        {},
        ...rows.map(({ head, cells: [value, note] }) =>
          h("tr", {}, h("th", { scope: "row" }, head), h("td", { class: "right" }, value), h("td", {}, note)),
        ),
      ),
    ),
  );
}

/** @param {Model} model */
function card(model) {
  return h(
    "details",
    {},
    h("summary", {}, model.id),
    h(
      "div",
      { class: "stack" },
      h("p", { lang: "en" }, model.description),
      h("p", {}, h("b", said("models.licence")), `: ${model.licence}`),
      h("h3", said("models.data")),
      h(
        "ul",
        {},
        ...model.training_data.map(({ name, licence, rows }) => h("li", {}, `${name}: ${number(rows)}, ${licence}`)),
      ),
      h("h3", said("models.figure")),
      h(
        "ul",
        { class: "figures" },
        ...Object.entries(model.quality).map(([name, value]) => h("li", {}, `${name}: ${value}`)),
      ),
    ),
  );
}

openPage("/models", h("div", { class: "plain" }, hero("models.title", "models.lead")), problem, content);
const models = await attempt(problem, readModels);
if (models) {
  show(
    content,
    quality(models),
    sizes(models),
    latency(models),
    h(
      "section",
      { class: "block" },
      h("h2", said("models.details")),
      h("div", { class: "stack" }, ...models.map(card)),
    ),
  );
}

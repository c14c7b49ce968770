/** The measured models as a table, and as the figures that have a bar. */
import { digits, type Figure, formatTable, type Spread } from "./figures.ts";
import type { ModelRow } from "./models.ts";

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

export function formatModels(rows: ModelRow[]): string {
  const names = rows[0]!.peers.map(({ name }) => name);
  const head = ["what", "build", "tokens in", "steps", "ms in Node", "ms in workerd", "min…max", "outside kernels"];
  for (const name of names) head.push(name, "ours in Node is", "in workerd", "same choice", "logits apart");
  return formatTable(
    head,
    rows.map(({ what, build, sourceTokens, steps, node, workerd, outsideKernels, peers }) => [
      what,
      build,
      String(sourceTokens),
      String(steps),
      digits(node.median),
      digits(workerd.median),
      `${digits(workerd.min)}…${digits(workerd.max)}`,
      outsideKernels ? percent(outsideKernels.median) : "",
      ...peers.flatMap(({ ms, timesNode, timesWorkerd, agreement }) => [
        `${digits(ms.median)} ms`,
        `${digits(timesNode.median)} ×`,
        `${digits(timesWorkerd.median)} ×`,
        agreement ? percent(agreement.sameChoice) : "",
        agreement ? percent(agreement.relativeError) : "",
      ]),
    ]),
  );
}

/** How many times faster than the peer at least, on the same weights. */
const TRANSLATION_BARS = { "onnxruntime-web": 8, "onnxruntime-node": 1 };
const ENCODER_BARS = { "onnxruntime-web": 3, "onnxruntime-node": undefined };
/** The length the translation's bar is for. */
const BAR_SOURCE_TOKENS = 20;

export function modelFigures(rows: ModelRow[]): Figure[] {
  const figures: Figure[] = [];
  for (const { what, build, sourceTokens, peers } of rows) {
    if (build !== "relaxed" || (what === "translation" && sourceTokens !== BAR_SOURCE_TOKENS)) continue;
    const bars = what === "translation" ? TRANSLATION_BARS : ENCODER_BARS;
    const title =
      what === "translation"
        ? `translation of ${sourceTokens} tokens, greedy`
        : `encoding ${sourceTokens} tokens, the work of a classifier`;
    for (const { name, timesWorkerd, timesNode } of peers) {
      const bar = bars[name];
      figures.push(asFigure(`${title}: to ${name}, ours in workerd`, timesWorkerd, bar));
      figures.push(asFigure(`  the same, ours in Node`, timesNode));
    }
  }
  return figures;
}

function asFigure(name: string, { median, min, max, runs }: Spread, atLeast?: number): Figure {
  return { name, unit: "×", value: median, min, max, runs, ...(atLeast === undefined ? {} : { bar: { atLeast } }) };
}

/** The measured models as tables, and as the figures that have a bar. */
import { digits, type Figure, formatTable, type Spread } from "../figures.ts";
import type { PeerName } from "../onnxruntime.ts";
import { BAR_LENGTHS, type ModelResults, type ModelRow } from "./suite.ts";

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

export function formatModels({ rows, shares }: ModelResults): string {
  const kernels = shares.map(({ task, tokens, build, kernels }) => {
    const all = kernels.reduce((sum, { ms }) => sum + ms, 0);
    const table = formatTable(
      ["kernel", "calls", "ms", "share", "10⁹ multiply-adds/s"],
      kernels.map(({ name, calls, ms, macs }) => [
        name,
        String(calls),
        digits(ms),
        percent(ms / all),
        macs === undefined ? "" : digits(macs / 1e6 / ms),
      ]),
    );
    return `Kernels of a ${task} of ${tokens} tokens, in workerd, ${build} build\n${table}`;
  });
  return [formatRows(rows), ...kernels].join("\n\n");
}

function formatRows(rows: ModelRow[]): string {
  const names = rows[0]!.peers.map(({ name }) => name);
  const head = ["what", "build", "tokens", "steps", "ms in Node", "ms in workerd", "min…max", "outside kernels"];
  for (const name of names) head.push(`${name} ms`, "ours in Node", "in workerd", "same choice", "logits apart");
  return formatTable(
    head,
    rows.map(({ task, build, tokens, steps, node, workerd, outsideKernels, peers }) => [
      task,
      build,
      String(tokens),
      String(steps),
      digits(node.median),
      digits(workerd.median),
      `${digits(workerd.min)}…${digits(workerd.max)}`,
      percent(outsideKernels.median),
      ...peers.flatMap(({ ms, timesNode, timesWorkerd, agreement }) => [
        digits(ms.median),
        `${digits(timesNode.median)} ×`,
        `${digits(timesWorkerd.median)} ×`,
        percent(agreement.sameChoice),
        percent(agreement.relativeError),
      ]),
    ]),
  );
}

/** How many times faster than the peer at least, with the same weights. */
const BARS: { task: ModelRow["task"]; atLeast: Partial<Record<PeerName, number>> }[] = [
  { task: "translation", atLeast: { "onnxruntime-web": 8, "onnxruntime-node": 1 } },
  { task: "classification", atLeast: { "onnxruntime-web": 3 } },
];

export function modelFigures({ rows }: ModelResults): Figure[] {
  return BARS.flatMap(({ task, atLeast }) => {
    const tokens = BAR_LENGTHS[task];
    const row = rows.find((r) => r.build === "relaxed" && r.task === task && r.tokens === tokens);
    return (row?.peers ?? []).flatMap(({ name, timesWorkerd, timesNode }) => [
      asFigure(`${task} of ${tokens} tokens, ours in workerd: to ${name}`, timesWorkerd, atLeast[name]),
      asFigure("  the same, ours in Node", timesNode),
    ]);
  });
}

function asFigure(name: string, { median, min, max, runs }: Spread, atLeast?: number): Figure {
  return { name, unit: "×", value: median, min, max, runs, ...(atLeast === undefined ? {} : { bar: { atLeast } }) };
}

/** The measured matrix products as tables, and as the figures that have a bar. */
import { digits, type Figure, formatTable, type Spread } from "../figures.ts";
import type { KernelRow } from "./suite.ts";

const percent = ({ median }: Spread) => `${Math.round(100 * median)} %`;

/** One table for each place and build. */
export function formatKernels(rows: KernelRow[]): string {
  const groups = new Map<string, KernelRow[]>();
  for (const row of rows) {
    const title = `${row.build} build in ${row.place}`;
    groups.set(title, [...(groups.get(title) ?? []), row]);
  }
  return [...groups].map(([title, group]) => `${title}, 10⁹ multiply-adds/s\n${kernelTable(group)}`).join("\n\n");
}

function kernelTable(rows: KernelRow[]): string {
  const names = rows[0]!.peers.map(({ name }) => name);
  const head = ["[n, k]", "m", "product", "min…max", "peak", "of the peak", "with quantization"];
  for (const name of names) head.push(name, "in a graph", "ours is", "in a graph");
  return formatTable(
    head,
    rows.map(({ shape: { m, n, k }, product, peak, peakShare, quantized, peers }) => [
      `[${n}, ${k}]`,
      String(m),
      digits(product.median),
      `${digits(product.min)}…${digits(product.max)}`,
      digits(peak.median),
      percent(peakShare),
      digits(quantized.median),
      ...peers.flatMap(({ alone, inGraph, timesAlone, timesInGraph }) => [
        digits(alone.median),
        digits(inGraph.median),
        `${digits(timesAlone.median)} ×`,
        `${digits(timesInGraph.median)} ×`,
      ]),
    ]),
  );
}

/** What is promised of the kernels: in workerd, at these rows and shapes. */
const BARS: { build: KernelRow["build"]; m: number; peakShare?: number; times: number }[] = [
  { build: "relaxed", m: 1, peakShare: 0.75, times: 10 },
  { build: "relaxed", m: 16, peakShare: 0.75, times: 2 },
  { build: "simd", m: 1, times: 5 },
  { build: "simd", m: 16, times: 1 },
];

/** @param shapes [n, k] that the bars are for */
export function kernelFigures(rows: KernelRow[], shapes: [number, number][]): Figure[] {
  return BARS.flatMap(({ build, m, peakShare, times }) =>
    shapes.flatMap(([n, k]) => {
      const row = rows.find(
        ({ shape, ...other }) =>
          other.place === "workerd" && other.build === build && shape.m === m && shape.n === n && shape.k === k,
      );
      if (!row) return [];
      const name = `m = ${m}, [${n}, ${k}], workerd, ${build}`;
      const figures: Figure[] = [];
      if (peakShare !== undefined) {
        figures.push(asFigure(`${name}: share of the peak`, "of it", row.peakShare, { atLeast: peakShare }));
      }
      for (const peer of row.peers) {
        if (peer.name !== "onnxruntime-web") continue;
        figures.push(asFigure(`${name}: to ${peer.name}`, "×", peer.timesAlone, { atLeast: times }));
        figures.push(asFigure("  to the same within a graph", "×", peer.timesInGraph));
      }
      return figures;
    }),
  );
}

function asFigure(name: string, unit: string, { median, min, max, runs }: Spread, bar?: Figure["bar"]): Figure {
  return { name, unit, value: median, min, max, runs, ...(bar ? { bar } : {}) };
}

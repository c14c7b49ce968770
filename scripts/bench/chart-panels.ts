/** Which measurements the benchmark's chart shows. */
import type { Panel } from "./chart.ts";
import type { Spread } from "./figures.ts";
import type { KernelRow } from "./kernels/suite.ts";
import type { ModelRow } from "./models/suite.ts";

/** A panel for each [n, k], a group for each m: the peak, our builds in workerd, and the peers. */
export function kernelPanels(rows: KernelRow[], shapes: [number, number][]): Panel[] {
  return shapes.map(([n, k]) => {
    const inWorkerd = rows.filter(({ place, shape }) => place === "workerd" && shape.n === n && shape.k === k);
    const rowCounts = [...new Set(inWorkerd.map(({ shape }) => shape.m))];
    return {
      title: `Matrix product, weights [${n}, ${k}]`,
      unit: "10⁹ multiply-adds/s",
      groups: rowCounts.map((m) => {
        const of = (build: string) => inWorkerd.find((row) => row.build === build && row.shape.m === m);
        const relaxed = of("relaxed");
        const baseline = of("simd");
        const bars: { series: string; spread: Spread }[] = [];
        if (relaxed) bars.push({ series: "relaxed, in workerd", spread: relaxed.quantized });
        if (baseline) bars.push({ series: "baseline, in workerd", spread: baseline.quantized });
        for (const { name, alone } of relaxed?.peers ?? []) bars.push({ series: name, spread: alone });
        if (relaxed) bars.push({ series: "peak of the dot product", spread: relaxed.peak });
        return { label: `m = ${m}`, bars };
      }),
    };
  });
}

/** Milliseconds of translations and classifications, relaxed build. */
export function modelPanel(rows: ModelRow[]): Panel {
  return {
    title: "The same model, milliseconds (less is better)",
    unit: "ms",
    groups: rows
      .filter(({ build }) => build === "relaxed")
      .map(({ task, tokens, steps, workerd, peers }) => ({
        label: task === "translation" ? `${tokens} tokens, ${steps} steps` : `classification, ${tokens} tokens`,
        bars: [
          { series: "relaxed, in workerd", spread: workerd },
          ...peers.map(({ name, ms }) => ({ series: name as string, spread: ms })),
        ],
      })),
  };
}

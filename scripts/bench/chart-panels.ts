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

/** Translations by their steps, so that long and short ones share an axis, and classifications; relaxed build. */
export function modelPanels(rows: ModelRow[]): Panel[] {
  const relaxed = rows.filter(({ build }) => build === "relaxed");
  const panel = (task: ModelRow["task"], title: string, unit: string): Panel => ({
    title,
    unit,
    groups: relaxed
      .filter((row) => row.task === task)
      .map(({ tokens, steps, workerd, peers }) => ({
        label: steps > 0 ? `${tokens} tokens in, ${steps} steps` : `${tokens} tokens`,
        bars: [
          { series: "relaxed, in workerd", ms: workerd },
          ...peers.map(({ name, ms }) => ({ series: name, ms })),
        ].map(({ series, ms }) => ({ series, spread: perStep(ms, Math.max(1, steps)) })),
      })),
  });
  return [
    panel("translation", "Greedy translation, the same weights (less is better)", "ms a step"),
    panel("classification", "Classification, the same weights (less is better)", "ms"),
  ];
}

function perStep({ median, min, max, runs }: Spread, steps: number): Spread {
  return { median: median / steps, min: min / steps, max: max / steps, runs };
}

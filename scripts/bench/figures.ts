/** Figures and how they are shown: medians with spread, beside the bar they have to reach. */

export interface Figure {
  name: string;
  unit: string;
  /** The median of the runs, or the one value of what does not vary. */
  value: number;
  min?: number;
  max?: number;
  runs?: number;
  /** What the project promises, and on which side of it good is. */
  bar?: { atMost: number } | { atLeast: number };
}

/** Sums up repeated measurements. @throws RangeError without any */
export function summarize(name: string, unit: string, samples: number[], bar?: Figure["bar"]): Figure {
  const sorted = [...samples].sort((a, b) => a - b);
  if (sorted.length === 0) throw new RangeError(`summarize: ${name}: expected at least one measurement`);
  const middle = sorted.length >> 1;
  const value = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  const figure = { name, unit, value, min: sorted[0]!, max: sorted.at(-1)!, runs: sorted.length };
  return bar ? { ...figure, bar } : figure;
}

export function meetsBar({ value, bar }: Figure): boolean | undefined {
  if (!bar) return undefined;
  return "atMost" in bar ? value <= bar.atMost : value >= bar.atLeast;
}

function digits(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}

/** A table for people. */
export function formatFigures(figures: Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, unit, value, min, max, runs, bar } = figure;
    const spread = runs === undefined ? "" : `${digits(min!)}…${digits(max!)} (${runs})`;
    const promise = bar ? ("atMost" in bar ? `≤ ${digits(bar.atMost)}` : `≥ ${digits(bar.atLeast)}`) : "";
    const verdict = { true: "met", false: "MISSED", undefined: "" }[String(meetsBar(figure)) as "true"];
    return [name, `${digits(value)} ${unit}`, spread, promise, verdict];
  });
  const table = [["what", "median", "min…max (runs)", "bar", ""], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

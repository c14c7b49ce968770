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

/** Repeated measurements of one thing. */
export interface Spread {
  median: number;
  min: number;
  max: number;
  runs: number;
}

/** @throws RangeError without any samples */
export function spreadOf(samples: number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  if (sorted.length === 0) throw new RangeError("spreadOf: expected at least one measurement");
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)!, runs: sorted.length };
}

/** Sums up repeated measurements. @throws RangeError without any */
export function summarize(name: string, unit: string, samples: number[], bar?: Figure["bar"]): Figure {
  const { median: value, ...spread } = spreadOf(samples);
  const figure = { name, unit, value, ...spread };
  return bar ? { ...figure, bar } : figure;
}

/**
 * How many times one is the other, round by round: what slows a whole round down falls out.
 * @throws RangeError if they are not of the same rounds
 */
export function ratios(of: number[], to: number[]): number[] {
  if (of.length !== to.length) throw new RangeError(`ratios: expected ${of.length} measurements, got ${to.length}`);
  return of.map((value, i) => value / to[i]!);
}

export function meetsBar({ value, bar }: Figure): boolean | undefined {
  if (!bar) return undefined;
  return "atMost" in bar ? value <= bar.atMost : value >= bar.atLeast;
}

/** Three digits, or all before the point. */
export function digits(value: number): string {
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
  return formatTable(["what", "median", "min…max (runs)", "bar", ""], rows);
}

/** Columns as wide as their widest cell; those of numbers, as the first row has them, stand flush right. */
export function formatTable(head: string[], rows: string[][]): string {
  const table = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const isNumber = head.map((_, column) => /^[\d.,]+( [×%])?$/.test(rows[0]?.[column] ?? ""));
  return table
    .map((row) =>
      row
        .map((cell, i) => (isNumber[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

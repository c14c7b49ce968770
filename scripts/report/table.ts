/** Tables for people, on the console. */

/** Columns as wide as their widest cell: the first one to the left, the others to the right. */
export function formatTable(titles: string[], rows: string[][]): string {
  const lines = [titles, ...rows];
  const widths = titles.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines
    .map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  "))
    .map((line) => line.trimEnd())
    .join("\n");
}

/** A share of 0…1 as percent with two digits, without the sign; nothing for none. */
export function percent(share: number | undefined): string {
  return share === undefined ? "" : (100 * share).toFixed(2);
}

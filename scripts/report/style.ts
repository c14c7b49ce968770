/** What the charts have in common: colours, the SVG around a drawing, and how its file is written. */
import { rename, rm, writeFile } from "node:fs/promises";

export const INK = "#1f2933";
export const FAINT = "#e4e7eb";
/** Okabe and Ito's colours, told apart with any kind of colour vision. */
export const BLUE = "#0072b2";
export const VERMILLION = "#d55e00";
export const GREEN = "#009e73";

export const pixel = (value: number) => value.toFixed(1);

/** Text as it may stand in SVG. */
export function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A drawing on white, with its title for who can't see it. Empty parts are left out. */
export function svgOf(width: number, height: number, title: string, parts: string[]): string {
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
      `font-family="system-ui, sans-serif" font-size="13" fill="${INK}" role="img">`,
    `<title>${escapeText(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...parts,
    "</svg>",
  ];
  return `${lines.filter(Boolean).join("\n")}\n`;
}

/** Names beside lines of their colour, from `left` on, below the title. */
export function legendOf(entries: { name: string; colour: string }[], left: number): string {
  let at = left;
  const drawn = entries.map(({ name, colour }) => {
    const entry =
      `<path d="M${at} 43h22" stroke="${colour}" stroke-width="3"/>` + `<text x="${at + 28}" y="47">${name}</text>`;
    // About 7 pixels a letter at this size.
    at += 28 + 7 * name.length + 22;
    return entry;
  });
  return `<g>${drawn.join("")}</g>`;
}

/**
 * Writes a chart whole or not at all.
 * @param caller what errors begin with
 */
export async function writeSvg(caller: string, path: string, svg: string): Promise<void> {
  const partial = `${path}.part`;
  try {
    await writeFile(partial, svg);
    await rename(partial, path);
  } catch (cause) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw new Error(`${caller}: cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}

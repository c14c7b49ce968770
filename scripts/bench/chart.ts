/**
 * Grouped bars with their spread as SVG: panels below each other, one axis each, from 0. Text and shapes only, no
 * script, so that it shows in a README as in a browser. Knows nothing of what it draws.
 */
import { type Axis, linearAxis } from "../report/axis.ts";
import type { Spread } from "./figures.ts";

export interface Panel {
  title: string;
  unit: string;
  groups: { label: string; bars: { series: string; spread: Spread }[] }[];
}

const WIDTH = 900;
const PANEL_HEIGHT = 230;
const LEFT = 64;
const RIGHT = 16;
const TOP = 74;
const PANEL_TOP = 30;
const PANEL_BOTTOM = 34;
const INK = "#1f2933";
const FAINT = "#e4e7eb";
/** Okabe and Ito's colours, told apart with any kind of colour vision. */
const COLOURS = ["#0072b2", "#56b4e9", "#d55e00", "#e69f00", "#009e73", "#cc79a7", "#999999"];
/** About the width of a letter at this font size. */
const LETTER = 6.6;

export function barChart(title: string, panels: Panel[]): string {
  const series = [...new Set(panels.flatMap(({ groups }) => groups.flatMap(({ bars }) => bars.map((b) => b.series))))];
  const colours = new Map(series.map((name, i) => [name, COLOURS[i % COLOURS.length]!]));
  const height = TOP + panels.length * PANEL_HEIGHT;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
      `font-family="system-ui, sans-serif" font-size="12" fill="${INK}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="${LEFT}" y="24" font-size="15" font-weight="600">${escapeXml(title)}</text>`,
    legend(colours),
    ...panels.map((panel, i) => drawPanel(panel, TOP + i * PANEL_HEIGHT, colours)),
    "</svg>",
  ].join("\n")}\n`;
}

function drawPanel({ title, unit, groups }: Panel, top: number, colours: Map<string, string>): string {
  const bottom = top + PANEL_HEIGHT - PANEL_BOTTOM;
  const highest = groups.flatMap(({ bars }) => bars.map(({ spread }) => spread.median));
  const y = linearAxis([0, ...highest], [bottom, top + PANEL_TOP], { count: 4 });
  const groupWidth = (WIDTH - LEFT - RIGHT) / Math.max(1, groups.length);
  return [
    `<text x="${LEFT}" y="${top + 16}" font-weight="600">${escapeXml(title)}</text>`,
    verticalAxis(y, unit, top, bottom),
    ...groups.map(({ label, bars }, i) => {
      const left = LEFT + i * groupWidth;
      const width = (0.8 * groupWidth) / Math.max(1, bars.length);
      const drawn = bars.map(({ series, spread }, j) =>
        bar(spread, y, left + 0.1 * groupWidth + j * width, width, bottom, colours.get(series)!),
      );
      const text = `<text x="${pixel(left + groupWidth / 2)}" y="${bottom + 18}" text-anchor="middle">${escapeXml(label)}</text>`;
      return drawn.join("") + text;
    }),
    `<path d="M${LEFT} ${bottom}H${WIDTH - RIGHT}" stroke="${INK}"/>`,
  ].join("\n");
}

/** A bar to the median, and a line from the least to the most; a line out of the panel ends at its edge. */
function bar({ median, min, max }: Spread, y: Axis, x: number, width: number, bottom: number, colour: string): string {
  const top = y.place(median);
  const middle = pixel(x + width / 2);
  const [low, high] = [y.place(min), y.place(Math.min(max, y.max))];
  return (
    `<rect x="${pixel(x)}" y="${pixel(top)}" width="${pixel(Math.max(1, width - 1))}" height="${pixel(bottom - top)}" fill="${colour}"/>` +
    `<path d="M${middle} ${pixel(low)}V${pixel(high)}" stroke="${INK}" stroke-opacity="0.55"/>`
  );
}

function verticalAxis(y: Axis, unit: string, top: number, bottom: number): string {
  const ticks = y.ticks.map((tick) => {
    const at = pixel(y.place(tick));
    return (
      `<path d="M${LEFT} ${at}H${WIDTH - RIGHT}" stroke="${FAINT}"/>` +
      `<text x="${LEFT - 8}" y="${pixel(y.place(tick) + 4)}" text-anchor="end">${y.format(tick)}</text>`
    );
  });
  const labelY = (top + PANEL_TOP + bottom) / 2;
  const label = `<text transform="translate(16 ${pixel(labelY)}) rotate(-90)" text-anchor="middle">${escapeXml(unit)}</text>`;
  return `<g>${ticks.join("")}${label}</g>`;
}

function legend(colours: Map<string, string>): string {
  let x = LEFT;
  let y = 44;
  const entries = [...colours].map(([name, colour]) => {
    const width = 18 + LETTER * name.length + 18;
    if (x + width > WIDTH - RIGHT) {
      x = LEFT;
      y += 18;
    }
    const entry = `<rect x="${pixel(x)}" y="${y - 9}" width="12" height="10" fill="${colour}"/><text x="${pixel(x + 18)}" y="${y}">${escapeXml(name)}</text>`;
    x += width;
    return entry;
  });
  return `<g>${entries.join("")}</g>`;
}

const pixel = (value: number) => value.toFixed(1);

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

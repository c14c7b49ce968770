/** Lines over a logarithmic axis as SVG: what grows with the number of rows. Text and lines only, no script. */
import { linearAxis } from "./axis.ts";
import { BLUE, escapeText, FAINT, GREEN, INK, legendOf, pixel, svgOf, VERMILLION, writeSvg } from "./style.ts";

const WIDTH = 720;
const HEIGHT = 420;
const LEFT = 72;
const RIGHT = 32;
const TOP = 64;
const BOTTOM = 60;
const COLOURS = [BLUE, VERMILLION, GREEN, INK];

export interface CurvePlot {
  title: string;
  xName: string;
  yName: string;
  /** At most four; x above 0, ascending. */
  series: { name: string; points: { x: number; y: number }[] }[];
}

/** @throws Error if the file can't be written */
export async function writeCurvePlot(path: string, plot: CurvePlot): Promise<void> {
  await writeSvg("writeCurvePlot", path, curvePlot(plot));
}

export function curvePlot({ title, xName, yName, series }: CurvePlot): string {
  const points = series.flatMap((line) => line.points);
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const [first, last] = [Math.log(xs[0]!), Math.log(xs.at(-1)!)];
  const width = WIDTH - LEFT - RIGHT;
  const xAt = (x: number) => LEFT + (last === first ? width / 2 : (width * (Math.log(x) - first)) / (last - first));
  const y = linearAxis(
    points.map((point) => point.y),
    [HEIGHT - BOTTOM, TOP],
    { count: 6 },
  );
  const rows = y.ticks.map((tick) => {
    const at = pixel(y.place(tick));
    return (
      `<path d="M${LEFT} ${at}H${WIDTH - RIGHT}" stroke="${FAINT}"/>` +
      `<text x="${LEFT - 8}" y="${pixel(y.place(tick) + 4)}" text-anchor="end">${y.format(tick)}</text>`
    );
  });
  const columns = xs.map((x) => {
    const at = pixel(xAt(x));
    return (
      `<path d="M${at} ${HEIGHT - BOTTOM}v5" stroke="${INK}"/>` +
      `<text x="${at}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${x.toLocaleString("en")}</text>`
    );
  });
  const lines = series.map((line, i) => {
    const colour = COLOURS[i]!;
    const path = line.points.map((point) => `${pixel(xAt(point.x))} ${pixel(y.place(point.y))}`).join("L");
    const dots = line.points.map(
      (point) =>
        `<circle cx="${pixel(xAt(point.x))}" cy="${pixel(y.place(point.y))}" r="4" fill="${colour}">` +
        `<title>${escapeText(`${line.name}, ${point.x}: ${point.y.toFixed(2)}`)}</title></circle>`,
    );
    return `<path d="M${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join("")}`;
  });
  return svgOf(WIDTH, HEIGHT, title, [
    `<text x="${LEFT}" y="24" font-size="15" font-weight="600">${escapeText(title)}</text>`,
    legendOf(
      series.map(({ name }, i) => ({ name: escapeText(name), colour: COLOURS[i]! })),
      LEFT,
    ),
    `<g>${rows.join("")}</g>`,
    `<g>${columns.join("")}</g>`,
    ...lines,
    `<text x="${LEFT + width / 2}" y="${HEIGHT - 12}" text-anchor="middle">${escapeText(xName)}</text>`,
    `<text transform="translate(20 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escapeText(yName)}</text>`,
  ]);
}

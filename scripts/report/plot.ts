/**
 * The loss curve of a run as SVG: training loss (mean and range of neighbouring steps), dev loss, and dev BLEU on an
 * axis of its own. Text and lines only, no script, so that it shows in a README as in a browser.
 */
import { type Axis, linearAxis } from "./axis.ts";
import { type MetricsRow, readMetrics } from "./metrics.ts";
import { BLUE, FAINT, GREEN, INK, legendOf, pixel, svgOf, VERMILLION, writeSvg } from "./style.ts";

const WIDTH = 900;
const HEIGHT = 460;
const LEFT = 76;
const RIGHT = 76;
const TOP = 64;
const BOTTOM = 64;
/** Neighbouring steps that share a pixel column or two are drawn as one point with its range. */
const MAX_POINTS = 300;
/** The first steps of a training lie far above the rest; the axis ends where this share of the points is below. */
const SHOWN_SHARE = 0.98;

const TRAIN = BLUE;
const DEV = VERMILLION;
const SCORE = GREEN;

/** A stretch of neighbouring steps. */
interface Point {
  step: number;
  mean: number;
  low: number;
  high: number;
}

/**
 * Draws `metrics.jsonl` into an SVG file, written whole or not at all. A run without a step yet gives no file.
 * @throws Error if the metrics can't be read or the file can't be written
 */
export async function writeLossPlot(metricsPath: string, svgPath: string, scoreName: string): Promise<void> {
  const rows = await readMetrics(metricsPath);
  if (rows.length === 0) return;
  await writeSvg("writeLossPlot", svgPath, lossPlot(rows, scoreName));
}

/**
 * @param rows in the order of their steps, at least one training step
 * @param scoreName what the dev score is, e.g. BLEU
 */
export function lossPlot(rows: MetricsRow[], scoreName: string): string {
  const points = summarize(rows, MAX_POINTS);
  const devLoss = rows.filter((row) => row.dev_loss !== undefined).map((row) => [row.step, row.dev_loss!] as const);
  const devScore = rows.filter((row) => row.dev_score !== undefined).map((row) => [row.step, row.dev_score!] as const);
  const x = linearAxis([0, rows.at(-1)!.step], [LEFT, WIDTH - RIGHT], { count: 7, wholeNumbers: true });
  const highs = points.map((point) => point.high).sort((a, b) => a - b);
  const shown = highs[Math.floor(SHOWN_SHARE * (highs.length - 1))]!;
  const losses = [...points.map((point) => Math.min(point.low, shown)), shown, ...devLoss.map(([, loss]) => loss)];
  const y = linearAxis(losses, [HEIGHT - BOTTOM, TOP], { count: 6 });
  const yScore = linearAxis([0, ...devScore.map(([, score]) => score)], [HEIGHT - BOTTOM, TOP], { count: 6 });

  const legend = [{ name: "training loss (mean, range)", colour: TRAIN }];
  if (devLoss.length > 0) legend.push({ name: "dev loss", colour: DEV });
  if (devScore.length > 0) legend.push({ name: `dev ${scoreName} (right)`, colour: SCORE });
  const title = summaryLine(rows, scoreName);
  return svgOf(WIDTH, HEIGHT, title, [
    `<clipPath id="plot"><rect x="${LEFT}" y="${TOP}" width="${WIDTH - LEFT - RIGHT}" height="${HEIGHT - TOP - BOTTOM}"/></clipPath>`,
    `<text x="${LEFT}" y="24" font-size="15" font-weight="600">${title}</text>`,
    legendOf(legend, LEFT),
    horizontalAxis(x),
    verticalAxis(y, "left", "loss, nats per token"),
    devScore.length > 0 ? verticalAxis(yScore, "right", `${scoreName} on dev`) : "",
    `<g clip-path="url(#plot)" fill="none" stroke-linejoin="round">`,
    `<path d="${bandOf(points, x, y)}" fill="${TRAIN}" fill-opacity="0.18"/>`,
    `<path d="${lineOf(
      points.map(({ step, mean }) => [step, mean] as const),
      x,
      y,
    )}" stroke="${TRAIN}" stroke-width="1.6"/>`,
    seriesOf(devLoss, x, y, DEV),
    seriesOf(devScore, x, yScore, SCORE),
    "</g>",
  ]);
}

function summaryLine(rows: MetricsRow[], scoreName: string): string {
  const last = rows.at(-1)!;
  const time =
    last.elapsed_s < 5400 ? `${(last.elapsed_s / 60).toFixed(0)} min` : `${(last.elapsed_s / 3600).toFixed(1)} h`;
  let best: MetricsRow | undefined;
  for (const row of rows) if (row.dev_score !== undefined && row.dev_score > (best?.dev_score ?? -1)) best = row;
  const quality =
    best === undefined ? "" : `, best dev ${scoreName} ${best.dev_score!.toFixed(1)} at step ${count(best.step)}`;
  return `${count(last.step)} steps in ${time}${quality}`;
}

function summarize(rows: MetricsRow[], maxPoints: number): Point[] {
  const points: Point[] = [];
  const steps = rows.flatMap(({ step, loss }) => (loss === undefined ? [] : [{ step, loss }]));
  const perPoint = Math.ceil(steps.length / maxPoints);
  for (let start = 0; start < steps.length; start += perPoint) {
    const group = steps.slice(start, start + perPoint);
    const losses = group.map(({ loss }) => loss);
    points.push({
      step: group.reduce((sum, row) => sum + row.step, 0) / group.length,
      mean: losses.reduce((sum, loss) => sum + loss, 0) / group.length,
      low: Math.min(...losses),
      high: Math.max(...losses),
    });
  }
  return points;
}

const count = (value: number) => value.toLocaleString("en");

function lineOf(series: (readonly [number, number])[], x: Axis, y: Axis): string {
  return series
    .map(([step, value], i) => `${i === 0 ? "M" : "L"}${pixel(x.place(step))} ${pixel(y.place(value))}`)
    .join("");
}

/** Along the highs and back along the lows. */
function bandOf(points: Point[], x: Axis, y: Axis): string {
  const there = points.map(({ step, high }) => [step, high] as const);
  const back = points.map(({ step, low }) => [step, low] as const).reverse();
  return `${lineOf([...there, ...back], x, y)}Z`;
}

/** A line with a dot at each evaluation. */
function seriesOf(series: (readonly [number, number])[], x: Axis, y: Axis, colour: string): string {
  if (series.length === 0) return "";
  const dots = series.map(
    ([step, value]) => `<circle cx="${pixel(x.place(step))}" cy="${pixel(y.place(value))}" r="2.5" fill="${colour}"/>`,
  );
  return `<path d="${lineOf(series, x, y)}" stroke="${colour}" stroke-width="1.6"/>\n${dots.join("")}`;
}

function horizontalAxis(x: Axis): string {
  const bottom = HEIGHT - BOTTOM;
  const ticks = x.ticks.map((tick) => {
    const at = pixel(x.place(tick));
    return (
      `<path d="M${at} ${TOP}V${bottom}" stroke="${FAINT}"/>` +
      `<text x="${at}" y="${bottom + 20}" text-anchor="middle">${x.format(tick)}</text>`
    );
  });
  const label = `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 16}" text-anchor="middle">training step</text>`;
  return `<g>${ticks.join("")}<path d="M${LEFT} ${bottom}H${WIDTH - RIGHT}" stroke="${INK}"/>${label}</g>`;
}

function verticalAxis(y: Axis, side: "left" | "right", label: string): string {
  const edge = side === "left" ? LEFT : WIDTH - RIGHT;
  const [anchor, away] = side === "left" ? ["end", -8] : ["start", 8];
  const ticks = y.ticks.map((tick) => {
    const at = y.place(tick);
    const line = side === "left" ? `<path d="M${LEFT} ${pixel(at)}H${WIDTH - RIGHT}" stroke="${FAINT}"/>` : "";
    return `${line}<text x="${edge + away}" y="${pixel(at + 4.5)}" text-anchor="${anchor}">${y.format(tick)}</text>`;
  });
  const labelX = side === "left" ? 20 : WIDTH - 14;
  const labelY = (TOP + HEIGHT - BOTTOM) / 2;
  return (
    `<g>${ticks.join("")}<path d="M${edge} ${TOP}V${HEIGHT - BOTTOM}" stroke="${INK}"/>` +
    `<text transform="translate(${labelX} ${labelY}) rotate(-90)" text-anchor="middle">${label}</text></g>`
  );
}

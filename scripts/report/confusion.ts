/**
 * The confusion matrix of a classifier as SVG: a row for each class as labelled, a column for each as answered, each
 * cell as dark as its share of the row. Few classes are named along both sides and counted in the cells; many (up to
 * CLINC150's 151) are numbered along axes, and the pairs that are confused most are named beside them.
 */
import type { ConfusedPair, Labels } from "../metrics/classification.ts";
import { labelName } from "../metrics/classification.ts";
import { linearAxis } from "./axis.ts";
import { BLUE, escapeText, FAINT, INK, legendOf, pixel, svgOf, VERMILLION, writeSvg } from "./style.ts";

/** More classes than this are numbered. */
const MAX_NAMED = 30;
/** More than this and a cell is too small for its count. */
const MAX_COUNTED = 20;
/** Letters of a class's name that are shown. */
const NAME_LENGTH = 32;
/** About 7 pixels a letter at this size. */
const LETTER = 7;
const TOP = 64;
const MARGIN = 24;
/** Side of a numbered matrix. */
const NUMBERED_SIDE = 680;
const MAX_PAIRS = 20;
/** A single mistake in a large class has to be seen still, in a small cell all the more. */
const FAINTEST = { named: 0.12, numbered: 0.3 };

export interface ConfusionPlot {
  /** Over the drawing. */
  title: string;
  labels: Labels;
  /** [expected][predicted], counts of texts. */
  confusion: number[][];
  /** Named beside a matrix that is too large for names, as of `mostConfused`. */
  pairs?: ConfusedPair[];
}

/**
 * Draws a confusion matrix into an SVG file, written whole or not at all.
 * @throws Error if the matrix does not fit the labels or the file can't be written
 */
export async function writeConfusionPlot(path: string, plot: ConfusionPlot): Promise<void> {
  await writeSvg("writeConfusionPlot", path, confusionPlot(plot));
}

/** @throws Error if the matrix does not fit the labels */
export function confusionPlot(plot: ConfusionPlot): string {
  const { labels, confusion } = plot;
  if (confusion.length !== labels.length || confusion.some((row) => row.length !== labels.length)) {
    throw new Error(
      `confusionPlot: expected a matrix of ${labels.length} × ${labels.length}, got ${confusion.length} rows`,
    );
  }
  return labels.length <= MAX_NAMED ? namedPlot(plot) : numberedPlot(plot);
}

function namedPlot({ title, labels, confusion }: ConfusionPlot): string {
  const names = labels.map((label) => shorten(labelName(label)));
  const cell = Math.max(22, Math.min(48, 640 / labels.length));
  const side = cell * labels.length;
  const nameWidth = LETTER * Math.max(...names.map((name) => name.length));
  const left = MARGIN + 20 + nameWidth + 8;
  // Names below are turned by 45 degrees and reach to the left.
  const below = 0.72 * nameWidth + 24;
  const width = left + side + MARGIN;
  const height = TOP + side + below + 20;
  const along = names.map((name, i) => {
    const middle = (i + 0.5) * cell;
    const y = TOP + side + 14;
    return (
      `<text x="${left - 8}" y="${pixel(TOP + middle + 4.5)}" text-anchor="end">${escapeText(name)}</text>` +
      `<text transform="translate(${pixel(left + middle + 4)} ${y}) rotate(-45)" text-anchor="end">${escapeText(name)}</text>`
    );
  });
  return frame(title, Math.max(width, 420), height, left, side, [
    ...cellsOf(labels, confusion, left, cell, FAINTEST.named),
    gridOf(labels.length, left, cell),
    labels.length <= MAX_COUNTED ? countsOf(confusion, left, cell) : "",
    `<g>${along.join("")}</g>`,
  ]);
}

function numberedPlot({ title, labels, confusion, pairs = [] }: ConfusionPlot): string {
  const cell = NUMBERED_SIDE / labels.length;
  const left = MARGIN + 64;
  const right = left + NUMBERED_SIDE;
  const bottom = TOP + NUMBERED_SIDE;
  // Classes are counted from 1; the axis ends on a round number, which may lie outside.
  const x = linearAxis([0, labels.length], [left, right], { count: 8, wholeNumbers: true });
  const ticks = x.ticks.flatMap((tick) => {
    if (tick < 1 || tick > labels.length) return [];
    const at = (tick - 0.5) * cell;
    return (
      `<path d="M${pixel(left + at)} ${bottom}v5M${left} ${pixel(TOP + at)}h-5" stroke="${INK}"/>` +
      `<text x="${pixel(left + at)}" y="${bottom + 20}" text-anchor="middle">${x.format(tick)}</text>` +
      `<text x="${left - 9}" y="${pixel(TOP + at + 4.5)}" text-anchor="end">${x.format(tick)}</text>`
    );
  });
  const number = (label: string | null) => labels.indexOf(label) + 1;
  const lines = pairs.slice(0, MAX_PAIRS).map(({ expected, predicted, count }) => {
    const [from, to] = [expected, predicted].map((label) => `${number(label)} ${shorten(labelName(label))}`);
    return `${from} → ${to}: ${count}`;
  });
  const named = ["Confused most", ...lines].map((line, i) => {
    const weight = i === 0 ? ` font-weight="600"` : "";
    return `<text x="${right + 28}" y="${TOP + 8 + 32 * i}"${weight}>${escapeText(line)}</text>`;
  });
  const width = right + 28 + LETTER * Math.max(...lines.map((line) => line.length)) + MARGIN;
  return frame(title, lines.length > 0 ? width : right + MARGIN, bottom + 52, left, NUMBERED_SIDE, [
    `<rect x="${left}" y="${TOP}" width="${NUMBERED_SIDE}" height="${NUMBERED_SIDE}" fill="none" stroke="${FAINT}"/>`,
    ...cellsOf(labels, confusion, left, cell, FAINTEST.numbered),
    `<g>${ticks.join("")}</g>`,
    lines.length > 0 ? `<g>${named.join("")}</g>` : "",
  ]);
}

function frame(title: string, width: number, height: number, left: number, side: number, parts: string[]): string {
  return svgOf(Math.ceil(width), Math.ceil(height), title, [
    `<text x="${MARGIN}" y="24" font-size="15" font-weight="600">${escapeText(title)}</text>`,
    legendOf(
      [
        { name: "right", colour: BLUE },
        { name: "wrong (share of the row)", colour: VERMILLION },
      ],
      MARGIN,
    ),
    ...parts,
    `<text x="${pixel(left + side / 2)}" y="${Math.ceil(height) - 10}" text-anchor="middle">answered</text>`,
    `<text transform="translate(18 ${pixel(TOP + side / 2)}) rotate(-90)" text-anchor="middle">labelled</text>`,
  ]);
}

/** A square for each cell that is not empty, with what it says for who points at it. */
function cellsOf(labels: Labels, confusion: number[][], left: number, cell: number, faintest: number): string[] {
  return confusion.flatMap((row, i) => {
    const texts = total(row);
    return row.flatMap((count, j) => {
      if (count === 0) return [];
      const strength = faintest + (1 - faintest) * (count / texts);
      const what = `${labelName(labels[i]!)} answered as ${labelName(labels[j]!)}: ${count} of ${texts}`;
      return (
        `<rect x="${pixel(left + j * cell)}" y="${pixel(TOP + i * cell)}" width="${pixel(cell)}" height="${pixel(cell)}" ` +
        `fill="${i === j ? BLUE : VERMILLION}" fill-opacity="${strength.toFixed(2)}"><title>${escapeText(what)}</title></rect>`
      );
    });
  });
}

function gridOf(classes: number, left: number, cell: number): string {
  const side = classes * cell;
  const lines = Array.from({ length: classes + 1 }, (_, i) => {
    const at = i * cell;
    return `M${left} ${pixel(TOP + at)}h${pixel(side)}M${pixel(left + at)} ${TOP}v${pixel(side)}`;
  });
  return `<path d="${lines.join("")}" fill="none" stroke="${FAINT}"/>`;
}

function countsOf(confusion: number[][], left: number, cell: number): string {
  const size = cell < 32 ? 10 : 12;
  const counts = confusion.flatMap((row, i) => {
    const texts = total(row);
    return row.flatMap((count, j) => {
      if (count === 0) return [];
      // White on what is dark.
      const colour = count / texts > 0.5 ? ` fill="#ffffff"` : "";
      return `<text x="${pixel(left + (j + 0.5) * cell)}" y="${pixel(TOP + (i + 0.5) * cell + 4)}"${colour}>${count}</text>`;
    });
  });
  return `<g font-size="${size}" text-anchor="middle">${counts.join("")}</g>`;
}

const total = (row: number[]) => row.reduce((sum, count) => sum + count, 0);
const shorten = (name: string) => (name.length <= NAME_LENGTH ? name : `${name.slice(0, NAME_LENGTH - 1)}…`);

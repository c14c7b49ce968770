/**
 * How time and memory grow with the sentence, the batch, the beam, d_model and the vocabulary, one at a time around the
 * shipped model's sizes, with random weights. An exponent of 1 is linear growth; the text under each table says which
 * part of the work explains another one, from counted multiply-adds.
 */
import { startChild } from "../child.ts";
import { digits, formatTable, type Spread, spreadOf } from "../figures.ts";
import type { GrowthCase, GrowthSample, methods as NodeMethods } from "./node.ts";

export interface GrowthPoint {
  value: number;
  ms: Spread;
  workingBytes: number;
  modelBytes: number;
  macs: Macs;
}

export interface GrowthAxis {
  axis: string;
  points: GrowthPoint[];
  /** log(time ratio) / log(value ratio) between the last two points. */
  timeExponent: number;
  /** The same of the counted multiply-adds. */
  macExponent: number;
  words: string;
}

/** Multiply-adds of a case, by what they grow with. */
interface Macs {
  /** Products of the layers: with tokens, and with d_model squared. */
  layers: number;
  /** The output projection: with the vocabulary. */
  vocabulary: number;
  /** Scores and weighted values: with tokens squared. */
  attention: number;
}

const BASE: GrowthCase = { model: {}, tokens: 20, batch: 1, beamSize: 1 };
const SIZES = { d_model: 128, n_enc_layers: 6, n_dec_layers: 2, vocab_size: 4000 };

const AXES: { axis: string; values: number[]; make(value: number): GrowthCase }[] = [
  { axis: "tokens of the sentence", values: [8, 16, 32, 64, 128], make: (tokens) => ({ ...BASE, tokens }) },
  { axis: "sentences of a batch", values: [1, 2, 4, 8, 16, 32, 64], make: (batch) => ({ ...BASE, batch }) },
  { axis: "beam", values: [1, 2, 4, 8], make: (beamSize) => ({ ...BASE, beamSize }) },
  {
    axis: "d_model (d_ff = 2 · d_model)",
    values: [64, 128, 256, 512],
    make: (d) => ({ ...BASE, model: { d_model: d, d_ff: 2 * d } }),
  },
  {
    axis: "vocabulary",
    values: [1000, 2000, 4000, 8000, 16_000, 32_000],
    make: (vocab_size) => ({ ...BASE, model: { vocab_size } }),
  },
];

export async function benchGrowth(options: { rounds: number; burstMs: number }): Promise<GrowthAxis[]> {
  const node = startChild<typeof NodeMethods>(new URL("node.ts", import.meta.url));
  try {
    const axes: GrowthAxis[] = [];
    for (const { axis, values, make } of AXES) {
      const samples = values.map(() => [] as GrowthSample[]);
      for (let round = -1; round < options.rounds; round++) {
        for (const [i, value] of values.entries()) {
          const sample = await node.measure(make(value), options.burstMs);
          if (round >= 0) samples[i]!.push(sample);
        }
      }
      const points = values.map((value, i) => {
        const { workingBytes, modelBytes } = samples[i]![0]!;
        return {
          value,
          ms: spreadOf(samples[i]!.map(({ ms }) => ms)),
          workingBytes,
          modelBytes,
          macs: countMacs(make(value)),
        };
      });
      axes.push(describeGrowth(axis, points));
      await node.forget();
    }
    return axes;
  } finally {
    await node.close();
  }
}

/** @returns multiply-adds of translating a batch; attention is d_model for each score and for each weighted value */
export function countMacs({ model, tokens, batch, beamSize }: GrowthCase): Macs {
  const { d_model: d, n_enc_layers, n_dec_layers, vocab_size } = { ...SIZES, ...model };
  const d_ff = model.d_ff ?? 2 * d;
  const steps = batch * beamSize * tokens;
  const encoder = batch * tokens * (n_enc_layers * (4 * d * d + 2 * d * d_ff) + n_dec_layers * 2 * d * d);
  const decoder = steps * n_dec_layers * (6 * d * d + 2 * d * d_ff);
  const encoderScores = batch * n_enc_layers * tokens * tokens;
  const decoderScores = steps * n_dec_layers * (tokens + (tokens + 1) / 2);
  return {
    layers: encoder + decoder,
    vocabulary: steps * vocab_size * d,
    attention: 2 * d * (encoderScores + decoderScores),
  };
}

const total = ({ layers, vocabulary, attention }: Macs) => layers + vocabulary + attention;

export function describeGrowth(axis: string, points: GrowthPoint[]): GrowthAxis {
  const [before, last] = points.slice(-2) as [GrowthPoint, GrowthPoint];
  const steps = Math.log(last.value / before.value);
  const timeExponent = Math.log(last.ms.median / before.ms.median) / steps;
  const macExponent = Math.log(total(last.macs) / total(before.macs)) / steps;
  const words = growthWords(axis, points, timeExponent, macExponent);
  return { axis, points, timeExponent, macExponent, words };
}

/** Within it, growth is called linear. */
const LINEAR = 0.12;

function growthWords(axis: string, points: GrowthPoint[], timeExponent: number, macExponent: number): string {
  const last = points.at(-1)!;
  const share = (key: keyof Macs) => `${Math.round((100 * last.macs[key]) / total(last.macs))} %`;
  const kind =
    Math.abs(timeExponent - 1) <= LINEAR ? "linear" : timeExponent > 1 ? "faster than linear" : "slower than linear";
  const found = `Over the last doubling time grows with exponent ${timeExponent.toFixed(2)} (${kind}), counted work with ${macExponent.toFixed(2)}.`;
  const parts =
    `At ${last.value} the layers' products are ${share("layers")} of the multiply-adds (linear in tokens, quadratic in ` +
    `d_model), the output projection ${share("vocabulary")} (linear in vocabulary and d_model), attention ` +
    `${share("attention")} (quadratic in tokens, in f32).`;
  const gap = timeExponent - macExponent;
  if (Math.abs(gap) <= LINEAR) return `${found} ${parts}`;
  const rows = axis.startsWith("sentences") || axis.startsWith("beam");
  const why =
    gap < 0
      ? rows
        ? "Time grows less than work: more rows share each read of the weights."
        : "Time grows less than work: larger products and fewer calls for the same work run nearer to the peak."
      : rows
        ? "Time grows more than work: search and attention are done row by row."
        : "Time grows more than work: attention's f32 multiply-adds cost more than int8 ones, and larger weights leave the caches.";
  return `${found} ${parts} ${why}`;
}

export function formatGrowth(axes: GrowthAxis[]): string {
  return axes.map(formatAxis).join("\n\n");
}

function formatAxis({ axis, points, words }: GrowthAxis): string {
  const first = points[0]!;
  const head = [axis, "ms", "min…max", "× the first", "GMAC/s", "working MB", "model MB"];
  const table = formatTable(
    head,
    points.map(({ value, ms, workingBytes, modelBytes, macs }) => [
      String(value),
      digits(ms.median),
      `${digits(ms.min)}…${digits(ms.max)}`,
      digits(ms.median / first.ms.median),
      digits(total(macs) / 1e6 / ms.median),
      (workingBytes / 1e6).toFixed(2),
      (modelBytes / 1e6).toFixed(2),
    ]),
  );
  return `${table}\n${words}`;
}

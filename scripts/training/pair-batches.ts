/** Pairs of texts → packed batches of embedding, as `EmbeddingBatch` names the arrays. */
import type { EmbeddingConfig } from "../../worker/model/config.ts";
import { epochRows, type HostBatch, hostArray, type Packing } from "./batches.ts";
import { hash32, shuffle, uniformStream } from "./random.ts";
import { fillTokens, type TextShape } from "./text-batches.ts";

/** Token ids of two texts that mean the same, or belong together. */
export interface EmbeddingPair {
  first: number[];
  second: number[];
  /** Pairs of the same number are not held against each other. */
  group: number;
}

/** Both texts of a pair, each with its end token, are in one row. */
function pairPacking({ length, slots }: TextShape): Packing<EmbeddingPair> {
  return { cost: ({ first, second }) => [first.length + second.length + 2, 2], capacity: [length, slots] };
}

/** A pair cut to what a row holds: the second text first, for it is the longer one. */
export function cutPair(pair: EmbeddingPair, length: number): EmbeddingPair {
  const first = pair.first.slice(0, length / 2 - 2);
  return { ...pair, first, second: pair.second.slice(0, length - first.length - 2) };
}

/**
 * All batches of an epoch, in groups of `count`, one per replica. A batch's pairs are of one source: texts of another
 * kind would be told apart too easily. The sources take turns at random.
 */
export function* pairBatches(
  sources: EmbeddingPair[][],
  shape: TextShape,
  config: EmbeddingConfig,
  seed: number,
  count: number,
): Generator<HostBatch[]> {
  const packing = pairPacking(shape);
  const groups = sources.flatMap((pairs, source) => [
    ...epochRows(
      pairs.map((pair) => cutPair(pair, shape.length)),
      packing,
      { rows: shape.rows, count, seed: hash32(seed, source) },
    ),
  ]);
  for (const group of shuffle(groups, uniformStream(seed))) yield group.map((rows) => pairBatch(rows, shape, config));
}

function pairBatch(rows: EmbeddingPair[][], shape: TextShape, config: EmbeddingConfig): HostBatch {
  const texts = rows.map((row) => row.flatMap(({ first, second }) => [{ tokens: first }, { tokens: second }]));
  const { arrays, tokens } = fillTokens(texts, shape, config);
  const capacity = shape.rows * Math.floor(shape.slots / 2);
  const [first, second, group] = [hostArray([capacity], -1), hostArray([capacity], -1), hostArray([capacity], -1)];
  let pair = 0;
  rows.forEach((row, r) => {
    for (const [i, item] of row.entries()) {
      first.data[pair] = r * shape.slots + 2 * i;
      second.data[pair] = r * shape.slots + 2 * i + 1;
      group.data[pair] = item.group;
      pair++;
    }
  });
  return { arrays: { ...arrays, first, second, group }, count: 2 * pair, tokens };
}

/** Sentence pairs → packed batches of translation. */
import type { TranslationConfig } from "../../worker/model/config.ts";
import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import { CORPUS_WORDS, cacheWords } from "../../worker/model/word-cache.ts";
import type { SentencePair } from "../data/multi30k.ts";
import { epochRows, fits, type HostBatch, hostArray, type Packing, packRows } from "./batches.ts";

/** Token ids without specials. */
export interface TokenPair {
  source: number[];
  target: number[];
}

/** Rows of a batch, and tokens of a row on each side. */
export interface PairShape {
  rows: number;
  sourceLength: number;
  targetLength: number;
}

/** A pair takes its tokens and an eos (bos on the other side of the decoder). */
export function pairPacking({ sourceLength, targetLength }: PairShape): Packing<TokenPair> {
  return {
    cost: ({ source, target }) => [source.length + 1, target.length + 1],
    capacity: [sourceLength, targetLength],
  };
}

/** All batches of an epoch, in groups of `count`, one per replica. */
export function* translationBatches(
  pairs: TokenPair[],
  shape: PairShape,
  config: TranslationConfig,
  seed: number,
  count: number,
): Generator<HostBatch[]> {
  for (const group of epochRows(pairs, pairPacking(shape), { rows: shape.rows, count, seed })) {
    yield group.map((rows) => fillBatch(rows, shape, config));
  }
}

/** Writes rows into the arrays of one batch, as `TranslationBatch` names them; rows that are missing stay padding. */
function fillBatch(rows: TokenPair[][], shape: PairShape, config: TranslationConfig): HostBatch {
  const sourceShape = [shape.rows, shape.sourceLength];
  const targetShape = [shape.rows, shape.targetLength];
  const source = hostArray(sourceShape, config.pad_token_id);
  const sourceSegment = hostArray(sourceShape);
  const sourcePosition = hostArray(sourceShape);
  const target = hostArray(targetShape, config.pad_token_id);
  const label = hostArray(targetShape, config.pad_token_id);
  const targetSegment = hostArray(targetShape);
  const targetPosition = hostArray(targetShape);
  let count = 0;
  rows.forEach((row, r) => {
    let s = r * shape.sourceLength;
    let t = r * shape.targetLength;
    row.forEach((pair, p) => {
      for (let i = 0; i <= pair.source.length; i++, s++) {
        source.data[s] = pair.source[i] ?? config.eos_token_id;
        sourceSegment.data[s] = p + 1;
        sourcePosition.data[s] = i;
      }
      for (let i = 0; i <= pair.target.length; i++, t++) {
        target.data[t] = i === 0 ? config.bos_token_id : pair.target[i - 1]!;
        label.data[t] = pair.target[i] ?? config.eos_token_id;
        targetSegment.data[t] = p + 1;
        targetPosition.data[t] = i;
      }
      count += pair.target.length + 1;
    });
  });
  const arrays = { source, sourceSegment, sourcePosition, target, label, targetSegment, targetPosition };
  return { arrays, count, tokens: count };
}

/** Encodes pairs; those longer than a row are left out and counted. */
export function encodePairs(pairs: SentencePair[], tokenizer: Tokenizer, shape: PairShape) {
  const encode = cacheWords(tokenizer.encode, CORPUS_WORDS);
  const encoded: TokenPair[] = pairs.map(({ source, target }) => ({ source: encode(source), target: encode(target) }));
  const packing = pairPacking(shape);
  const kept = encoded.filter((pair) => fits(pair, packing));
  return { pairs: kept, leftOut: encoded.length - kept.length };
}

/** How many groups an epoch has, and which share of the target positions is real. */
export function packingFigures(pairs: TokenPair[], shape: PairShape, count: number) {
  const rows = packRows(pairs, pairPacking(shape));
  const tokens = pairs.reduce((sum, pair) => sum + pair.target.length + 1, 0);
  return {
    groups: Math.ceil(rows.length / (shape.rows * count)),
    realShare: tokens / (rows.length * shape.targetLength),
    tokens,
  };
}

/** Readings with their right spans → packed batches of question answering. */
import type { QuestionAnsweringConfig } from "../../worker/model/config.ts";
import type { Reading } from "../../worker/model/reading.ts";
import { epochRows, type HostBatch, hostArray, type Packing } from "./batches.ts";
import type { TextShape } from "./text-batches.ts";

/** In place of the index of a word: of a token that begins or ends none, and of the separator. */
export const NO_WORD = -1;
export const SEPARATOR = -2;
/** Right spans that a batch has room for; nobody marks more. */
export const MAX_GOLDS = 8;
/** Features of a token, at most. */
const MAX_FEATURES = 4;

/** A reading, and which spans of its words answer the question: none if it does not. */
export interface SpanExample extends Reading {
  /** First and last word of the window, each once. */
  golds: [first: number, last: number][];
}

export function spanPacking({ length, slots }: TextShape): Packing<SpanExample> {
  return { cost: ({ tokens }) => [tokens.length, 1], capacity: [length, slots] };
}

/** All batches of an epoch, in groups of `count`, one per replica, as `SpanBatch` names the arrays. */
export function* spanBatches(
  examples: SpanExample[],
  shape: TextShape,
  config: QuestionAnsweringConfig,
  seed: number,
  count: number,
): Generator<HostBatch[]> {
  for (const group of epochRows(examples, spanPacking(shape), { rows: shape.rows, count, seed })) {
    yield group.map((rows) => spanBatch(rows, shape, config));
  }
}

function spanBatch(
  rows: SpanExample[][],
  { rows: b, length, slots }: TextShape,
  { pad_token_id }: QuestionAnsweringConfig,
): HostBatch {
  const source = hostArray([b, length], pad_token_id);
  const sourceSegment = hostArray([b, length]);
  const sourcePosition = hostArray([b, length]);
  const feature = hostArray([b, length, MAX_FEATURES], -1);
  const startWord = hostArray([b, length], NO_WORD);
  const endWord = hostArray([b, length], NO_WORD);
  const gold = hostArray([b, slots, MAX_GOLDS, 2], -1);
  let tokens = 0;
  rows.forEach((row, r) => {
    let column = 0;
    row.forEach((example, slot) => {
      const at = r * length + column;
      example.tokens.forEach((token, i) => {
        source.data[at + i] = token;
        sourceSegment.data[at + i] = slot + 1;
        sourcePosition.data[at + i] = i;
        feature.data.set(example.features[i]!, (at + i) * MAX_FEATURES);
      });
      startWord.data[at + example.separator] = SEPARATOR;
      endWord.data[at + example.separator] = SEPARATOR;
      example.starts.forEach((start, word) => {
        startWord.data[at + start] = word;
        endWord.data[at + example.ends[word]!] = word;
      });
      rightTokens(example).forEach(([first, last], g) => {
        gold.data.set([column + first, column + last], 2 * ((r * slots + slot) * MAX_GOLDS + g));
      });
      column += example.tokens.length;
      tokens += example.tokens.length;
    });
  });
  const count = rows.reduce((sum, row) => sum + row.length, 0);
  return { arrays: { source, sourceSegment, sourcePosition, feature, startWord, endWord, gold }, count, tokens };
}

/** First and last token of each right span; the separator's if there is none. */
function rightTokens({ golds, starts, ends, separator }: SpanExample): [number, number][] {
  if (golds.length === 0) return [[separator, separator]];
  return golds.slice(0, MAX_GOLDS).map(([first, last]) => [starts[first]!, ends[last]!]);
}

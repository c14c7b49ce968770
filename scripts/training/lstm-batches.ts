/**
 * Texts → batches of one text a row for a network that reads token by token. Texts of like length share a batch, which
 * is as long as their bucket: few lengths, as each is compiled anew.
 */
import type { ClassificationConfig } from "../../worker/model/config.ts";
import { type HostBatch, hostArray } from "./batches.ts";
import { labelOffsets } from "./classification.ts";
import { shuffle, uniformStream } from "./random.ts";
import { dropTokens, type LabelledTokens, type TextBatchOptions, type TextShape } from "./text-batches.ts";

const BUCKET_LENGTH = 16;

/** Lengths of batches: 16 tokens, 32 and so on up to the length of a row. */
function bucketLengths(length: number): number[] {
  const lengths = [];
  for (let bucket = BUCKET_LENGTH; bucket < length; bucket += BUCKET_LENGTH) lengths.push(bucket);
  return [...lengths, length];
}

/** Index of the shortest bucket that a text and its end token fit into. */
function bucketOf({ tokens }: { tokens: number[] }, buckets: number[]): number {
  const index = buckets.findIndex((length) => tokens.length < length);
  if (index < 0) throw new RangeError(`bucketOf: expected fewer than ${buckets.at(-1)} tokens, got ${tokens.length}`);
  return index;
}

/** Groups that `lstmBatches` makes of texts. */
export function lstmSteps(texts: { tokens: number[] }[], { rows, length }: TextShape, count: number): number {
  const buckets = bucketLengths(length);
  const sizes = buckets.map(() => 0);
  for (const text of texts) sizes[bucketOf(text, buckets)]!++;
  return sizes.reduce((sum, size) => sum + Math.ceil(size / (rows * count)), 0);
}

/**
 * All batches of an epoch, in groups of `count`, one per replica, as `LstmBatch` names the arrays. The texts are in a new
 * random order, and buckets take turns as they fill; the last group of each has shorter batches, or empty ones.
 * @throws RangeError if a text is longer than a row
 */
export function* lstmBatches(
  texts: LabelledTokens[],
  shape: TextShape,
  config: ClassificationConfig,
  seed: number,
  count: number,
  { tokenDropout = 0 }: Pick<TextBatchOptions, "tokenDropout"> = {},
): Generator<HostBatch[]> {
  const { offsets } = labelOffsets(config);
  const lengths = bucketLengths(shape.length);
  const open: LabelledTokens[][] = lengths.map(() => []);
  const group = (bucket: number): HostBatch[] => {
    const full = open[bucket]!.splice(0);
    // Dealt like cards, so that the texts of a short last group are spread over the replicas.
    return Array.from({ length: count }, (_, r) =>
      fillBatch(
        full.filter((_text, i) => i % count === r),
        shape.rows,
        lengths[bucket]!,
        config,
        offsets,
      ),
    );
  };
  for (const text of shuffle(dropTokens(texts, seed, tokenDropout).slice(), uniformStream(seed))) {
    const bucket = bucketOf(text, lengths);
    open[bucket]!.push(text);
    if (open[bucket]!.length === shape.rows * count) yield group(bucket);
  }
  for (const bucket of lengths.keys()) if (open[bucket]!.length > 0) yield group(bucket);
}

function fillBatch(
  texts: LabelledTokens[],
  rows: number,
  length: number,
  config: ClassificationConfig,
  offsets: number[],
): HostBatch {
  const columns = tokenColumns(
    texts.map(({ tokens }) => tokens),
    rows,
    length,
    config,
  );
  const label = hostArray([rows, 1], -1);
  const head = hostArray([rows, 1], -1);
  for (const [row, text] of texts.entries()) {
    head.data[row] = text.head;
    label.data[row] = offsets[text.head]! + text.label;
  }
  const tokens = columns.length.data.reduce((sum, count) => sum + count, 0);
  return { arrays: { ...columns, label, head }, count: texts.length, tokens };
}

/** The arrays `source` and `length` of an `LstmBatch`. Rows that are missing have length 0. */
export function tokenColumns(
  texts: number[][],
  rows: number,
  length: number,
  { pad_token_id, eos_token_id }: Pick<ClassificationConfig, "pad_token_id" | "eos_token_id">,
) {
  const columns = { source: hostArray([length, rows], pad_token_id), length: hostArray([rows]) };
  for (const [row, tokens] of texts.entries()) {
    for (let t = 0; t <= tokens.length; t++) columns.source.data[t * rows + row] = tokens[t] ?? eos_token_id;
    columns.length.data[row] = tokens.length + 1;
  }
  return columns;
}

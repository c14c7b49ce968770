/** Texts → packed batches of classification and of pre-training with hidden tokens. */
import type { ClassificationConfig } from "../../worker/model/config.ts";
import { N_GRAMS_OF_TOKEN, type NGrams } from "../../worker/model/n-grams.ts";
import { epochRows, type HostBatch, hostArray, type Packing } from "./batches.ts";
import { labelOffsets } from "./classification.ts";
import { hash32, uniformStream } from "./random.ts";

/** A text with a label of one head: both by their index in the configuration. */
export interface LabelledTokens {
  tokens: number[];
  head: number;
  label: number;
}

/** Rows of a batch, tokens of a row, and how many texts a row has at most. */
export interface TextShape {
  rows: number;
  length: number;
  slots: number;
}

/** Texts end with an eos, as in the engine. */
export function textPacking<Text extends { tokens: number[] }>({ length, slots }: TextShape): Packing<Text> {
  return { cost: ({ tokens }) => [tokens.length + 1, 1], capacity: [length, slots] };
}

export interface TextBatchOptions {
  /** Probability that a token is left out (word dropout; Iyyer et al. 2015). Default: 0. */
  tokenDropout?: number;
  /** Those that the configuration says how many there are of. */
  nGrams?: NGrams | undefined;
  /** Probability that an n-gram's vector is left out, so that its tokens learn to do without. Default: 0. */
  nGramDropout?: number;
}

/** The texts as an epoch sees them. @param tokenDropout as of `TextBatchOptions` */
export function dropTokens(texts: LabelledTokens[], seed: number, tokenDropout: number): LabelledTokens[] {
  if (tokenDropout === 0) return texts;
  const uniform = uniformStream(hash32(seed, 1));
  return texts.map((text) => {
    const tokens = text.tokens.filter(() => uniform() >= tokenDropout);
    return tokens.length > 0 ? { ...text, tokens } : text;
  });
}

/** All batches of an epoch, in groups of `count`, one per replica, as `ClassificationBatch` names the arrays. */
export function* classificationBatches(
  texts: LabelledTokens[],
  shape: TextShape,
  config: ClassificationConfig,
  seed: number,
  count: number,
  { tokenDropout = 0, nGrams, nGramDropout = 0 }: TextBatchOptions = {},
): Generator<HostBatch[]> {
  const { offsets } = labelOffsets(config);
  const uniform = uniformStream(hash32(seed, 3));
  const isKept = () => uniform() >= nGramDropout;
  for (const group of epochRows(dropTokens(texts, seed, tokenDropout), textPacking<LabelledTokens>(shape), {
    rows: shape.rows,
    count,
    seed,
  })) {
    yield group.map((rows) => {
      const batch = fillTokens(rows, shape, config);
      const head = hostArray([shape.rows, shape.slots], -1);
      const label = hostArray([shape.rows, shape.slots], -1);
      rows.forEach((row, r) => {
        row.forEach((text, slot) => {
          head.data[r * shape.slots + slot] = text.head;
          label.data[r * shape.slots + slot] = offsets[text.head]! + text.label;
        });
      });
      const count = rows.reduce((sum, row) => sum + row.length, 0);
      const ofTokens = nGrams && fillNGrams(rows, shape, config, nGrams, isKept);
      return { arrays: { ...batch.arrays, head, label, ...ofTokens }, count, tokens: batch.tokens };
    });
  }
}

/** The rows of the table of n-grams that belong to each token, as `NGramBatch` has them; `isKept` is asked of each. */
export function fillNGrams(
  rows: { tokens: number[] }[][],
  shape: TextShape,
  { eos_token_id }: Pick<ClassificationConfig, "eos_token_id">,
  nGrams: NGrams,
  isKept: () => boolean = () => true,
) {
  const nGram = hostArray([shape.rows, shape.length, N_GRAMS_OF_TOKEN]);
  const nGramCount = hostArray([shape.rows, shape.length]);
  rows.forEach((row, r) => {
    let at = r * shape.length;
    for (const { tokens } of row) {
      for (const own of nGrams.rowsOf([...tokens, eos_token_id])) {
        const kept = own.filter(isKept);
        nGram.data.set(kept, N_GRAMS_OF_TOKEN * at);
        nGramCount.data[at++] = kept.length;
      }
    }
  });
  return { nGram, nGramCount };
}

/**
 * All batches of an epoch with 15 % of the tokens chosen to be named: of these 80 % are hidden behind the padding
 * token, 10 % are another token, 10 % stay as they are (Devlin et al. 2019). As `MaskedTokensBatch` names the arrays.
 */
export function* maskedBatches(
  texts: { tokens: number[] }[],
  shape: TextShape,
  config: ClassificationConfig,
  seed: number,
  count: number,
): Generator<HostBatch[]> {
  const uniform = uniformStream(hash32(seed, 2));
  const places = Math.floor(shape.rows * shape.length * MASKED_SHARE);
  for (const group of epochRows(texts, textPacking(shape), { rows: shape.rows, count, seed })) {
    yield group.map((rows) => {
      const { arrays, tokens } = fillTokens(rows, shape, config);
      const place = hostArray([places]);
      const label = hostArray([places], -1);
      let hidden = 0;
      const source = arrays.source.data;
      for (let i = 0; i < source.length && hidden < places; i++) {
        const isWord = arrays.sourceSegment.data[i]! > 0 && source[i] !== config.eos_token_id;
        if (!isWord || uniform() >= MASKED_SHARE) continue;
        place.data[hidden] = i;
        label.data[hidden] = source[i]!;
        hidden++;
        const draw = uniform();
        if (draw < 0.8) source[i] = config.pad_token_id;
        else if (draw < 0.9) source[i] = Math.floor(uniform() * config.vocab_size);
      }
      return { arrays: { ...arrays, place, label }, count: hidden, tokens };
    });
  }
}

const MASKED_SHARE = 0.15;

/** Token ids, segments and positions; rows that are missing stay padding. */
export function fillTokens(
  rows: { tokens: number[] }[][],
  shape: TextShape,
  config: Pick<ClassificationConfig, "pad_token_id" | "eos_token_id">,
) {
  const source = hostArray([shape.rows, shape.length], config.pad_token_id);
  const sourceSegment = hostArray([shape.rows, shape.length]);
  const sourcePosition = hostArray([shape.rows, shape.length]);
  let total = 0;
  rows.forEach((row, r) => {
    let at = r * shape.length;
    row.forEach(({ tokens }, slot) => {
      for (let i = 0; i <= tokens.length; i++, at++) {
        source.data[at] = tokens[i] ?? config.eos_token_id;
        sourceSegment.data[at] = slot + 1;
        sourcePosition.data[at] = i;
      }
      total += tokens.length + 1;
    });
  });
  return { arrays: { source, sourceSegment, sourcePosition }, tokens: total };
}

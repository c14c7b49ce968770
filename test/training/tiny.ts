/** A network small enough to train in a test, and what surrounds it. */

import { multi30kEnDe } from "../../scripts/recipes/multi30k-en-de.ts";
import type { TranslationRecipe } from "../../scripts/recipes/recipe.ts";
import type { EmbeddingPair } from "../../scripts/training/pair-batches.ts";
import { uniformStream } from "../../scripts/training/random.ts";
import type { SpanExample } from "../../scripts/training/span-batches.ts";
import type { LabelledTokens } from "../../scripts/training/text-batches.ts";
import type { TokenPair } from "../../scripts/training/translation-batches.ts";
import type {
  EmbeddingConfig,
  EncoderClassificationConfig,
  LstmClassificationConfig,
  QuestionAnsweringConfig,
  RecommendationConfig,
  TranslationConfig,
} from "../../worker/model/config.ts";
import { MAX_N_GRAM } from "../../worker/model/n-grams.ts";

export const TINY: TranslationConfig = {
  ...multi30kEnDe.config,
  d_model: 32,
  d_ff: 64,
  n_heads: 2,
  n_enc_layers: 1,
  n_dec_layers: 1,
  vocab_size: 20,
  max_seq_len: 32,
  card: { ...multi30kEnDe.config.card, quality: {} },
};

export const TINY_RECIPE: TranslationRecipe = {
  ...multi30kEnDe,
  config: TINY,
  training: { ...multi30kEnDe.training, epochs: 2, warmupSteps: 4, seed: 7, dropout: 0.1 },
};

export const TINY_CLASSIFIER: EncoderClassificationConfig = {
  model_type: "edge-slm-encoder",
  task: "classification",
  d_model: 32,
  d_ff: 64,
  n_heads: 2,
  n_enc_layers: 1,
  vocab_size: 20,
  max_seq_len: 32,
  activation: "gelu",
  layer_norm_eps: 1e-5,
  pad_token_id: 0,
  bos_token_id: 1,
  eos_token_id: 2,
  source_languages: ["en"],
  source_scripts: ["Latin"],
  heads: [
    { name: "size", labels: ["short", "long"], temperature: 1, out_of_scope: null },
    { name: "first", labels: ["low", "middle", "high"], temperature: 1, out_of_scope: null },
  ],
  card: { description: "", licence: "", training_data: [], quality: {} },
};

/** Pairs and triples that `countedTexts` now and then have, in place of the configuration's random ones. */
export const TINY_N_GRAMS = Int32Array.of(-1, 9, 2, -1, 5, 4, -1, 4, 5, 3, 4, 5, -1, 6, 6, 12, 13, 14);
export const TINY_N_GRAM_CLASSIFIER: EncoderClassificationConfig = {
  ...TINY_CLASSIFIER,
  n_grams: TINY_N_GRAMS.length / MAX_N_GRAM,
};

export const TINY_RECOMMENDER: RecommendationConfig = {
  model_type: "edge-slm-recommender",
  task: "recommendation",
  d_model: 32,
  d_ff: 64,
  n_heads: 2,
  n_enc_layers: 2,
  vocab_size: 30,
  max_seq_len: 10,
  activation: "gelu",
  layer_norm_eps: 1e-5,
  most_popular: [],
  card: { description: "", licence: "", training_data: [], quality: {} },
};

const { d_ff: _, n_heads: _n, activation: _a, layer_norm_eps: _l, ...shared } = TINY_CLASSIFIER;

export const TINY_LSTM: LstmClassificationConfig = {
  ...shared,
  model_type: "edge-slm-lstm",
  d_embedding: 16,
  n_enc_layers: 1,
  n_dec_layers: 1,
};

const { heads: _h, ...encoder } = TINY_CLASSIFIER;

export const TINY_EMBEDDER: EmbeddingConfig = { ...encoder, task: "embedding" };

/** Pairs of texts with the same first token, which is their group; the other tokens are random. */
export function numberedPairs(count: number, seed: number, groups = 5): EmbeddingPair[] {
  const uniform = uniformStream(seed);
  const text = (group: number) => [
    3 + group,
    ...Array.from({ length: Math.floor(4 * uniform()) }, () => 3 + groups + Math.floor(uniform() * (17 - groups))),
  ];
  return Array.from({ length: count }, () => {
    const group = Math.floor(uniform() * groups);
    return { first: text(group), second: text(group), group };
  });
}

export const TINY_READER: QuestionAnsweringConfig = {
  ...encoder,
  task: "question-answering",
  max_question_tokens: 8,
  max_answer_words: 3,
  temperature: 1,
  no_answer_below: 0.1,
};

/**
 * Questions of one token, which stands in the context of several words; the answer is the word behind it, or none where it
 * does not stand there. A word has one token or two.
 */
export function soughtWords(count: number, seed: number): SpanExample[] {
  const uniform = uniformStream(seed);
  const draw = (below: number) => Math.floor(uniform() * below);
  return Array.from({ length: count }, () => {
    const asked = 3 + draw(8);
    const isThere = uniform() < 0.75;
    const words = Array.from({ length: 3 + draw(5) }, () => Array.from({ length: 1 + draw(2) }, () => 11 + draw(9)));
    const place = draw(words.length - 1);
    if (isThere) words[place] = [asked];
    const tokens = [asked, 2];
    const features = [[1], [0]];
    const [starts, ends]: [number[], number[]] = [[], []];
    words.forEach((word, i) => {
      starts.push(tokens.length);
      tokens.push(...word);
      ends.push(tokens.length - 1);
      features.push(...word.map(() => [isThere && i === place ? 6 : 4, 8 + (i % 8)]));
    });
    tokens.push(2);
    features.push([0]);
    const golds: [number, number][] = isThere ? [[place + 1, place + 1]] : [];
    return { tokens, features, separator: 1, starts, ends, firstWord: 0, golds };
  });
}

/** Texts of random tokens; the first head tells whether there are more than three, the second what the first of them is. */
export function countedTexts(count: number, seed: number, maxLength = 6): LabelledTokens[] {
  const uniform = uniformStream(seed);
  return Array.from({ length: count }, (_, i) => {
    const length = 1 + Math.floor(uniform() * maxLength);
    const tokens = Array.from({ length }, () => 3 + Math.floor(uniform() * 15));
    const head = i % 2;
    return { tokens, head, label: head === 0 ? Number(length > 3) : Math.floor((tokens[0]! - 3) / 5) };
  });
}

/** Pairs to learn: the target is the source backwards. */
export function reversals(count: number, seed: number, maxLength = 6): TokenPair[] {
  const uniform = uniformStream(seed);
  return Array.from({ length: count }, () => {
    const length = 1 + Math.floor(uniform() * maxLength);
    const source = Array.from({ length }, () => 3 + Math.floor(uniform() * (TINY.vocab_size - 3)));
    return { source, target: [...source].reverse() };
  });
}

/** Histories to learn: of ten items in a circle the next is three further, and now and then any of the others comes between. */
export function circles(count: number, seed: number): number[][] {
  const uniform = uniformStream(seed);
  return Array.from({ length: count }, () => {
    const length = 3 + Math.floor(uniform() * 8);
    let last = Math.floor(uniform() * 10);
    return Array.from({ length }, () => {
      if (uniform() < 0.1) return 10 + Math.floor(uniform() * (TINY_RECOMMENDER.vocab_size - 10));
      last = (last + 3) % 10;
      return last;
    });
  });
}

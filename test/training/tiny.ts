/** A network small enough to train in a test, and what surrounds it. */

import { multi30kEnDe } from "../../scripts/recipes/multi30k-en-de.ts";
import type { TranslationRecipe } from "../../scripts/recipes/recipe.ts";
import { uniformStream } from "../../scripts/training/random.ts";
import type { TokenPair } from "../../scripts/training/translation-batches.ts";
import type { ModelConfig } from "../../worker/model/config.ts";

export const TINY: ModelConfig = {
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

/** Pairs to learn: the target is the source backwards. */
export function reversals(count: number, seed: number, maxLength = 6): TokenPair[] {
  const uniform = uniformStream(seed);
  return Array.from({ length: count }, () => {
    const length = 1 + Math.floor(uniform() * maxLength);
    const source = Array.from({ length }, () => 3 + Math.floor(uniform() * (TINY.vocab_size - 3)));
    return { source, target: [...source].reverse() };
  });
}

/**
 * Multi30k captions, English to German. The size of Wu et al. 2021's Transformer-tiny (d_model 128, d_ff 256, 4
 * heads, 8 layers in all), with six encoder and two decoder layers instead of four and four: the encoder runs once
 * a sentence and the decoder once a token (Kasai et al. 2021, arXiv:2006.10369).
 */
import { loadMulti30k, MULTI30K_CARD, type Multi30kSplit } from "../data/multi30k.ts";
import type { TranslationRecipe } from "./recipe.ts";

export const multi30kEnDe: TranslationRecipe = {
  kind: "translation",
  id: "multi30k-en-de",
  config: {
    model_type: "edge-slm-seq2seq",
    task: "translation",
    d_model: 128,
    d_ff: 256,
    n_heads: 4,
    n_enc_layers: 6,
    n_dec_layers: 2,
    vocab_size: 4000,
    max_seq_len: 256,
    activation: "relu",
    layer_norm_eps: 1e-5,
    pad_token_id: 0,
    bos_token_id: 1,
    eos_token_id: 2,
    source_languages: ["en"],
    target_languages: ["de"],
    source_scripts: ["Latin"],
    // Chosen on dev: 1.4 out of 0.6, 1, 1.2, 1.4, 1.6, 2 with a beam of 5.
    generation: { beam_size: 5, length_penalty: 1.4, max_length_ratio: 2, max_length_bias: 16 },
    card: {
      description: "English to German, trained on image captions only: good at sentences that describe a scene.",
      licence: MULTI30K_CARD.licence,
      training_data: [{ name: MULTI30K_CARD.name, licence: MULTI30K_CARD.licence, rows: 29_000 }],
    },
  },
  splits: ["train", "dev", "test2016", "test2017"],
  loadSplit: (split, options) => loadMulti30k((split === "dev" ? "val" : split) as Multi30kSplit, options),
  rowLength: 48,
  training: {
    epochs: 14,
    rowsPerStep: { cpu: 64, webgpu: 256 },
    peakLearningRate: 3e-3,
    warmupSteps: 250,
    decayShare: 0.3,
    dropout: 0.2,
    labelSmoothing: 0.1,
    weightDecay: 0.05,
    evaluateEvery: 1,
    seed: 1,
  },
};

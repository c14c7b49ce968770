/** Where the weights of a model lie in wasm memory, in the shape of the network. */
import type { NGrams } from "../model/n-grams.ts";
import type { Address, Linear, Norm } from "./runtime.ts";
import type { ShortlistAddresses } from "./shortlist.ts";

export interface SelfAttentionWeights {
  norm: Norm;
  /** [3 · d_model, d_model]: query, key, value */
  qkv: Linear;
  /** [d_model, d_model] */
  out: Linear;
}

export interface CrossAttentionWeights {
  norm: Norm;
  /** [d_model, d_model] */
  q: Linear;
  /** [2 · d_model, d_model]: key, value, applied to the encoder's output */
  kv: Linear;
  /** [d_model, d_model] */
  out: Linear;
}

export interface FeedForwardWeights {
  norm: Norm;
  /** [d_ff, d_model] */
  up: Linear;
  /** [d_model, d_ff] */
  down: Linear;
}

export interface EncoderLayerWeights {
  self: SelfAttentionWeights;
  feedForward: FeedForwardWeights;
}

export interface EncoderWeights {
  layers: EncoderLayerWeights[];
  norm: Norm;
}

/** What every transformer has. */
export interface CommonWeights {
  /** [vocab_size, d_model], in translation also the output projection */
  embedding: Linear;
  /** [max_seq_len, d_model] f32 */
  positions: Address;
  encoder: EncoderWeights;
}

/** The n-grams of a model, and their vectors. */
export interface NGramWeights {
  known: NGrams;
  /** [n_grams, d_model], added to the vectors of tokens and, like them, times √d_model */
  table: Linear;
}

/** What a text's vector comes from. */
export interface MeanEncoderWeights extends CommonWeights {
  nGrams?: NGramWeights | undefined;
}

export interface TranslationWeights extends CommonWeights {
  decoder: (EncoderLayerWeights & { cross: CrossAttentionWeights })[];
  decoderNorm: Norm;
  shortlist: ShortlistAddresses | undefined;
}

export interface LstmCellWeights {
  /** [4 · d_model, d_embedding] */
  input: Linear;
  /** [4 · d_model, d_model], without a bias */
  recurrent: Linear;
}

export interface LstmWeights {
  /** [vocab_size, d_embedding] */
  embedding: Linear;
  encoder: LstmCellWeights;
  decoder: LstmCellWeights;
}

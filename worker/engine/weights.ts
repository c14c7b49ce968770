/** Where the weights of a model lie in wasm memory, in the shape of the network. */
import type { Address, Linear, Norm } from "./runtime.ts";

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

export interface Weights {
  /** [vocab_size, d_model], also the output projection */
  embedding: Linear;
  /** [max_seq_len, d_model] f32 */
  positions: Address;
  encoder: { self: SelfAttentionWeights; feedForward: FeedForwardWeights }[];
  encoderNorm: Norm;
  decoder: { self: SelfAttentionWeights; cross: CrossAttentionWeights; feedForward: FeedForwardWeights }[];
  decoderNorm: Norm;
}

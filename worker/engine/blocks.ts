/**
 * The blocks that encoder and decoder are made of, and the run state they work on: attention, feed-forward,
 * normalization (model/config.ts says which). Each block takes some rows of the run state and leaves its result there;
 * which rows they are, and what they attend to, is the caller's.
 *
 * Every call is synchronous and the run state holds nothing between two passes, so requests that take turns share it.
 */
import { type EncoderConfig, headSize } from "../model/config.ts";
import { roundUp } from "../model/format.ts";
import {
  type Address,
  attentionScores,
  type Linear,
  type Norm,
  type Runtime,
  selfAttentionScratch,
} from "./runtime.ts";
import type { FeedForwardWeights, SelfAttentionWeights } from "./weights.ts";

export const F32 = 4;

/** Working buffers for up to `rows` rows. */
export interface RunState {
  rows: number;
  buffer: Address;
  /** [rows, d_model] f32: the residual stream */
  x: Address;
  /** [rows, d_model] f32: normalized x, then the output of attention */
  h: Address;
  /** [rows, max(d_model, d_ff)] u8: quantized operand of the next product */
  q: Address;
  /** [rows] (f32 scale, i32 zero_point) */
  params: Address;
  /** [rows, max(3 · d_model, d_ff)] f32: query, key and value, or the inside of the feed-forward block */
  wide: Address;
  /** What either attention needs at max_seq_len. */
  scores: Address;
}

export class Blocks {
  readonly #config: EncoderConfig;
  readonly #runtime: Runtime;
  readonly #embedding: Linear;
  readonly #positions: Address;
  #state: RunState | undefined;

  /**
   * @param embedding [vocab_size, d_model]
   * @param positions [max_seq_len, d_model] f32
   */
  constructor(config: EncoderConfig, runtime: Runtime, embedding: Linear, positions: Address) {
    this.#config = config;
    this.#runtime = runtime;
    this.#embedding = embedding;
    this.#positions = positions;
  }

  /** The run state, grown to `rows` rows. Its addresses are good until it grows again. */
  reserve(rows: number): RunState {
    if (this.#state && this.#state.rows >= rows) return this.#state;
    if (this.#state) this.#runtime.free(this.#state.buffer);
    this.#state = undefined;
    const { d_model, d_ff, n_heads, max_seq_len } = this.#config;
    const dHead = headSize(this.#config);
    const sizes = {
      x: rows * d_model * F32,
      h: rows * d_model * F32,
      q: rows * Math.max(d_model, d_ff),
      params: rows * 8,
      wide: rows * Math.max(3 * d_model, d_ff) * F32,
      scores: F32 * Math.max(attentionScores(n_heads, max_seq_len), selfAttentionScratch(dHead, max_seq_len)),
    };
    const buffer = this.#runtime.allocate(Object.values(sizes).reduce((sum, bytes) => sum + roundUp(bytes, 16), 0));
    let next = buffer;
    const place = (bytes: number) => {
      const address = next;
      next += roundUp(bytes, 16);
      return address;
    };
    this.#state = {
      rows,
      buffer,
      x: place(sizes.x),
      h: place(sizes.h),
      q: place(sizes.q),
      params: place(sizes.params),
      wide: place(sizes.wide),
      scores: place(sizes.scores),
    };
    return this.#state;
  }

  /** x = embedding[token] · sqrt(d_model) + positions[position], one row. */
  embed(token: number, position: number, x: Address): void {
    const { d_model } = this.#config;
    this.#runtime.embed(this.#embedding, token, Math.sqrt(d_model), this.#positions + position * d_model * F32, x);
  }

  /** x += table[row] · factor, one row. */
  addFeature(table: Linear, row: number, factor: number, x: Address): void {
    this.#runtime.embed(table, row, factor, x, x);
  }

  /** h = LN(x) */
  normalize(norm: Norm, rows: number, { x, h }: RunState): void {
    const { d_model, layer_norm_eps } = this.#config;
    this.#runtime.layerNorm(norm, rows, d_model, layer_norm_eps, x, h);
  }

  /** q = quantized h */
  quantize(rows: number, { h, q, params }: RunState): void {
    this.#runtime.quantize(rows, this.#config.d_model, h, q, params);
  }

  /** wide [rows, 3 · d_model] = query, key, value of LN(x). */
  projectQkv({ norm, qkv }: SelfAttentionWeights, rows: number, state: RunState): void {
    this.normalize(norm, rows, state);
    this.quantize(rows, state);
    this.#runtime.product(qkv, rows, state.q, state.params, state.wide);
  }

  /**
   * Rows `first` and on of h = attention of their queries to t other rows, whose key is at keyOffset and whose value
   * follows it.
   * @param count how many rows
   * @param queryStride bytes from a row of `wide`, which begins with the query, to the next
   * @param rows [t] i32, addresses of the other rows
   */
  attend(
    first: number,
    count: number,
    queryStride: number,
    rows: Address,
    t: number,
    keyOffset: number,
    { wide, scores, h }: RunState,
  ): void {
    const { n_heads, d_model } = this.#config;
    const dHead = headSize(this.#config);
    const query = wide + first * queryStride;
    const out = h + first * d_model * F32;
    const valueOffset = keyOffset + d_model * F32;
    const runtime = this.#runtime;
    runtime.attention(count, n_heads, dHead, query, queryStride, rows, t, keyOffset, valueOffset, scores, out);
  }

  /** What the last row that `attend` took, alone, gave each of the t others: [t], mean over heads. */
  attentionWeights(t: number): Float32Array {
    return this.#runtime.attentionWeights(this.#config.n_heads, t, this.#state!.scores);
  }

  /** Rows `first` and on of h = attention of a text's `count` rows of `wide`, query, key and value each, to all of them. */
  attendToSelf(first: number, count: number, { wide, scores, h }: RunState): void {
    const { n_heads, d_model } = this.#config;
    const rowBytes = d_model * F32;
    const [x, out] = [wide + first * 3 * rowBytes, h + first * rowBytes];
    this.#runtime.selfAttention(count, n_heads, headSize(this.#config), x, scores, out);
  }

  /** x += out(h) */
  projectOut(out: Linear, rows: number, state: RunState): void {
    const { x, q, params } = state;
    this.quantize(rows, state);
    this.#runtime.product(out, rows, q, params, x, out.n * F32, x);
  }

  /** x += down(activation(up(LN(x)))) */
  feedForward({ norm, up, down }: FeedForwardWeights, rows: number, state: RunState): void {
    const { x, q, params, wide } = state;
    this.normalize(norm, rows, state);
    this.quantize(rows, state);
    this.#runtime.product(up, rows, q, params, wide);
    this.#runtime.quantize(rows, down.k, wide, q, params, this.#config.activation);
    this.#runtime.product(down, rows, q, params, x, down.n * F32, x);
  }
}

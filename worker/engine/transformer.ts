/**
 * The forward pass of the pre-norm encoder-decoder transformer (model/config.ts says which). Reads top to bottom:
 * run state, encoder, decoder step, and the three blocks they are made of.
 *
 * The encoder takes one source at a time, its T tokens are the rows of every product. A decoder step takes R rows, one
 * per live hypothesis of all sources, each at its own position with its own source: nothing is padded anywhere.
 * Every call is synchronous and leaves nothing behind in the run state, so requests that take turns between calls
 * share it; what a request keeps (its sources, its key/value cache) is its own.
 */
import { headSize, type ModelConfig } from "../model/config.ts";
import { roundUp } from "../model/format.ts";
import { KeyValueCache, type Prefix } from "./cache.ts";
import type { Address, Linear, Norm, Runtime } from "./runtime.ts";
import type { FeedForwardWeights, SelfAttentionWeights, Weights } from "./weights.ts";

const F32 = 4;
/**
 * What the products leave out of the work of a row, as multiply-adds that take as long at 30 · 10⁹ a second: per layer
 * (attention, norms, quantization, calls), measured on the tiny fixture, and per word of the vocabulary (log_probs).
 */
const ENCODER_LAYER_MACS = 45_000;
const DECODER_LAYER_MACS = 100_000;
const LOG_PROB_MACS = 45;

/** An encoded source: per token the cross-attention keys and values of all decoder layers, as cache rows. */
export interface Source {
  /** T, end token included */
  readonly length: number;
  /** [T] i32 */
  readonly rows: Address;
  /** [T, n_dec_layers, 2 (key, value), d_model] f32; begins the one buffer that also holds `rows` */
  readonly keyValues: Address;
}

/** One row of a decoder step: feed `prefix`, attend to `source`. */
export interface DecoderRow {
  readonly source: Source;
  readonly prefix: Prefix;
}

/** The k best next tokens of each row, best first: [R, k]. Overwritten by the next step of any request. */
export interface Candidates {
  k: number;
  tokens: Int32Array;
  logProbs: Float64Array;
}

/** Working buffers for up to `rows` rows. */
interface RunState {
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
  /** [max_seq_len] f32 */
  scores: Address;
  /** [rows, max_seq_len] i32: addresses of cache rows */
  tables: Address;
}

export class Transformer {
  readonly config: ModelConfig;
  readonly #runtime: Runtime;
  readonly #weights: Weights;
  /** Bytes of a cache row, [n_dec_layers, 2, d_model] f32. */
  readonly #rowBytes: number;
  #state: RunState | undefined;
  /** [R, N] f32 of the last step, N = vocab_size rounded up to 16; undefined before the first */
  #logits: { address: Address; rows: number } | undefined;
  readonly #candidates: Candidates = { k: 0, tokens: new Int32Array(0), logProbs: new Float64Array(0) };

  constructor(config: ModelConfig, runtime: Runtime, weights: Weights) {
    this.config = config;
    this.#runtime = runtime;
    this.#weights = weights;
    this.#rowBytes = config.n_dec_layers * 2 * config.d_model * F32;
  }

  /** Bytes of wasm memory this model holds now: weights and working buffers. */
  get memoryBytes(): number {
    return this.#runtime.memoryBytes;
  }

  /** Bytes of working buffers in use: the run state, and what requests in flight keep. */
  get allocatedBytes(): number {
    return this.#runtime.allocatedBytes;
  }

  /** Work of encoding one source token, in multiply-adds. */
  get encoderMacs(): number {
    const { d_model, d_ff, n_enc_layers, n_dec_layers } = this.config;
    const products = n_enc_layers * (4 * d_model ** 2 + 2 * d_model * d_ff) + n_dec_layers * 2 * d_model ** 2;
    return products + n_enc_layers * ENCODER_LAYER_MACS;
  }

  /** Work of one row of a decoder step, in multiply-adds. */
  get decoderMacs(): number {
    const { d_model, d_ff, n_dec_layers, vocab_size } = this.config;
    const products = n_dec_layers * (6 * d_model ** 2 + 2 * d_model * d_ff) + vocab_size * d_model;
    return products + n_dec_layers * DECODER_LAYER_MACS + vocab_size * LOG_PROB_MACS;
  }

  /** The key/value cache of a new request. Call its `release` at the end. */
  createCache(): KeyValueCache {
    return new KeyValueCache(this.#runtime, this.#rowBytes);
  }

  /** Gives the buffers of an encoded source back. */
  releaseSource(source: Source): void {
    this.#runtime.free(source.keyValues);
  }

  /**
   * Encodes one source.
   * @param tokens [T], end token included
   * @returns what the decoder attends to; `releaseSource` frees it
   * @throws RangeError if T is 0 or above max_seq_len, or a token is not of the vocabulary
   */
  encode(tokens: readonly number[]): Source {
    const { d_model, max_seq_len, vocab_size } = this.config;
    const length = tokens.length;
    if (length < 1 || length > max_seq_len) {
      throw new RangeError(`Transformer.encode: expected 1…${max_seq_len} tokens, got ${length}`);
    }
    for (const token of tokens) {
      if (!Number.isInteger(token) || token < 0 || token >= vocab_size) {
        throw new RangeError(`Transformer.encode: expected token ids in 0…${vocab_size - 1}, got ${token}`);
      }
    }
    const runtime = this.#runtime;
    const weights = this.#weights;
    const state = this.#reserveState(length);
    const { x, h, q, params, wide, scores, tables } = state;
    tokens.forEach((token, t) => {
      this.#embed(token, t, x + t * d_model * F32);
    });
    // Every token attends to every token: keys and values lie in `wide`, behind the query of their own row.
    const wideBytes = 3 * d_model * F32;
    for (let t = 0; t < length; t++) runtime.writeInt(tables + t * 4, wide + t * wideBytes);
    for (const layer of weights.encoder) {
      this.#projectQkv(layer.self, length, state);
      for (let t = 0; t < length; t++) {
        this.#attend(wide + t * wideBytes, tables, length, d_model * F32, scores, h + t * d_model * F32);
      }
      this.#projectOut(layer.self.out, length, state);
      this.#feedForward(layer.feedForward, length, state);
    }
    this.#normalize(weights.encoderNorm, length, state);

    const keyValues = runtime.allocate(length * this.#rowBytes + length * 4);
    const rows = keyValues + length * this.#rowBytes;
    for (let t = 0; t < length; t++) runtime.writeInt(rows + t * 4, keyValues + t * this.#rowBytes);
    weights.decoder.forEach(({ cross }, i) => {
      runtime.product(cross.kv, length, q, params, keyValues + this.#layerOffset(i), this.#rowBytes);
    });
    return { length, rows, keyValues };
  }

  /**
   * Feeds one token per row to the decoder.
   * @param rows R rows; each prefix gets its cacheRow, all before it must have theirs
   * @param cache of the request that the rows belong to
   * @param k how many of the best next tokens to return for each row
   */
  step(rows: readonly DecoderRow[], cache: KeyValueCache, k: number): Candidates {
    const { d_model, vocab_size } = this.config;
    const runtime = this.#runtime;
    const weights = this.#weights;
    const count = rows.length;
    const rowBytes = d_model * F32;
    cache.reserve(count, rows);
    const state = this.#reserveState(count);
    const { x, h, wide, scores } = state;
    rows.forEach(({ prefix }, r) => {
      prefix.cacheRow = cache.take();
      this.#writeTable(prefix, this.#table(state, r));
      this.#embed(prefix.token, prefix.position, x + r * rowBytes);
    });
    weights.decoder.forEach(({ self, cross, feedForward }, i) => {
      const layerOffset = this.#layerOffset(i);
      this.#projectQkv(self, count, state);
      for (let r = 0; r < count; r++) {
        const { prefix } = rows[r]!;
        const query = wide + r * 3 * rowBytes;
        runtime.copy(query + rowBytes, prefix.cacheRow + layerOffset, 2 * rowBytes);
        this.#attend(query, this.#table(state, r), prefix.position + 1, layerOffset, scores, h + r * rowBytes);
      }
      this.#projectOut(self.out, count, state);

      this.#normalize(cross.norm, count, state);
      runtime.product(cross.q, count, state.q, state.params, wide);
      for (let r = 0; r < count; r++) {
        const { source } = rows[r]!;
        this.#attend(wide + r * rowBytes, source.rows, source.length, layerOffset, scores, h + r * rowBytes);
      }
      this.#projectOut(cross.out, count, state);
      this.#feedForward(feedForward, count, state);
    });
    this.#normalize(weights.decoderNorm, count, state);
    const logits = this.#reserveLogits(count);
    runtime.product(weights.embedding, count, state.q, state.params, logits);

    const candidates = this.#reserveCandidates(count, k);
    for (let r = 0; r < count; r++) {
      const row = logits + r * weights.embedding.n * F32;
      runtime.topK(vocab_size, row, k, candidates.logProbs, candidates.tokens, r * k);
      const logSum = runtime.logSumExp(vocab_size, row, candidates.logProbs[r * k]!);
      for (let i = r * k; i < (r + 1) * k; i++) candidates.logProbs[i]! -= logSum;
    }
    return candidates;
  }

  /** A copy of the logits [vocab_size] of row r of the last step. */
  logits(r: number): Float32Array {
    if (!this.#logits) throw new Error("Transformer.logits: expected a step before");
    const { n } = this.#weights.embedding;
    return this.#runtime.readFloats(this.#logits.address + r * n * F32, this.config.vocab_size);
  }

  /** x = embedding[token] · sqrt(d_model) + positions[position], one row. */
  #embed(token: number, position: number, x: Address): void {
    const { d_model } = this.config;
    const { embedding, positions } = this.#weights;
    this.#runtime.embed(embedding, token, Math.sqrt(d_model), positions + position * d_model * F32, x);
  }

  /** q = quantized LN(x). */
  #normalize(norm: Norm, rows: number, { x, h, q, params }: RunState): void {
    const { d_model, layer_norm_eps } = this.config;
    this.#runtime.layerNorm(norm, rows, d_model, layer_norm_eps, x, h);
    this.#runtime.quantize(rows, d_model, h, q, params);
  }

  /** wide [rows, 3 · d_model] = query, key, value of LN(x). */
  #projectQkv({ norm, qkv }: SelfAttentionWeights, rows: number, state: RunState): void {
    this.#normalize(norm, rows, state);
    this.#runtime.product(qkv, rows, state.q, state.params, state.wide);
  }

  /** out = attention of one query row to t cache rows, whose key is at keyOffset and whose value follows it. */
  #attend(query: Address, rows: Address, t: number, keyOffset: number, scores: Address, out: Address): void {
    const { n_heads, d_model } = this.config;
    const valueOffset = keyOffset + d_model * F32;
    this.#runtime.attention(n_heads, headSize(this.config), query, rows, t, keyOffset, valueOffset, scores, out);
  }

  /** x += out(h) */
  #projectOut(out: Linear, rows: number, { x, h, q, params }: RunState): void {
    this.#runtime.quantize(rows, out.k, h, q, params);
    this.#runtime.product(out, rows, q, params, x, out.n * F32, "none", x);
  }

  /** x += down(activation(up(LN(x)))) */
  #feedForward({ norm, up, down }: FeedForwardWeights, rows: number, state: RunState): void {
    const { x, q, params, wide } = state;
    this.#normalize(norm, rows, state);
    this.#runtime.product(up, rows, q, params, wide, up.n * F32, this.config.activation);
    this.#runtime.quantize(rows, down.k, wide, q, params);
    this.#runtime.product(down, rows, q, params, x, down.n * F32, "none", x);
  }

  /** Bytes from a cache row to the key of a decoder layer. */
  #layerOffset(layer: number): number {
    return layer * 2 * this.config.d_model * F32;
  }

  #table(state: RunState, r: number): Address {
    return state.tables + r * this.config.max_seq_len * 4;
  }

  /** table[position] = cacheRow of prefix and of everything before it. */
  #writeTable(prefix: Prefix, table: Address): void {
    for (let p: Prefix | undefined = prefix; p; p = p.previous) {
      this.#runtime.writeInt(table + p.position * 4, p.cacheRow);
    }
  }

  /** Grows the run state to `rows` rows. */
  #reserveState(rows: number): RunState {
    if (this.#state && this.#state.rows >= rows) return this.#state;
    if (this.#state) this.#runtime.free(this.#state.buffer);
    this.#state = undefined;
    const { d_model, d_ff, max_seq_len } = this.config;
    const sizes = {
      x: rows * d_model * F32,
      h: rows * d_model * F32,
      q: rows * Math.max(d_model, d_ff),
      params: rows * 8,
      wide: rows * Math.max(3 * d_model, d_ff) * F32,
      scores: max_seq_len * F32,
      tables: rows * max_seq_len * 4,
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
      tables: place(sizes.tables),
    };
    return this.#state;
  }

  #reserveLogits(rows: number): Address {
    if (this.#logits && this.#logits.rows >= rows) return this.#logits.address;
    if (this.#logits) this.#runtime.free(this.#logits.address);
    this.#logits = undefined;
    this.#logits = { rows, address: this.#runtime.allocate(rows * this.#weights.embedding.n * F32) };
    return this.#logits.address;
  }

  #reserveCandidates(rows: number, k: number): Candidates {
    const candidates = this.#candidates;
    candidates.k = k;
    if (candidates.tokens.length < rows * k) {
      candidates.tokens = new Int32Array(rows * k);
      candidates.logProbs = new Float64Array(rows * k);
    }
    return candidates;
  }
}

/**
 * The float reference: the forward pass of `worker/engine/transformer.ts` in f32, nothing quantized, in plain
 * TypeScript. It shows what quantization costs: the same search (`generate`) decodes a float checkpoint through it.
 * Never served: it is some ten times slower than the kernels.
 */
import type { Prefix } from "../../worker/engine/cache.ts";
import type { Candidates } from "../../worker/engine/transformer.ts";
import type { TranslationConfig } from "../../worker/model/config.ts";
import type { FloatAttention, FloatFeedForward, FloatWeights } from "./checkpoint.ts";
import { activate, addTo, attend, type FloatLinear, layerNorm, logSumExp, multiply, topK } from "./kernels.ts";

/** An encoded source: cross-attention keys and values of each token. */
export interface FloatSource {
  /** T, end token included */
  length: number;
  /** [T, n_dec_layers, 2 (key, value), d_model] */
  keyValues: Float32Array;
  /** [T] where each token's row starts in keyValues */
  rows: number[];
}

/** One row of a decoder step: feed `prefix`, attend to `source`. */
export interface FloatRow {
  readonly source: FloatSource;
  readonly prefix: Prefix;
}

/** Keys and values of the decoded tokens of one `generate`, [row, n_dec_layers, 2, d_model]. Rows are not reused. */
export class FloatCache {
  data: Float32Array;
  readonly #rowLength: number;
  /** Row 0 stays empty: a prefix with cacheRow 0 has not been fed yet. */
  #count = 1;

  constructor(rowLength: number) {
    this.#rowLength = rowLength;
    this.data = new Float32Array(256 * rowLength);
  }

  /** A new row; `data` may be another array after it. */
  take(): number {
    const row = this.#count++;
    if (this.#count * this.#rowLength > this.data.length) {
      const grown = new Float32Array(2 * this.data.length);
      grown.set(this.data);
      this.data = grown;
    }
    return row;
  }

  release(): void {
    this.data = new Float32Array(0);
  }
}

export class FloatTransformer {
  readonly config: TranslationConfig;
  readonly #weights: FloatWeights;
  /** Elements of a cache row, [n_dec_layers, 2, d_model]. */
  readonly #rowLength: number;
  /** The search yields to the event loop by this measure; here after every call. */
  readonly encoderMacs = Number.MAX_SAFE_INTEGER;
  readonly decoderMacs = Number.MAX_SAFE_INTEGER;

  constructor(config: TranslationConfig, weights: FloatWeights) {
    this.config = config;
    this.#weights = weights;
    this.#rowLength = config.n_dec_layers * 2 * config.d_model;
  }

  createCache(): FloatCache {
    return new FloatCache(this.#rowLength);
  }

  /** Sources are collected as garbage. */
  releaseSource(_source: FloatSource): void {}

  /**
   * Encodes one source.
   * @param tokens [T], end token included
   * @throws RangeError if T is 0 or above max_seq_len
   */
  encode(tokens: readonly number[]): FloatSource {
    const { d_model, max_seq_len, layer_norm_eps } = this.config;
    const length = tokens.length;
    if (length < 1 || length > max_seq_len) {
      throw new RangeError(`FloatTransformer.encode: expected 1…${max_seq_len} tokens, got ${length}`);
    }
    const weights = this.#weights;
    const x = new Float32Array(length * d_model);
    const h = new Float32Array(length * d_model);
    tokens.forEach((token, t) => {
      this.#embed(token, t, x, t * d_model);
    });
    const wide = new Float32Array(length * 3 * d_model);
    // Keys and values lie in `wide`, behind the query of their own row.
    const rows = Array.from({ length }, (_, t) => t * 3 * d_model);
    const memory = { data: wide, rows, length, keyOffset: d_model };
    for (const { self, feedForward } of weights.encoder) {
      this.#projectQkv(self, length, x, h, wide);
      for (let t = 0; t < length; t++) attend(this.config.n_heads, d_model, wide, rows[t]!, memory, h, t * d_model);
      addLinear(self.out, length, h, x);
      this.#feedForward(feedForward, length, x, h);
    }
    layerNorm(weights.encoderNorm, length, layer_norm_eps, x, h);
    const keyValues = new Float32Array(length * this.#rowLength);
    weights.decoder.forEach(({ cross }, i) => {
      multiply(cross.kv, length, h, keyValues, this.#layerOffset(i), this.#rowLength);
    });
    return { length, keyValues, rows: Array.from({ length }, (_, t) => t * this.#rowLength) };
  }

  /**
   * Feeds one token per row to the decoder.
   * @param rows R rows; each prefix gets its cacheRow, all before it must have theirs
   * @returns the k best next tokens of each row, best first: [R, k]
   */
  step(rows: readonly FloatRow[], cache: FloatCache, k: number): Candidates {
    const { vocab_size } = this.config;
    const logits = this.logits(rows, cache);
    const tokens = new Int32Array(rows.length * k);
    const logProbs = new Float64Array(rows.length * k);
    for (let r = 0; r < rows.length; r++) {
      topK(logits, r * vocab_size, vocab_size, k, logProbs, tokens, r * k);
      const logSum = logSumExp(logits, r * vocab_size, vocab_size);
      for (let i = r * k; i < (r + 1) * k; i++) logProbs[i]! -= logSum;
    }
    return { k, tokens, logProbs };
  }

  /** What `step` feeds and how, but all logits: [R, vocab_size]. */
  logits(rows: readonly FloatRow[], cache: FloatCache): Float32Array {
    const { d_model, n_heads, layer_norm_eps, vocab_size } = this.config;
    const weights = this.#weights;
    const count = rows.length;
    const x = new Float32Array(count * d_model);
    const h = new Float32Array(count * d_model);
    const wide = new Float32Array(count * 3 * d_model);
    rows.forEach(({ prefix }, r) => {
      prefix.cacheRow = cache.take();
      this.#embed(prefix.token, prefix.position, x, r * d_model);
    });
    const tables = rows.map(({ prefix }) => this.#tableOf(prefix));
    weights.decoder.forEach(({ self, cross, feedForward }, i) => {
      const keyOffset = this.#layerOffset(i);
      this.#projectQkv(self, count, x, h, wide);
      rows.forEach(({ prefix }, r) => {
        const query = r * 3 * d_model;
        const keyValue = wide.subarray(query + d_model, query + 3 * d_model);
        cache.data.set(keyValue, prefix.cacheRow * this.#rowLength + keyOffset);
        const memory = { data: cache.data, rows: tables[r]!, length: prefix.position + 1, keyOffset };
        attend(n_heads, d_model, wide, query, memory, h, r * d_model);
      });
      addLinear(self.out, count, h, x);

      layerNorm(cross.norm, count, layer_norm_eps, x, h);
      multiply(cross.q, count, h, wide);
      rows.forEach(({ source }, r) => {
        const memory = { data: source.keyValues, rows: source.rows, length: source.length, keyOffset };
        attend(n_heads, d_model, wide, r * d_model, memory, h, r * d_model);
      });
      addLinear(cross.out, count, h, x);
      this.#feedForward(feedForward, count, x, h);
    });
    layerNorm(weights.decoderNorm, count, layer_norm_eps, x, h);
    const logits = new Float32Array(count * vocab_size);
    multiply(weights.embedding, count, h, logits);
    return logits;
  }

  /** x[offset…] = embedding[token] · √d_model + positions[position] */
  #embed(token: number, position: number, x: Float32Array, offset: number): void {
    const { d_model, vocab_size } = this.config;
    if (!Number.isInteger(token) || token < 0 || token >= vocab_size) {
      throw new RangeError(`FloatTransformer: expected token ids in 0…${vocab_size - 1}, got ${token}`);
    }
    const { embedding, positions } = this.#weights;
    for (let i = 0; i < d_model; i++) {
      x[offset + i] = embedding.weight[token * d_model + i]! * Math.sqrt(d_model) + positions[position * d_model + i]!;
    }
  }

  /** wide [rows, 3 · d_model] = query, key, value of LN(x); h is overwritten */
  #projectQkv({ norm, qkv }: FloatAttention, rows: number, x: Float32Array, h: Float32Array, wide: Float32Array): void {
    layerNorm(norm, rows, this.config.layer_norm_eps, x, h);
    multiply(qkv, rows, h, wide);
  }

  /** x += down(activation(up(LN(x)))); h is overwritten */
  #feedForward({ norm, up, down }: FloatFeedForward, rows: number, x: Float32Array, h: Float32Array): void {
    layerNorm(norm, rows, this.config.layer_norm_eps, x, h);
    const inner = new Float32Array(rows * up.n);
    multiply(up, rows, h, inner);
    activate(this.config.activation, inner, inner.length);
    addLinear(down, rows, inner, x);
  }

  /** Elements from a cache row to the key of a decoder layer. */
  #layerOffset(layer: number): number {
    return layer * 2 * this.config.d_model;
  }

  /** Where the cache rows of a hypothesis start, by position. */
  #tableOf(prefix: Prefix): number[] {
    const table = new Array<number>(prefix.position + 1);
    for (let p: Prefix | undefined = prefix; p; p = p.previous) table[p.position] = p.cacheRow * this.#rowLength;
    return table;
  }
}

/** x += linear(h) */
function addLinear(linear: FloatLinear, rows: number, h: Float32Array, x: Float32Array): void {
  const sum = new Float32Array(rows * linear.n);
  multiply(linear, rows, h, sum);
  addTo(x, sum, sum.length);
}

/**
 * The forward pass of the pre-norm encoder-decoder transformer (model/config.ts says which): encoder, decoder step,
 * logits. What the steps are made of is in blocks.ts.
 *
 * The encoder takes one source at a time, its T tokens are the rows of every product. A decoder step takes R rows, one
 * per live hypothesis of all sources, each at its own position with its own source: nothing is padded anywhere.
 * Every call is synchronous and leaves nothing behind in the run state, so requests that take turns between calls
 * share it; what a request keeps (its sources, its key/value cache) is its own.
 */
import type { TranslationConfig } from "../model/config.ts";
import { Blocks, F32, type RunState } from "./blocks.ts";
import { KeyValueCache, type Prefix } from "./cache.ts";
import { Encoder } from "./encoder.ts";
import type { Address, Runtime } from "./runtime.ts";
import { type OutputProjection, Shortlist } from "./shortlist.ts";
import type { TranslationWeights } from "./weights.ts";

/**
 * What the products leave out of the work of a row, as multiply-adds that take as long at 30 · 10⁹ a second: per layer
 * (attention, norms, quantization, calls), measured on the tiny fixture, and per word of the vocabulary (log_probs).
 */
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
  /** What its logits are computed with: the whole vocabulary, or the candidates of its shortlist. */
  readonly output: OutputProjection;
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

export class Transformer {
  readonly config: TranslationConfig;
  readonly #runtime: Runtime;
  readonly #weights: TranslationWeights;
  readonly #blocks: Blocks;
  readonly #encoder: Encoder;
  /** Bytes of a cache row, [n_dec_layers, 2, d_model] f32. */
  readonly #rowBytes: number;
  readonly #wholeVocabulary: OutputProjection;
  readonly #shortlist: Shortlist | undefined;
  /** [R, max_seq_len] i32: addresses of each row's cache rows; undefined before the first step */
  #tables: { address: Address; rows: number } | undefined;
  /** [R, N] f32 of the last step, N = vocab_size rounded up to 16; undefined before the first */
  #logits: { address: Address; rows: number } | undefined;
  readonly #candidates: Candidates = { k: 0, tokens: new Int32Array(0), logProbs: new Float64Array(0) };

  constructor(config: TranslationConfig, runtime: Runtime, weights: TranslationWeights) {
    this.config = config;
    this.#runtime = runtime;
    this.#weights = weights;
    this.#blocks = new Blocks(config, runtime, weights.embedding, weights.positions);
    this.#encoder = new Encoder(config, weights.encoder, this.#blocks);
    this.#rowBytes = config.n_dec_layers * 2 * config.d_model * F32;
    const { embedding, shortlist } = weights;
    const { vocab_size, eos_token_id } = config;
    this.#wholeVocabulary = { linear: embedding, tokens: undefined, size: vocab_size };
    this.#shortlist = shortlist && new Shortlist(runtime, shortlist, embedding, vocab_size, eos_token_id);
  }

  get hasShortlist(): boolean {
    return this.#shortlist !== undefined;
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
    const { d_model, n_dec_layers } = this.config;
    return this.#encoder.macs + n_dec_layers * 2 * d_model ** 2;
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
  releaseSource({ keyValues, output }: Source): void {
    this.#runtime.free(keyValues);
    this.#releaseOutput(output);
  }

  /**
   * Encodes one source.
   * @param tokens [T], end token included
   * @param shortlist only tokens of the model's shortlist for this source may come out
   * @returns what the decoder attends to; `releaseSource` frees it
   * @throws RangeError if T is 0 or above max_seq_len, or a token is not of the vocabulary
   */
  encode(tokens: readonly number[], shortlist = false): Source {
    const runtime = this.#runtime;
    const { length } = tokens;
    const state = this.#encoder.encode([tokens]);
    this.#blocks.quantize(length, state);
    const output = (shortlist && this.#shortlist?.select(tokens)) || this.#wholeVocabulary;
    const keyValues = this.#allocateKeyValues(length, output);
    const rows = keyValues + length * this.#rowBytes;
    for (let t = 0; t < length; t++) runtime.writeInt(rows + t * 4, keyValues + t * this.#rowBytes);
    this.#weights.decoder.forEach(({ cross }, i) => {
      runtime.product(cross.kv, length, state.q, state.params, keyValues + this.#layerOffset(i), this.#rowBytes);
    });
    return { length, rows, keyValues, output };
  }

  /**
   * Feeds one token per row to the decoder.
   * @param rows R rows; each prefix gets its cacheRow, all before it must have theirs
   * @param cache of the request that the rows belong to
   * @param k how many of the best next tokens to return for each row
   * @param scores false: with their logits, true: with their log_probs
   */
  step(rows: readonly DecoderRow[], cache: KeyValueCache, k: number, scores = true): Candidates {
    const { d_model } = this.config;
    const runtime = this.#runtime;
    const weights = this.#weights;
    const blocks = this.#blocks;
    const count = rows.length;
    const rowBytes = d_model * F32;
    cache.reserve(count, rows);
    const tables = this.#reserveTables(count);
    const tableBytes = this.config.max_seq_len * 4;
    const state = blocks.reserve(count);
    const { x, wide } = state;
    rows.forEach(({ prefix }, r) => {
      prefix.cacheRow = cache.take();
      this.#writeTable(prefix, tables + r * tableBytes);
      blocks.embed(prefix.token, prefix.position, x + r * rowBytes);
    });
    weights.decoder.forEach(({ self, cross, feedForward }, i) => {
      const layerOffset = this.#layerOffset(i);
      blocks.projectQkv(self, count, state);
      for (let r = 0; r < count; r++) {
        const { prefix } = rows[r]!;
        const query = wide + r * 3 * rowBytes;
        runtime.copy(query + rowBytes, prefix.cacheRow + layerOffset, 2 * rowBytes);
        blocks.attend(r, 1, 3 * rowBytes, tables + r * tableBytes, prefix.position + 1, layerOffset, state);
      }
      blocks.projectOut(self.out, count, state);

      blocks.normalize(cross.norm, count, state);
      blocks.quantize(count, state);
      runtime.product(cross.q, count, state.q, state.params, wide);
      // The hypotheses of one source stand together.
      for (let r = 0, end = 0; r < count; r = end) {
        const { source } = rows[r]!;
        while (end < count && rows[end]!.source === source) end++;
        blocks.attend(r, end - r, rowBytes, source.rows, source.length, layerOffset, state);
      }
      blocks.projectOut(cross.out, count, state);
      blocks.feedForward(feedForward, count, state);
    });
    blocks.normalize(weights.decoderNorm, count, state);
    blocks.quantize(count, state);
    const logits = this.#reserveLogits(count);
    this.#project(rows, state, logits);
    const candidates = this.#reserveCandidates(count, k);
    rows.forEach(({ source: { output } }, r) => {
      const { tokens, size } = output;
      const row = logits + r * weights.embedding.n * F32;
      runtime.topK(size, row, k, candidates.logProbs, candidates.tokens, r * k);
      if (tokens) {
        for (let i = r * k; i < (r + 1) * k; i++) candidates.tokens[i] = tokens[candidates.tokens[i]!]!;
      }
      if (!scores) return;
      const logSum = runtime.logSumExp(size, row, candidates.logProbs[r * k]!);
      for (let i = r * k; i < (r + 1) * k; i++) candidates.logProbs[i]! -= logSum;
    });
    return candidates;
  }

  /** logits [R, N] = quantized h · outputᵀ, one product for neighbours of the same output. */
  #project(rows: readonly DecoderRow[], { q, params }: RunState, logits: Address): void {
    const { n, k } = this.#weights.embedding;
    for (let start = 0, end = 0; start < rows.length; start = end) {
      const { output } = rows[start]!.source;
      while (end < rows.length && rows[end]!.source.output === output) end++;
      const row = logits + start * n * F32;
      this.#runtime.product(output.linear, end - start, q + start * k, params + start * 8, row, n * F32);
    }
  }

  /**
   * A copy of the logits [vocab_size] of row r of the last step; with a shortlist, those of the source's candidates and
   * then whatever was there.
   */
  logits(r: number): Float32Array {
    if (!this.#logits) throw new Error("Transformer.logits: expected a step before");
    const { n } = this.#weights.embedding;
    return this.#runtime.readFloats(this.#logits.address + r * n * F32, this.config.vocab_size);
  }

  /** Bytes from a cache row to the key of a decoder layer. */
  #layerOffset(layer: number): number {
    return layer * 2 * this.config.d_model * F32;
  }

  /** table[position] = cacheRow of prefix and of everything before it. */
  #writeTable(prefix: Prefix, table: Address): void {
    for (let p: Prefix | undefined = prefix; p; p = p.previous) {
      this.#runtime.writeInt(table + p.position * 4, p.cacheRow);
    }
  }

  #releaseOutput(output: OutputProjection): void {
    if (output !== this.#wholeVocabulary) this.#shortlist!.release(output);
  }

  /** A source is whole, or nothing of it is kept. */
  #allocateKeyValues(length: number, output: OutputProjection): Address {
    try {
      return this.#runtime.allocate(length * this.#rowBytes + length * 4);
    } catch (error) {
      this.#releaseOutput(output);
      throw error;
    }
  }

  #reserveTables(rows: number): Address {
    if (this.#tables && this.#tables.rows >= rows) return this.#tables.address;
    if (this.#tables) this.#runtime.free(this.#tables.address);
    this.#tables = undefined;
    this.#tables = { rows, address: this.#runtime.allocate(rows * this.config.max_seq_len * 4) };
    return this.#tables.address;
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

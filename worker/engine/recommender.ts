/**
 * Recommendation: the history through a causal transformer, its last output against every item of the catalogue, the best
 * of them in the top-k kernel. One synchronous pass, so that requests on one model take turns by themselves.
 *
 * Positions count from the latest item back. Of the last layer only the latest item's row is computed, for nothing looks at
 * the others.
 */
import type { RecommendationConfig } from "../model/config.ts";
import { Blocks, F32, type RunState } from "./blocks.ts";
import { checkTokens } from "./check-tokens.ts";
import type { Neighbours } from "./neighbours.ts";
import { type Address, MAX_TOP_K, type Runtime } from "./runtime.ts";
import type { CommonWeights, EncoderLayerWeights } from "./weights.ts";

/** What may come out. */
export interface Selection {
  /** How many, at most `MAX_RECOMMENDATIONS`. */
  k: number;
  /** Rows that may not. */
  except?: Iterable<number>;
  /** If given, only these rows may; each once. */
  only?: readonly number[];
}

/**
 * What an item of the history counts as a reason, compared with the one after it. On 500 users of Amazon Beauty's dev the
 * first reason was then the item whose loss costs most in 80 % of the cases, in 75 % without (npm run eval with --reasons).
 */
export const REASON_DECAY = 0.95;

export const MAX_RECOMMENDATIONS = MAX_TOP_K;

/** Best first; as many as may come out, at most k. */
export interface Ranking {
  items: number[];
  /** Natural logarithms of the probabilities among all that may come out. */
  logProbs: number[];
}

export class Recommender {
  readonly config: RecommendationConfig;
  readonly #runtime: Runtime;
  readonly #weights: CommonWeights;
  readonly #blocks: Blocks;
  readonly #neighbours: Neighbours | undefined;
  /** [N] f32, N = vocab_size rounded up to 16 */
  readonly #scores: Address;
  /** [max_seq_len] i32: addresses of the rows that a layer's attention looks at */
  readonly #rows: Address;
  /** [d_model] f32: no position */
  readonly #zeros: Address;

  constructor(config: RecommendationConfig, runtime: Runtime, weights: CommonWeights, neighbours?: Neighbours) {
    this.config = config;
    this.#runtime = runtime;
    this.#weights = weights;
    this.#neighbours = neighbours;
    this.#blocks = new Blocks(config, runtime, weights.embedding, weights.positions);
    this.#scores = runtime.allocate(weights.embedding.n * F32);
    this.#rows = runtime.allocate(config.max_seq_len * 4);
    this.#zeros = runtime.allocate(config.d_model * F32);
    runtime.writeBytes(this.#zeros, new Uint8Array(config.d_model * F32));
  }

  /** Bytes of wasm memory this model holds now: weights and working buffers. */
  get memoryBytes(): number {
    return this.#runtime.memoryBytes;
  }

  /** Bytes of working buffers in use. */
  get allocatedBytes(): number {
    return this.#runtime.allocatedBytes;
  }

  /**
   * @param history 1 to max_seq_len rows of the embedding, oldest first
   * @throws RangeError if it has none or more, or one that is not of the catalogue; Error if the weights are damaged
   */
  recommend(history: readonly number[], selection: Selection): Ranking {
    this.#score(history);
    return this.#rank(selection);
  }

  /** The score of each item as what comes next, [vocab_size] logits; parameters and errors as of `recommend`. */
  score(history: readonly number[]): Float32Array {
    return this.#runtime.readFloats(this.#score(history), this.config.vocab_size);
  }

  /**
   * How much each item of a history speaks for each of some items: its cosine with the item in the space of the embedding,
   * a little less for each step back, as shares. Of the cheap ways to say it the one that agrees best with leaving items
   * out (scripts/eval/reasons.ts); what the last layer attends to hardly does.
   * @returns [items][history], each summing up to 1, or zeros if nothing speaks for it
   */
  influences(history: readonly number[], items: readonly number[]): Float64Array[] {
    const read = history.map((item) => this.#direction(item));
    return items.map((item) => {
      const wanted = this.#direction(item);
      const near = Float64Array.from(read, (own, i) => {
        return Math.max(0, dot(own, wanted)) * REASON_DECAY ** (read.length - 1 - i);
      });
      const sum = near.reduce((total, value) => total + value, 0);
      return sum === 0 ? near : near.map((value) => value / sum);
    });
  }

  /** What the latest item looks at in the last layer: [history], mean over heads, Σ = 1; parameters as of `recommend`. */
  attention(history: readonly number[]): Float32Array {
    this.#score(history);
    return this.#blocks.attentionWeights(history.length);
  }

  /** The row of an item, of length 1: [d_model] */
  #direction(item: number): Float32Array {
    const { x } = this.#blocks.reserve(1);
    const { d_model } = this.config;
    this.#runtime.embed(this.#weights.embedding, item, 1, this.#zeros, x);
    const row = this.#runtime.readFloats(x, d_model);
    const length = Math.sqrt(dot(row, row));
    return length === 0 ? row : row.map((value) => value / length);
  }

  /** [N] logits */
  #score(history: readonly number[]): Address {
    checkTokens(history, this.config);
    const blocks = this.#blocks;
    const runtime = this.#runtime;
    const { embedding, encoder } = this.#weights;
    const count = history.length;
    const state = blocks.reserve(count);
    const rowBytes = this.config.d_model * F32;
    history.forEach((item, i) => {
      blocks.embed(item, count - 1 - i, state.x + i * rowBytes);
      runtime.writeInt(this.#rows + i * 4, state.wide + i * 3 * rowBytes);
    });
    encoder.layers.forEach((layer, i) => {
      this.#layer(layer, count, i === encoder.layers.length - 1, state);
    });
    blocks.normalize(encoder.norm, 1, state);
    blocks.quantize(1, state);
    runtime.product(embedding, 1, state.q, state.params, this.#scores);
    this.#neighbours?.add(history, this.#scores);
    return this.#scores;
  }

  /** @param last leaves x of the latest item alone, in the first row */
  #layer({ self, feedForward }: EncoderLayerWeights, count: number, last: boolean, state: RunState): void {
    const blocks = this.#blocks;
    const rowBytes = this.config.d_model * F32;
    blocks.projectQkv(self, count, state);
    for (let row = last ? count - 1 : 0; row < count; row++) {
      blocks.attend(row, 1, 3 * rowBytes, this.#rows, row + 1, rowBytes, state);
    }
    if (last) {
      const offset = (count - 1) * rowBytes;
      this.#runtime.copy(state.x + offset, state.x, rowBytes);
      this.#runtime.copy(state.h + offset, state.h, rowBytes);
    }
    const rows = last ? 1 : count;
    blocks.projectOut(self.out, rows, state);
    blocks.feedForward(feedForward, rows, state);
  }

  /** The best of the scores. */
  #rank({ k, except = [], only }: Selection): Ranking {
    const runtime = this.#runtime;
    const scores = this.#scores;
    let left = only ? only.length : this.config.vocab_size;
    const allowed = only && new Set(only);
    for (const item of new Set(except)) {
      if (allowed && !allowed.has(item)) continue;
      runtime.writeFloat(scores + item * F32, -Infinity);
      left--;
    }
    if (left === 0) return { items: [], logProbs: [] };
    if (!only) return this.#best(this.config.vocab_size, scores, Math.min(k, left));
    const gathered = runtime.allocate(only.length * F32);
    try {
      runtime.gatherFloats(scores, only, gathered);
      const { items, logProbs } = this.#best(only.length, gathered, Math.min(k, left));
      return { items: items.map((i) => only[i]!), logProbs };
    } finally {
      runtime.free(gathered);
    }
  }

  #best(n: number, scores: Address, k: number): Ranking {
    const values = new Float64Array(k);
    const indices = new Int32Array(k);
    this.#runtime.topK(n, scores, k, values, indices, 0);
    const logSum = this.#runtime.logSumExp(n, scores, values[0]!);
    return { items: [...indices], logProbs: [...values].map((value) => value - logSum) };
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

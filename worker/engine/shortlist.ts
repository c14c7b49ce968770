/**
 * The lexical shortlist of a translation model: decides before decoding which target tokens may come out for a source,
 * and gathers their rows of the output projection into a small matrix in the same tile order, so that the same kernel
 * multiplies it. Where the lists come from is scripts/shortlist/.
 */
import { roundUp, SHORTLIST_MIN_COMMON, TILE_N } from "../model/format.ts";
import type { Address, Linear, Runtime } from "./runtime.ts";

/** What a decoder row's logits are computed with. */
export interface OutputProjection {
  readonly linear: Linear;
  /** The token of each row of `linear`, rising; undefined if they are the whole vocabulary. */
  readonly tokens: Int32Array | undefined;
  /** Rows that are tokens; the others are padding. */
  readonly size: number;
}

/** Where the two tensors are: offsets [vocab_size + 2] and targets [targets], i32. */
export interface ShortlistAddresses {
  offsets: Address;
  targets: Address;
  targetCount: number;
}

export class Shortlist {
  readonly #runtime: Runtime;
  readonly #addresses: ShortlistAddresses;
  readonly #embedding: Linear;
  readonly #vocabSize: number;
  /** [vocab_size] 1 for the tokens of every sentence */
  readonly #common: Uint8Array;

  /**
   * @param embedding [vocab_size, d_model], the whole output projection
   * @throws Error if the lists are not lists of tokens, or those of every sentence are too few
   */
  constructor(
    runtime: Runtime,
    addresses: ShortlistAddresses,
    embedding: Linear,
    vocabSize: number,
    eosTokenId: number,
  ) {
    this.#runtime = runtime;
    this.#addresses = addresses;
    this.#embedding = embedding;
    this.#vocabSize = vocabSize;
    this.#common = new Uint8Array(vocabSize);
    const offsets = runtime.readInts(addresses.offsets, vocabSize + 2);
    const rising = offsets.every((offset, i) => offset >= (offsets[i - 1] ?? 0) && offset <= addresses.targetCount);
    const isToken = (token: number) => token >= 0 && token < vocabSize;
    if (!rising || !runtime.readInts(addresses.targets, addresses.targetCount).every(isToken)) {
      throw new Error("Shortlist: expected lists of token ids, got other numbers; export and upload the model again");
    }
    this.#mark(vocabSize, this.#common);
    const count = this.#common.reduce((sum, mark) => sum + mark, 0);
    if (count < Math.min(vocabSize, SHORTLIST_MIN_COMMON) || !this.#common[eosTokenId]) {
      throw new Error(
        `Shortlist: expected ${SHORTLIST_MIN_COMMON} tokens of every sentence with the end token, got ${count}; export again`,
      );
    }
  }

  /** The candidates of a source and their rows, gathered. `release` frees them. */
  select(source: readonly number[]): OutputProjection {
    const marks = this.#common.slice();
    for (const token of source) this.#mark(token, marks);
    const size = marks.reduce((sum, mark) => sum + mark, 0);
    const tokens = new Int32Array(size);
    for (let token = 0, i = 0; token < this.#vocabSize; token++) if (marks[token]) tokens[i++] = token;
    const { k } = this.#embedding;
    const n = roundUp(size, TILE_N);
    const weight = this.#runtime.allocate(n * k + 8 * n);
    const linear = { n, k, weight, scale: weight + n * k, sum: weight + n * k + 4 * n, bias: 0 };
    this.#runtime.gatherRows(this.#embedding, tokens, linear);
    return { linear, tokens, size };
  }

  release({ linear }: OutputProjection): void {
    this.#runtime.free(linear.weight);
  }

  #mark(list: number, marks: Uint8Array): void {
    const { offsets, targets } = this.#addresses;
    const start = this.#runtime.readInt(offsets + 4 * list);
    const end = this.#runtime.readInt(offsets + 4 * (list + 1));
    for (let i = start; i < end; i++) marks[this.#runtime.readInt(targets + 4 * i)] = 1;
  }
}

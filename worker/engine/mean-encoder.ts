/** A transformer's encoder as a sentence encoder: the vector of a text is the mean of its tokens' outputs. */
import type { EncoderConfig } from "../model/config.ts";
import { Blocks, F32, type RunState } from "./blocks.ts";
import { Encoder, type Features } from "./encoder.ts";
import type { Address, Runtime } from "./runtime.ts";
import type { SentenceEncoder } from "./sentence-encoder.ts";
import type { MeanEncoderWeights, NGramWeights } from "./weights.ts";

export class MeanEncoder implements SentenceEncoder {
  readonly #config: EncoderConfig;
  readonly #runtime: Runtime;
  readonly #encoder: Encoder;
  readonly #nGrams: NGramWeights | undefined;

  constructor(config: EncoderConfig, runtime: Runtime, weights: MeanEncoderWeights) {
    this.#config = config;
    this.#runtime = runtime;
    const blocks = new Blocks(config, runtime, weights.embedding, weights.positions);
    this.#encoder = new Encoder(config, weights.encoder, blocks);
    this.#nGrams = weights.nGrams;
  }

  macs(_texts: number, tokens: number): number {
    return tokens * this.#encoder.macs;
  }

  encode(texts: readonly (readonly number[])[]): Address {
    const state = this.#encoder.encode(texts, this.#nGramsOf(texts));
    this.#pool(texts, state);
    return state.x;
  }

  #nGramsOf(texts: readonly (readonly number[])[]): Features | undefined {
    if (!this.#nGrams) return undefined;
    const { known, table } = this.#nGrams;
    return { table, factor: Math.sqrt(this.#config.d_model), rows: texts.map((tokens) => known.rowsOf(tokens)) };
  }

  /** x [texts, d_model] = the mean of each text's rows of h. */
  #pool(texts: readonly (readonly number[])[], { h, x, wide, scores }: RunState): void {
    const { d_model } = this.#config;
    const runtime = this.#runtime;
    const rowBytes = d_model * F32;
    // The mean is attention with a query of zeros, to which all rows are alike. `wide` is free: query, then addresses.
    runtime.writeBytes(wide, new Uint8Array(rowBytes));
    let row = 0;
    for (const [i, { length }] of texts.entries()) {
      const table = wide + rowBytes + row * 4;
      for (let t = 0; t < length; t++) runtime.writeInt(table + t * 4, h + row++ * rowBytes);
      runtime.attention(1, 1, d_model, wide, rowBytes, table, length, 0, 0, scores, x + i * rowBytes);
    }
  }
}

/**
 * The encoder: token ids to hidden states, for translation and classification alike. One pass takes several texts:
 * the tokens of all of them are the rows of every product, and each attends to its own text only, so nothing is padded
 * and a text comes out the same, to the bit, whatever it is packed with.
 */
import type { EncoderConfig } from "../model/config.ts";
import { type Blocks, F32, type RunState } from "./blocks.ts";
import { checkTokens } from "./check-tokens.ts";
import type { Linear } from "./runtime.ts";
import type { EncoderWeights } from "./weights.ts";

/**
 * What the products leave out of the work of a token, as multiply-adds that take as long at 30 · 10⁹ a second: per
 * layer (attention, norms, quantization, calls), measured on the tiny fixture.
 */
const LAYER_MACS = 45_000;

/** What is added to the vectors of tokens before the first layer. */
export interface Features {
  /** [features, d_model] */
  table: Linear;
  /** What its rows are multiplied with. */
  factor: number;
  /** Rows of the table for each token of each text. */
  rows: readonly (readonly (readonly number[])[])[];
}

export class Encoder {
  readonly #config: EncoderConfig;
  readonly #weights: EncoderWeights;
  readonly #blocks: Blocks;

  constructor(config: EncoderConfig, weights: EncoderWeights, blocks: Blocks) {
    this.#config = config;
    this.#weights = weights;
    this.#blocks = blocks;
  }

  /** Work of one token, in multiply-adds. */
  get macs(): number {
    const { d_model, d_ff, n_enc_layers } = this.#config;
    return n_enc_layers * (4 * d_model ** 2 + 2 * d_model * d_ff + LAYER_MACS);
  }

  /**
   * @param texts [T] token ids each, end token included
   * @param features of the tokens, if the model has any
   * @returns the run state; its `h` holds the normalized outputs of the texts one behind the other, [ΣT, d_model] f32
   * @throws RangeError as of `checkTokens`
   */
  encode(texts: readonly (readonly number[])[], features?: Features): RunState {
    for (const tokens of texts) checkTokens(tokens, this.#config);
    const { d_model } = this.#config;
    const blocks = this.#blocks;
    const count = texts.reduce((sum, { length }) => sum + length, 0);
    const state = blocks.reserve(count);
    const { x } = state;
    const rowBytes = d_model * F32;
    let row = 0;
    for (const [text, tokens] of texts.entries()) {
      for (const [position, token] of tokens.entries()) {
        const at = x + row++ * rowBytes;
        blocks.embed(token, position, at);
        if (!features) continue;
        const { table, factor, rows } = features;
        for (const feature of rows[text]![position]!) blocks.addFeature(table, feature, factor, at);
      }
    }
    for (const { self, feedForward } of this.#weights.layers) {
      blocks.projectQkv(self, count, state);
      let start = 0;
      for (const { length } of texts) {
        blocks.attendToSelf(start, length, state);
        start += length;
      }
      blocks.projectOut(self.out, count, state);
      blocks.feedForward(feedForward, count, state);
    }
    blocks.normalize(this.#weights.norm, count, state);
    return state;
  }
}

/**
 * The encoder-decoder of long short-term memories (model/config.ts says which) as a sentence encoder. The texts of a
 * pass advance side by side, the longest ones first, so that those which still go on are the first rows of each step
 * and nothing is padded. What the gates get from the tokens does not depend on the steps: it is one product of all of
 * them beforehand, and a step adds to it what they get from the state.
 */
import type { LstmClassificationConfig } from "../model/config.ts";
import { roundUp } from "../model/format.ts";
import { F32 } from "./blocks.ts";
import { checkTokens } from "./check-tokens.ts";
import type { Address, Linear, Runtime } from "./runtime.ts";
import type { SentenceEncoder } from "./sentence-encoder.ts";
import type { LstmWeights } from "./weights.ts";

/**
 * What the cell costs for each element of a state, as multiply-adds that take as long at 30 · 10⁹ a second: measured at
 * d_model 256.
 */
const CELL_MACS = 120;

/** Working buffers for up to `rows` tokens of `texts` texts. */
interface RunState {
  rows: number;
  texts: number;
  buffer: Address;
  /** [rows, d_embedding] f32 */
  x: Address;
  /** [rows, 4 · d_model] f32: pre-activations, the rows of a step behind those of the step before */
  gates: Address;
  /** [rows, d_embedding] or [texts, d_model] u8: quantized operand of the next product */
  q: Address;
  /** [rows] (f32 scale, i32 zero_point) */
  params: Address;
  /** [texts, d_model] f32: the states of the texts, longest text first */
  c: Address;
  h: Address;
  /** [texts, d_model] f32: h at the end, in the order of the texts */
  out: Address;
}

export class LstmEncoder implements SentenceEncoder {
  readonly #config: LstmClassificationConfig;
  readonly #runtime: Runtime;
  readonly #weights: LstmWeights;
  /** [d_embedding] f32 zeros: there are no positions to add to an embedding. */
  readonly #zeros: Address;
  #state: RunState | undefined;

  constructor(config: LstmClassificationConfig, runtime: Runtime, weights: LstmWeights) {
    this.#config = config;
    this.#runtime = runtime;
    this.#weights = weights;
    this.#zeros = runtime.allocate(config.d_embedding * F32);
    runtime.writeBytes(this.#zeros, new Uint8Array(config.d_embedding * F32));
  }

  macs(texts: number, tokens: number): number {
    const { d_embedding, d_model } = this.#config;
    const stepMacs = 4 * d_model * d_model + d_model * CELL_MACS;
    return tokens * (4 * d_model * d_embedding + stepMacs) + texts * stepMacs;
  }

  encode(texts: readonly (readonly number[])[]): Address {
    for (const tokens of texts) checkTokens(tokens, this.#config);
    const { d_embedding, d_model, bos_token_id } = this.#config;
    const { encoder, decoder } = this.#weights;
    const runtime = this.#runtime;
    const order = [...texts.keys()].sort((a, b) => texts[b]!.length - texts[a]!.length);
    const sorted = order.map((i) => texts[i]!);
    const count = texts.reduce((sum, { length }) => sum + length, 0);
    const state = this.#reserve(count, texts.length);
    const { x, gates, c, h, out } = state;
    const gateBytes = 4 * d_model * F32;
    const stateBytes = d_model * F32;

    let row = 0;
    for (let t = 0; row < count; t++) {
      for (const tokens of sorted) {
        if (t >= tokens.length) break;
        this.#embed(tokens[t]!, x + row++ * d_embedding * F32);
      }
    }
    this.#projectInput(encoder.input, count, state);
    runtime.writeBytes(c, new Uint8Array(texts.length * stateBytes));
    let step = gates;
    for (let t = 0, going = texts.length; t < sorted[0]!.length; t++) {
      while (sorted[going - 1]!.length <= t) going--;
      // The first state is zeros, and adds nothing.
      if (t > 0) this.#addRecurrent(encoder.recurrent, going, step, state);
      runtime.lstmCell(going, d_model, step, c, h);
      step += going * gateBytes;
    }

    this.#embed(bos_token_id, x);
    this.#projectInput(decoder.input, 1, state);
    for (let i = 1; i < texts.length; i++) runtime.copy(gates, gates + i * gateBytes, gateBytes);
    this.#addRecurrent(decoder.recurrent, texts.length, gates, state);
    runtime.lstmCell(texts.length, d_model, gates, c, h);
    for (const [i, text] of order.entries()) runtime.copy(h + i * stateBytes, out + text * stateBytes, stateBytes);
    return out;
  }

  /** x = embedding[token] · sqrt(d_embedding), one row. */
  #embed(token: number, x: Address): void {
    this.#runtime.embed(this.#weights.embedding, token, Math.sqrt(this.#config.d_embedding), this.#zeros, x);
  }

  /** gates = input(x) */
  #projectInput(input: Linear, rows: number, { x, gates, q, params }: RunState): void {
    this.#runtime.quantize(rows, this.#config.d_embedding, x, q, params);
    this.#runtime.product(input, rows, q, params, gates);
  }

  /** gates += recurrent(h) */
  #addRecurrent(recurrent: Linear, rows: number, gates: Address, { h, q, params }: RunState): void {
    this.#runtime.quantize(rows, this.#config.d_model, h, q, params);
    this.#runtime.product(recurrent, rows, q, params, gates, recurrent.n * F32, gates);
  }

  /** The run state, grown to what a pass needs. Its addresses are good until it grows again. */
  #reserve(rows: number, texts: number): RunState {
    const old = this.#state;
    if (old && old.rows >= rows && old.texts >= texts) return old;
    if (old) this.#runtime.free(old.buffer);
    this.#state = undefined;
    const { d_embedding, d_model } = this.#config;
    const capacity = { rows: Math.max(rows, old?.rows ?? 0), texts: Math.max(texts, old?.texts ?? 0) };
    const sizes = {
      x: capacity.rows * d_embedding * F32,
      gates: capacity.rows * 4 * d_model * F32,
      q: Math.max(capacity.rows * d_embedding, capacity.texts * d_model),
      params: capacity.rows * 8,
      c: capacity.texts * d_model * F32,
      h: capacity.texts * d_model * F32,
      out: capacity.texts * d_model * F32,
    };
    const buffer = this.#runtime.allocate(Object.values(sizes).reduce((sum, bytes) => sum + roundUp(bytes, 16), 0));
    let next = buffer;
    const place = (bytes: number) => {
      const address = next;
      next += roundUp(bytes, 16);
      return address;
    };
    this.#state = {
      ...capacity,
      buffer,
      x: place(sizes.x),
      gates: place(sizes.gates),
      q: place(sizes.q),
      params: place(sizes.params),
      c: place(sizes.c),
      h: place(sizes.h),
      out: place(sizes.out),
    };
    return this.#state;
  }
}

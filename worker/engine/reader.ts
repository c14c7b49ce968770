/**
 * A reader: the encoder over a question and part of a context, and on each of its outputs two logits, how well an answer
 * begins there and how well it ends there. What spans follow from them is spans.ts.
 */
import type { QuestionAnsweringConfig } from "../model/config.ts";
import type { Reading } from "../model/reading.ts";
import { Blocks } from "./blocks.ts";
import { Encoder } from "./encoder.ts";
import { runPasses } from "./passes.ts";
import type { Linear, Runtime } from "./runtime.ts";
import type { TurnOptions } from "./turns.ts";
import type { CommonWeights } from "./weights.ts";

/** Logits of one reading, each [T]. */
export interface SpanLogits {
  start: Float32Array;
  end: Float32Array;
}

export interface ReaderWeights extends CommonWeights {
  /** [features, d_model] */
  features: Linear;
  /** [2 rounded up to 16, d_model] */
  span: Linear;
}

export class Reader {
  readonly config: QuestionAnsweringConfig;
  readonly #runtime: Runtime;
  readonly #encoder: Encoder;
  readonly #weights: ReaderWeights;

  constructor(config: QuestionAnsweringConfig, runtime: Runtime, weights: ReaderWeights) {
    this.config = config;
    this.#runtime = runtime;
    this.#weights = weights;
    const blocks = new Blocks(config, runtime, weights.embedding, weights.positions);
    this.#encoder = new Encoder(config, weights.encoder, blocks);
  }

  /** Bytes of wasm memory this model holds now: weights and working buffers. */
  get memoryBytes(): number {
    return this.#runtime.memoryBytes;
  }

  /** Bytes of working buffers in use. */
  get allocatedBytes(): number {
    return this.#runtime.allocatedBytes;
  }

  /** Work of a pass over so many tokens, in multiply-adds. */
  macs(tokens: number): number {
    return tokens * this.#encoder.macs;
  }

  /**
   * One pass.
   * @throws RangeError if a reading is too long, or a token is not of the vocabulary
   */
  step(readings: readonly Reading[]): SpanLogits[] {
    const { features: table, span } = this.#weights;
    const runtime = this.#runtime;
    const rows = readings.map(({ features }) => features);
    const state = this.#encoder.encode(
      readings.map(({ tokens }) => tokens),
      { table, factor: 1, rows },
    );
    const count = readings.reduce((sum, { tokens }) => sum + tokens.length, 0);
    // `wide` is free, and a row of it longer than one of logits.
    runtime.quantize(count, span.k, state.h, state.q, state.params);
    runtime.product(span, count, state.q, state.params, state.wide);
    const logits = runtime.readFloats(state.wide, count * span.n);
    let row = 0;
    return readings.map(({ tokens: { length } }) => {
      const first = row;
      row += length;
      const column = (c: number) => Float32Array.from({ length }, (_, t) => logits[(first + t) * span.n + c]!);
      return { start: column(0), end: column(1) };
    });
  }
}

/**
 * The logits of any number of readings, a pass after the other.
 * @throws RangeError as of `Reader.step`; the signal's reason if aborted
 */
export function readAll(
  reader: Reader,
  readings: readonly Reading[],
  options: TurnOptions = {},
): Promise<SpanLogits[]> {
  return runPasses(
    readings,
    {
      rows: ({ tokens }) => tokens.length,
      macs: (_, rows) => reader.macs(rows),
      step: (pass) => reader.step(pass),
    },
    options,
  );
}

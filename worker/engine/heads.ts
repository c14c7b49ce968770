/**
 * Classification: one pass of the encoder, the mean of each text's outputs, and a linear layer for each question (a
 * head). Texts are packed into passes of a bounded size; between two passes the event loop gets its turn, and several
 * calls on one model may run side by side.
 */
import type { ClassificationConfig } from "../model/config.ts";
import { Blocks, F32, type RunState } from "./blocks.ts";
import { Encoder } from "./encoder.ts";
import type { Address, Runtime } from "./runtime.ts";
import { makeTurns, type TurnOptions } from "./turns.ts";
import type { ClassificationWeights } from "./weights.ts";

/** Tokens of a pass, at most (one text may exceed it): the rows of its products. More would not make them faster. */
const MAX_ROWS = 128;

export class Classifier {
  readonly config: ClassificationConfig;
  readonly #runtime: Runtime;
  readonly #weights: ClassificationWeights;
  readonly #blocks: Blocks;
  readonly #encoder: Encoder;
  /** [texts, labels of the largest head] f32; undefined before the first pass */
  #logits: { address: Address; bytes: number } | undefined;

  constructor(config: ClassificationConfig, runtime: Runtime, weights: ClassificationWeights) {
    this.config = config;
    this.#runtime = runtime;
    this.#weights = weights;
    this.#blocks = new Blocks(config, runtime, weights.embedding, weights.positions);
    this.#encoder = new Encoder(config, runtime, weights.encoder, this.#blocks);
  }

  /** Bytes of wasm memory this model holds now: weights and working buffers. */
  get memoryBytes(): number {
    return this.#runtime.memoryBytes;
  }

  /** Bytes of working buffers in use. */
  get allocatedBytes(): number {
    return this.#runtime.allocatedBytes;
  }

  /** Work of one token, in multiply-adds. */
  get encoderMacs(): number {
    return this.#encoder.macs;
  }

  /** Most tokens of a text, the end token left out. */
  get maxTokens(): number {
    return this.config.max_seq_len - 1;
  }

  /**
   * One pass.
   * @param texts [T] token ids each, end token included
   * @param heads which heads, by their index in the configuration
   * @returns for each text and each of the heads the log_probs of its labels
   * @throws RangeError if a text is too long, or a token is not of the vocabulary
   */
  step(texts: readonly (readonly number[])[], heads: readonly number[]): Float64Array[][] {
    const { d_model } = this.config;
    const runtime = this.#runtime;
    const state = this.#encoder.encode(texts);
    this.#pool(texts, state);
    runtime.quantize(texts.length, d_model, state.x, state.q, state.params);
    const logProbs: Float64Array[][] = texts.map(() => []);
    for (const head of heads) {
      const linear = this.#weights.heads[head]!;
      const { labels, temperature } = this.config.heads[head]!;
      const logits = this.#reserveLogits(texts.length * linear.n * F32);
      runtime.product(linear, texts.length, state.q, state.params, logits);
      logProbs.forEach((row, i) => {
        row.push(logSoftmax(runtime.readFloats(logits + i * linear.n * F32, labels.length), temperature));
      });
    }
    return logProbs;
  }

  /** x [texts, d_model] = the mean of each text's rows of h. */
  #pool(texts: readonly (readonly number[])[], { h, x, wide, scores }: RunState): void {
    const { d_model } = this.config;
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

  #reserveLogits(bytes: number): Address {
    if (this.#logits && this.#logits.bytes >= bytes) return this.#logits.address;
    if (this.#logits) this.#runtime.free(this.#logits.address);
    this.#logits = undefined;
    this.#logits = { bytes, address: this.#runtime.allocate(bytes) };
    return this.#logits.address;
  }
}

/**
 * log softmax(logits / temperature), in f64
 * @throws Error if a logit is NaN
 */
export function logSoftmax(logits: ArrayLike<number>, temperature: number): Float64Array {
  const scaled = Float64Array.from(logits, (logit) => logit / temperature);
  const sum = logSumExp(scaled);
  if (!Number.isFinite(sum)) {
    throw new Error("Classifier: expected numbers, got NaN; the weights are damaged, export and upload them again");
  }
  return scaled.map((z) => z - sum);
}

/** log Σ e^x */
export function logSumExp(x: Float64Array): number {
  const max = x.reduce((most, v) => Math.max(most, v), -Infinity);
  if (max === -Infinity) return max;
  return max + Math.log(x.reduce((sum, v) => sum + Math.exp(v - max), 0));
}

export interface ClassifyOptions extends TurnOptions {
  /** Which heads, by their index in the configuration. Default: all. */
  heads?: readonly number[];
}

/**
 * @param texts token ids without the end token, each at most `maxTokens` long: whole texts, or windows of long ones
 * @returns for each text and each of the heads the natural log_probs of its labels, after the head's temperature
 * @throws RangeError if a text is too long or there is no such head; the signal's reason if aborted
 */
export async function classify(
  model: Classifier,
  texts: readonly (readonly number[])[],
  options: ClassifyOptions = {},
): Promise<Float64Array[][]> {
  const { config } = model;
  const heads = options.heads ?? [...config.heads.keys()];
  const unknown = heads.find((head) => !config.heads[head]);
  if (unknown !== undefined) {
    throw new RangeError(`classify: expected heads in 0…${config.heads.length - 1}, got ${unknown}`);
  }
  const takeTurns = makeTurns(options);
  const results: Float64Array[][] = [];
  while (results.length < texts.length) {
    const pass: number[][] = [];
    let rows = 0;
    for (let i = results.length; i < texts.length; i++) {
      const tokens = [...texts[i]!, config.eos_token_id];
      if (rows > 0 && rows + tokens.length > MAX_ROWS) break;
      pass.push(tokens);
      rows += tokens.length;
    }
    await takeTurns(rows * model.encoderMacs);
    results.push(...model.step(pass, heads));
  }
  return results;
}

/**
 * The log_probs of a text from those of its windows: their mean, weighted by the windows' tokens, made to sum up to
 * one again. It is what a product of experts says: a window that is sure counts for more than one that is not.
 * @param windows log_probs [labels] of each window
 * @param tokens of each window
 */
export function combineWindows(windows: readonly Float64Array[], tokens: readonly number[]): Float64Array {
  const [first] = windows;
  if (!first || windows.length === 1) return first ?? new Float64Array(0);
  const total = tokens.reduce((sum, count) => sum + count, 0);
  const mean = first.map((_, label) =>
    windows.reduce((sum, logProbs, i) => sum + (logProbs[label]! * tokens[i]!) / total, 0),
  );
  const sum = logSumExp(mean);
  return mean.map((z) => z - sum);
}

/**
 * Whether a text belongs to none of a head's labels: the most probable one says so, or is not probable enough.
 * @param best index of the most probable label
 */
export function isOutOfScope(
  { labels, out_of_scope, out_of_scope_below = 0 }: ClassificationConfig["heads"][number],
  logProbs: Float64Array,
  best: number,
): boolean {
  return out_of_scope !== null && (labels[best] === out_of_scope || Math.exp(logProbs[best]!) < out_of_scope_below);
}

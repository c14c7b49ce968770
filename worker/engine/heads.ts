/**
 * Classification: a sentence encoder, and a linear layer on its vectors for each question (a head). Texts are packed
 * into passes of a bounded size; between two passes the event loop gets its turn, and several calls on one model may
 * run side by side.
 */
import type { ClassificationConfig } from "../model/config.ts";
import { roundUp } from "../model/format.ts";
import { F32 } from "./blocks.ts";
import { runPasses } from "./passes.ts";
import type { Address, Linear, Runtime } from "./runtime.ts";
import type { SentenceEncoder } from "./sentence-encoder.ts";
import type { TurnOptions } from "./turns.ts";

/** Working buffers for up to `texts` texts. */
interface RunState {
  texts: number;
  buffer: Address;
  /** [texts, d_model] u8: quantized vectors */
  q: Address;
  /** [texts] (f32 scale, i32 zero_point) */
  params: Address;
  /** [texts, labels of the largest head rounded up to 16] f32 */
  logits: Address;
}

export class Classifier {
  readonly config: ClassificationConfig;
  readonly encoder: SentenceEncoder;
  readonly #runtime: Runtime;
  readonly #heads: readonly Linear[];
  #state: RunState | undefined;

  /** @param heads [labels rounded up to 16, d_model] each, in the configuration's order */
  constructor(config: ClassificationConfig, runtime: Runtime, encoder: SentenceEncoder, heads: readonly Linear[]) {
    this.config = config;
    this.encoder = encoder;
    this.#runtime = runtime;
    this.#heads = heads;
  }

  /** Bytes of wasm memory this model holds now: weights and working buffers. */
  get memoryBytes(): number {
    return this.#runtime.memoryBytes;
  }

  /** Bytes of working buffers in use. */
  get allocatedBytes(): number {
    return this.#runtime.allocatedBytes;
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
    const vectors = this.encoder.encode(texts);
    const { q, params, logits } = this.#reserve(texts.length);
    runtime.quantize(texts.length, d_model, vectors, q, params);
    const logProbs: Float64Array[][] = texts.map(() => []);
    for (const head of heads) {
      const linear = this.#heads[head]!;
      const { labels, temperature } = this.config.heads[head]!;
      runtime.product(linear, texts.length, q, params, logits);
      logProbs.forEach((row, i) => {
        row.push(logSoftmax(runtime.readFloats(logits + i * linear.n * F32, labels.length), temperature));
      });
    }
    return logProbs;
  }

  /** The run state, grown to `texts` texts. Its addresses are good until it grows again. */
  #reserve(texts: number): RunState {
    if (this.#state && this.#state.texts >= texts) return this.#state;
    if (this.#state) this.#runtime.free(this.#state.buffer);
    this.#state = undefined;
    const qBytes = roundUp(texts * this.config.d_model, 16);
    const paramsBytes = roundUp(texts * 8, 16);
    const logitsBytes = texts * Math.max(...this.#heads.map(({ n }) => n)) * F32;
    const buffer = this.#runtime.allocate(qBytes + paramsBytes + logitsBytes);
    const params = buffer + qBytes;
    this.#state = { texts, buffer, q: buffer, params, logits: params + paramsBytes };
    return this.#state;
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
  return runPasses(
    texts.map((tokens) => [...tokens, config.eos_token_id]),
    {
      rows: ({ length }) => length,
      macs: (count, rows) => model.encoder.macs(count, rows),
      step: (pass) => model.step(pass, heads),
    },
    options,
  );
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

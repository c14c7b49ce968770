/**
 * Embedding: a sentence encoder, whose vectors are made of length 1, so that the cosine of two of them is their dot
 * product. Texts are packed into passes as in classification (passes.ts); between two passes the event loop gets its turn.
 */
import type { EmbeddingConfig } from "../model/config.ts";
import { F32 } from "./blocks.ts";
import { runPasses } from "./passes.ts";
import type { Runtime } from "./runtime.ts";
import type { SentenceEncoder } from "./sentence-encoder.ts";
import type { TurnOptions } from "./turns.ts";

export class Embedder {
  readonly config: EmbeddingConfig;
  readonly encoder: SentenceEncoder;
  readonly #runtime: Runtime;

  constructor(config: EmbeddingConfig, runtime: Runtime, encoder: SentenceEncoder) {
    this.config = config;
    this.#runtime = runtime;
    this.encoder = encoder;
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
   * @returns [d_model] of each text, of length 1
   * @throws RangeError if a text is too long, or a token is not of the vocabulary
   */
  step(texts: readonly (readonly number[])[]): Float32Array[] {
    const { d_model } = this.config;
    const vectors = this.encoder.encode(texts);
    return texts.map((_, i) => normalize(this.#runtime.readFloats(vectors + i * d_model * F32, d_model)));
  }
}

/**
 * x / ‖x‖, in f64 until it is rounded
 * @throws Error if an element is NaN
 */
export function normalize(x: Float32Array): Float32Array {
  const length = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  if (!Number.isFinite(length)) {
    throw new Error("Embedder: expected numbers, got NaN; the weights are damaged, export and upload them again");
  }
  return length === 0 ? x : x.map((value) => value / length);
}

/**
 * @param texts token ids without the end token, each at most `maxTokens` long: whole texts, or windows of long ones
 * @returns [d_model] of each, of length 1
 * @throws RangeError if a text is too long; the signal's reason if aborted
 */
export async function embed(
  model: Embedder,
  texts: readonly (readonly number[])[],
  options: TurnOptions = {},
): Promise<Float32Array[]> {
  return runPasses(
    texts.map((tokens) => [...tokens, model.config.eos_token_id]),
    {
      rows: ({ length }) => length,
      macs: (count, rows) => model.encoder.macs(count, rows),
      step: (pass) => model.step(pass),
    },
    options,
  );
}

/** The vector of a text from those of its windows: their mean, weighted by the windows' tokens, of length 1 again. */
export function meanOfWindows(windows: readonly Float32Array[], tokens: readonly number[]): Float32Array {
  const [first] = windows;
  if (!first) throw new RangeError("meanOfWindows: expected a window, got none");
  if (windows.length === 1) return first;
  return normalize(first.map((_, i) => windows.reduce((sum, vector, w) => sum + vector[i]! * tokens[w]!, 0)));
}

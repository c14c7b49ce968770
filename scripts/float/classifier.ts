/**
 * A float checkpoint of a classifier, computed by the network that trained it: it shows what quantization costs. Never
 * served.
 */
import { logSoftmax } from "../../worker/engine/heads.ts";
import type { ClassificationConfig } from "../../worker/model/config.ts";
import type { NGrams } from "../../worker/model/n-grams.ts";
import { averageCheckpoints } from "../export/average.ts";
import type { TextClassifier } from "../metrics/classify.ts";
import { type Address, Arena } from "../training/cpu/memory.ts";
import { runLogits } from "../training/cpu/network.ts";
import { Tape, type Tensor } from "../training/cpu/tape.ts";
import { tokenColumns } from "../training/lstm-batches.ts";
import { nGramsIn, parameterSlices } from "../training/parameters.ts";
import { fillNGrams, fillTokens } from "../training/text-batches.ts";

/** Texts that are computed at once: what a step allocates grows with them. */
const BATCH = 32;

export class FloatClassifier implements TextClassifier {
  readonly config: ClassificationConfig;
  readonly #arena = new Arena();
  readonly #weights = new Map<string, Tensor>();
  readonly #nGrams: NGrams | undefined;
  /** What a batch allocates begins here. */
  readonly #mark: Address;

  private constructor(config: ClassificationConfig, parameters: Float32Array) {
    this.config = config;
    const base = this.#arena.allocate(parameters.length);
    this.#arena.floats(base, parameters.length).set(parameters);
    for (const { name, shape, offset } of parameterSlices(config)) {
      const [rows, columns] = shape.length === 2 ? shape : [1, shape[0]];
      this.#weights.set(name, { rows, columns, value: base + 4 * offset, gradient: 0 });
    }
    this.#mark = this.#arena.mark;
    this.#nGrams = nGramsIn(parameters, config);
  }

  /** @throws Error in one line if there is no such file, it is broken, or it belongs to another configuration */
  static async load(paths: string[], config: ClassificationConfig): Promise<FloatClassifier> {
    return new FloatClassifier(config, (await averageCheckpoints(paths, config)).parameters);
  }

  async classify(texts: number[][], heads: number[]): Promise<Float64Array[][]> {
    const results: Float64Array[][] = [];
    for (let start = 0; start < texts.length; start += BATCH) {
      results.push(...this.#classifyBatch(texts.slice(start, start + BATCH), heads));
    }
    return results;
  }

  #classifyBatch(texts: number[][], heads: number[]): Float64Array[][] {
    this.#arena.release(this.#mark);
    const tape = new Tape(this.#arena, 0, 0);
    const logits = runLogits(tape, (name) => this.#weights.get(name)!, this.#arrays(texts), this.config, heads);
    return texts.map((_, text) =>
      heads.map((head, i) => {
        const { value, columns } = logits[i]!;
        return logSoftmax(
          this.#arena.floats(value + 4 * text * columns, columns),
          this.config.heads[head]!.temperature,
        );
      }),
    );
  }

  /** A text a row, its end token behind it. */
  #arrays(texts: number[][]) {
    const length = 1 + texts.reduce((most, tokens) => Math.max(most, tokens.length), 0);
    if (this.config.model_type === "edge-slm-lstm") return tokenColumns(texts, texts.length, length, this.config);
    const rows = texts.map((tokens) => [{ tokens }]);
    const shape = { rows: texts.length, length, slots: 1 };
    const { arrays } = fillTokens(rows, shape, this.config);
    return { ...arrays, ...(this.#nGrams && fillNGrams(rows, shape, this.config, this.#nGrams)) };
  }
}

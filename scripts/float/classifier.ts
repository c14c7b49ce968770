/**
 * A float checkpoint of a classifier, computed by the graph that trained it: it shows what quantization costs. In jax-js
 * on the CPU, as plain loops would take an hour for what a test split has.
 */
import { defaultDevice, init, jit, type Array as NdArray, numpy as np } from "@jax-js/jax";
import { logSoftmax } from "../../worker/engine/heads.ts";
import type { ClassificationConfig } from "../../worker/model/config.ts";
import type { TextClassifier } from "../metrics/classify.ts";
import { type HostBatch, packRows } from "../training/batches.ts";
import type { Params } from "../training/blocks.ts";
import { readCheckpoint } from "../training/checkpoint.ts";
import { classificationLogits, labelOffsets, type TokenBatch } from "../training/classification.ts";
import { parameterSlices } from "../training/parameters.ts";
import { fillTokens, type TextShape, textPacking } from "../training/text-batches.ts";

const ROWS = 8;
const SLOTS = 16;

type Forward = (params: Params, batch: TokenBatch) => NdArray;

export class FloatClassifier implements TextClassifier {
  readonly config: ClassificationConfig;
  readonly #params: Params;
  readonly #forward: Forward;
  readonly #shape: TextShape;

  private constructor(config: ClassificationConfig, params: Params) {
    this.config = config;
    this.#params = params;
    this.#shape = { rows: ROWS, length: config.max_seq_len, slots: SLOTS };
    this.#forward = jit((p: Params, batch: TokenBatch) => classificationLogits(p, batch, SLOTS, config)) as Forward;
  }

  /** @throws Error in one line if there is no such file, it is broken, or it belongs to another configuration */
  static async load(path: string, config: ClassificationConfig): Promise<FloatClassifier> {
    const { parameters } = await readCheckpoint(path, config);
    await init("wasm");
    defaultDevice("wasm");
    const params: Params = {};
    for (const { name, shape, offset, length } of parameterSlices(config)) {
      params[name] = np.array(parameters.slice(offset, offset + length), { shape });
    }
    return new FloatClassifier(config, params);
  }

  async classify(texts: number[][], heads: number[]): Promise<Float64Array[][]> {
    const { offsets, total } = labelOffsets(this.config);
    const items = texts.map((tokens, index) => ({ tokens, index }));
    const rows = packRows(items, textPacking<(typeof items)[number]>(this.#shape));
    const results: Float64Array[][] = [];
    for (let start = 0; start < rows.length; start += ROWS) {
      const batch = rows.slice(start, start + ROWS);
      const logits = await this.#logits(fillTokens(batch, this.#shape, this.config).arrays);
      for (const [r, row] of batch.entries()) {
        for (const [slot, { index }] of row.entries()) {
          const from = (r * SLOTS + slot) * total;
          results[index] = heads.map((head) => {
            const { labels, temperature } = this.config.heads[head]!;
            return logSoftmax(
              logits.subarray(from + offsets[head]!, from + offsets[head]! + labels.length),
              temperature,
            );
          });
        }
      }
    }
    return results;
  }

  /** [B·S, labels of all heads] */
  async #logits(arrays: HostBatch["arrays"]): Promise<Float32Array> {
    const upload = ({ data, shape }: HostBatch["arrays"][string]) => np.array(data, { shape, dtype: np.int32 });
    const params = Object.fromEntries(Object.entries(this.#params).map(([name, array]) => [name, array.ref]));
    const logits = this.#forward(params, {
      source: upload(arrays.source!),
      sourceSegment: upload(arrays.sourceSegment!),
      sourcePosition: upload(arrays.sourcePosition!),
    });
    return (await logits.data()) as Float32Array;
  }
}

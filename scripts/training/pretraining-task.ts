/** Pre-training as a training task: name the hidden tokens of plain text. */
import type { EncoderClassificationConfig } from "../../worker/model/config.ts";
import { packRows } from "./batches.ts";
import { hash32, shuffle, uniformStream } from "./random.ts";
import { maskedBatches, type TextShape, textPacking } from "./text-batches.ts";
import type { TrainingTask } from "./trainer.ts";

export interface PretrainingTaskOptions {
  config: EncoderClassificationConfig;
  shape: TextShape;
  /** Replicas. */
  count: number;
  /** Token ids of texts no longer than a row. */
  train: number[][];
  dev: number[][];
  epochTokens: number;
  seed: number;
}

export function pretrainingTask(options: PretrainingTaskOptions): TrainingTask {
  const { config, shape, count, train, dev, epochTokens, seed } = options;
  const asTexts = (texts: number[][]) => texts.map((tokens) => ({ tokens }));
  const texts = (epoch: number) => {
    const drawn: number[][] = [];
    let tokens = 0;
    for (const text of shuffle([...train], uniformStream(hash32(seed, epoch, -1)))) {
      if (tokens >= epochTokens) break;
      drawn.push(text);
      tokens += text.length;
    }
    return asTexts(drawn);
  };
  const rows = packRows(texts(0), textPacking<{ tokens: number[] }>(shape)).length;
  return {
    epoch: (epoch) => maskedBatches(texts(epoch), shape, config, hash32(seed, epoch), count),
    stepsPerEpoch: Math.ceil(rows / (shape.rows * count)),
    dev: () => maskedBatches(asTexts(dev), shape, config, 0, count),
    // How likely the hidden tokens are on average (the geometric mean of their probabilities), in percent.
    score: async (_parameters, devLoss) => 100 * Math.exp(-devLoss),
  };
}

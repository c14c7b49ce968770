/** Translation as a training task: packed sentence pairs, and BLEU of the quantized network on dev. */
import type { TranslationConfig } from "../../worker/model/config.ts";
import { hash32 } from "./random.ts";
import type { TrainingTask } from "./trainer.ts";
import { type PairShape, packingFigures, type TokenPair, translationBatches } from "./translation-batches.ts";

export interface TranslationTaskOptions {
  config: TranslationConfig;
  shape: PairShape;
  /** Replicas. */
  count: number;
  train: TokenPair[];
  dev: TokenPair[];
  seed: number;
  /** BLEU of flat parameters on dev. */
  score(parameters: Float32Array): Promise<number>;
}

export function translationTask(options: TranslationTaskOptions): TrainingTask {
  const { config, shape, count, train, dev, seed, score } = options;
  return {
    epoch: (epoch) => translationBatches(train, shape, config, hash32(seed, epoch), count),
    stepsPerEpoch: packingFigures(train, shape, count).groups,
    dev: () => translationBatches(dev, shape, config, 0, count),
    score,
  };
}

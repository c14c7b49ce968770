/** Classification as a training task: balanced sampling over the heads, packed or bucketed texts, accuracy on dev. */
import type { ClassificationConfig } from "../../worker/model/config.ts";
import { packRows } from "./batches.ts";
import { lstmBatches, lstmSteps } from "./lstm-batches.ts";
import { hash32 } from "./random.ts";
import { draw, shares } from "./sampling.ts";
import {
  classificationBatches,
  type LabelledTokens,
  type TextBatchOptions,
  type TextShape,
  textPacking,
} from "./text-batches.ts";
import { randomWindows } from "./texts.ts";
import type { TrainingTask } from "./trainer.ts";

export interface ClassificationTaskOptions {
  config: ClassificationConfig;
  shape: TextShape;
  /** Replicas. */
  count: number;
  nGrams?: TextBatchOptions["nGrams"];
  /** By head. */
  train: LabelledTokens[][];
  dev: LabelledTokens[][];
  epochTexts: number;
  samplingExponent: number;
  /** Of each head's part of an epoch; default: 1. */
  factors?: number[];
  tokenDropout: number;
  nGramDropout: number;
  seed: number;
  /** What the checkpoint is chosen by, of flat parameters on dev. */
  score(parameters: Float32Array): Promise<number>;
}

export function classificationTask(options: ClassificationTaskOptions): TrainingTask {
  const { config, shape, count, train, dev, tokenDropout, nGrams, nGramDropout, seed, score } = options;
  const counts = shares(
    train.map((texts) => texts.length),
    options.samplingExponent,
    options.epochTexts,
    options.factors,
  );
  const windowLength = shape.length - 1;
  const texts = (epoch: number) => {
    const drawn = train.flatMap((items, head) => draw(items, counts[head]!, hash32(seed, epoch, head)));
    return randomWindows(drawn, windowLength, hash32(seed, epoch, -1));
  };
  const isLstm = config.model_type === "edge-slm-lstm";
  const batches = isLstm ? lstmBatches : classificationBatches;
  // The schedule ends where the epochs do only if the tokens that are left out are not counted.
  const rows = () => (1 - tokenDropout) * packRows(texts(0), textPacking<LabelledTokens>(shape)).length;
  const devTexts = dev.flat().map((text) => ({ ...text, tokens: text.tokens.slice(0, windowLength) }));
  return {
    epoch: (epoch) =>
      batches(texts(epoch), shape, config, hash32(seed, epoch), count, { tokenDropout, nGrams, nGramDropout }),
    stepsPerEpoch: isLstm ? lstmSteps(texts(0), shape, count) : Math.ceil(rows() / (shape.rows * count)),
    dev: () => batches(devTexts, shape, config, 0, count, { nGrams }),
    score,
  };
}

/** Recommendation as a training task: packed histories, what came next; NDCG@10 on the users' last but one items. */
import type { RecommendationConfig } from "../../worker/model/config.ts";
import { packRows } from "./batches.ts";
import { type History, type HistoryShape, historyPacking, nextItemBatches } from "./item-batches.ts";
import { hash32 } from "./random.ts";
import type { TrainingTask } from "./trainer.ts";

export interface RecommendationTaskOptions {
  config: RecommendationConfig;
  shape: HistoryShape;
  /** Replicas. */
  count: number;
  /** Rows of the catalogue, oldest first. */
  train: readonly History[];
  seed: number;
  /** What the checkpoint is chosen by, of flat parameters on dev. */
  score(parameters: Float32Array): Promise<number>;
}

export function recommendationTask({ shape, count, train, seed, score }: RecommendationTaskOptions): TrainingTask {
  const histories = train.flatMap((history) => windows(history, shape.length));
  const rows = packRows(histories, historyPacking(shape)).length;
  // Of few histories a tenth says enough of the loss without dropout; the score is what decides.
  const sample = histories.filter((_, i) => i % 10 === 0);
  return {
    epoch: (epoch) => nextItemBatches(histories, shape, hash32(seed, epoch), count),
    stepsPerEpoch: Math.ceil(rows / (shape.rows * count)),
    dev: () => nextItemBatches(sample, shape, 0, count),
    score,
  };
}

/** Windows of a history, the latest first, so that each of its items but the first is named once. */
function windows(history: History, length: number): History[] {
  const parts: History[] = [];
  for (let end = history.length; end > 1; end -= length) parts.push(history.slice(Math.max(0, end - length - 1), end));
  return parts;
}

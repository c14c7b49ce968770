/** What the command line says about a training run. */
import type { DataOptions, TrainingOptions } from "../recipes/recipe.ts";
import type { DeviceName } from "./replica.ts";

export interface RunOptions {
  runDir: string;
  device: DeviceName;
  /** Replicas. */
  count: number;
  data: DataOptions;
  /** Instead of the recipe's. */
  epochs?: number | undefined;
  /** The highest, instead of the recipe's. */
  learningRate?: number | undefined;
}

/** The recipe's schedule, with what the command line says of it. */
export function trainingOf(
  { training }: { training: TrainingOptions },
  { epochs = training.epochs, learningRate = training.peakLearningRate }: RunOptions,
): TrainingOptions {
  return { ...training, epochs, peakLearningRate: learningRate };
}

/** Rows of one step, over all replicas. */
export function rowsPerStep({ rowsPerStep: { cpu, webgpu } }: TrainingOptions, device: DeviceName): number {
  return device === "webgpu" ? webgpu : cpu;
}

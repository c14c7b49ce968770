/**
 * What the training of every recipe shares: the device, the replicas, the console, Ctrl-C, the loss plot. What is
 * trained is the caller's task.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { TrainingOptions } from "../recipes/recipe.ts";
import { writeLossPlot } from "../report/plot.ts";
import { trainingConsole } from "./console.ts";
import type { Objective } from "./objectives.ts";
import type { DeviceName } from "./replica.ts";
import { createReplicas } from "./replicas.ts";
import { type TrainingTask, train } from "./trainer.ts";
import { startWebGpu } from "./webgpu.ts";

export interface DeviceChoice {
  device: DeviceName;
  /** Replicas. */
  count: number;
}

/** WebGPU if there is an adapter, else the CPU with one replica per core. */
export async function chooseDevice(wanted: DeviceName | "auto", threads?: number): Promise<DeviceChoice> {
  const device = wanted === "auto" ? ((await startWebGpu()) ? "webgpu" : "cpu") : wanted;
  return { device, count: device === "webgpu" ? 1 : (threads ?? availableParallelism()) };
}

export interface SessionOptions extends DeviceChoice {
  runDir: string;
  objective: Objective;
  training: TrainingOptions;
  task: TrainingTask;
  /** What the dev score is, e.g. "BLEU". */
  scoreName: string;
  /** Names of tensors that stay as they are. */
  frozen?: readonly string[];
  /** Writes over the random parameters, flat, of a run that begins. */
  initialize?(parameters: Float32Array): void | Promise<void>;
}

/**
 * Trains to the end of the schedule, or until Ctrl-C, which writes a checkpoint first.
 * @returns whether it came to the end, the best dev score and its step
 */
export async function runSession(options: SessionOptions): Promise<{ done: boolean; score: number; step: number }> {
  const { device, count, runDir, objective, training, task, scoreName, initialize, frozen = [] } = options;
  const { dropout, labelSmoothing } = training;
  const replicas = await createReplicas({ device, objective, regularization: { dropout, labelSmoothing } }, count);
  const stop = new AbortController();
  const abort = () => stop.abort();
  process.once("SIGINT", abort).once("SIGTERM", abort);
  const view = trainingConsole(`dev ${scoreName}`);
  try {
    const progress = await train({
      training,
      config: objective.config,
      task,
      runDir,
      replicas,
      epochs: training.epochs,
      onStep: view.onStep,
      onEvaluation: view.onEvaluation,
      signal: stop.signal,
      frozen,
      ...(initialize && { initialize }),
    });
    view.stop();
    await writeLossPlot(join(runDir, "metrics.jsonl"), join(runDir, "loss.svg"), scoreName);
    if (stop.signal.aborted) console.log(`stopped at step ${progress.step}; the same command goes on from here`);
    return { done: !stop.signal.aborted, score: progress.bestScore, step: progress.bestStep };
  } finally {
    view.stop();
    process.off("SIGINT", abort).off("SIGTERM", abort);
    await replicas.close();
  }
}

/**
 * The training loop: epochs of packed batches through the replicas, AdamW, evaluation on dev, the best checkpoint
 * kept. A run is a folder; started again it goes on exactly where its last checkpoint stands.
 *
 *   config.json tokenizer.json   what the model is; of a recommender items.txt
 *   metrics.jsonl loss.svg       one row a step, and an evaluation's figures with the step it came after
 *   last.safetensors             everything that going on needs
 *   best.safetensors             the parameters with the best dev score
 */
import { existsSync } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TrainingOptions } from "../recipes/recipe.ts";
import type { HostBatch } from "./batches.ts";
import { type Progress, readCheckpoint, writeCheckpoint, writeWhole } from "./checkpoint.ts";
import { AdamW, learningRateAt } from "./optimizer.ts";
import { initializeParameters, type NetworkConfig, parameterSlices } from "./parameters.ts";
import { hash32 } from "./random.ts";
import type { Replicas } from "./replicas.ts";

/** One line of metrics.jsonl a step; losses in nats, a target token, a text or a hidden token. */
export interface StepMetrics {
  step: number;
  epoch: number;
  /** With label smoothing and dropout, as trained. */
  loss: number;
  learning_rate: number;
  gradient_norm: number;
  /** Real tokens a second; of translation, target tokens. */
  tokens_per_s: number;
  elapsed_s: number;
}

/** One line of metrics.jsonl an evaluation, after the step it names. */
export interface DevMetrics {
  step: number;
  epoch: number;
  dev_loss: number;
  /** What the checkpoint is chosen by: BLEU, accuracy in percent, NDCG@10 in percent. */
  dev_score: number;
  elapsed_s: number;
}

/** What is trained: where its batches come from, and how good it is. */
export interface TrainingTask {
  /** All batches of an epoch, in groups of one per replica; the same for the same epoch, always. */
  epoch(epoch: number): Iterable<HostBatch[]>;
  /** Steps of an epoch, about: only the schedule asks. */
  stepsPerEpoch: number;
  /** The held-out batches, in groups of one per replica. */
  dev(): Iterable<HostBatch[]>;
  /** How good these parameters are on dev, more is better. `devLoss` is what they reach there, in nats. */
  score(parameters: Float32Array, devLoss: number): Promise<number>;
}

export interface TrainerOptions {
  training: TrainingOptions;
  config: NetworkConfig;
  task: TrainingTask;
  runDir: string;
  replicas: Replicas;
  epochs: number;
  /** Names of tensors that stay as they are. */
  frozen?: readonly string[];
  /** Writes over the random parameters, flat, of a run that begins. */
  initialize?(parameters: Float32Array): void | Promise<void>;
  onStep?(metrics: StepMetrics, totalSteps: number): void;
  onEvaluation?(metrics: DevMetrics): void;
  /** When it aborts, the step is finished, the checkpoint written, and the run returns. */
  signal?: AbortSignal;
}

/** Seconds between checkpoints inside an epoch. */
const CHECKPOINT_INTERVAL_S = 180;

/** Trains to the last epoch or until the signal. @returns where the run stands */
export async function train(options: TrainerOptions): Promise<Progress> {
  const { training, config, task, runDir, replicas, epochs } = options;
  const slices = parameterSlices(config);
  const { parameters } = replicas;
  const trained = slices.map((slice) => ({
    ...slice,
    trainable: slice.trainable && !options.frozen?.includes(slice.name),
  }));
  const optimizer = new AdamW(parameters.length, trained, {
    beta1: 0.9,
    beta2: 0.98,
    eps: 1e-9,
    weightDecay: training.weightDecay,
    maxNorm: 1,
  });
  const lastPath = join(runDir, "last.safetensors");
  const metricsPath = join(runDir, "metrics.jsonl");

  let progress: Progress = { step: 0, epoch: 0, group: 0, bestScore: -1, bestStep: 0, elapsedS: 0 };
  if (existsSync(lastPath)) {
    const checkpoint = await readCheckpoint(lastPath, config);
    if (!checkpoint.moments) throw new Error(`${lastPath}: expected the optimizer's moments in it, found none`);
    parameters.set(checkpoint.parameters);
    optimizer.m.set(checkpoint.moments.m);
    optimizer.v.set(checkpoint.moments.v);
    progress = checkpoint.progress;
    await dropMetricsAfter(metricsPath, progress);
  } else {
    initializeParameters(parameters, slices, config, training.seed);
    await options.initialize?.(parameters);
    await writeWhole(metricsPath, "");
  }

  const totalSteps = task.stepsPerEpoch * epochs;
  const schedule = {
    peak: training.peakLearningRate,
    warmupSteps: training.warmupSteps,
    decaySteps: Math.round(totalSteps * training.decayShare),
    totalSteps,
  };

  let rows: string[] = [];
  let lastSaveS = progress.elapsedS;
  const save = async () => {
    await appendFile(metricsPath, rows.join(""));
    rows = [];
    await writeCheckpoint(lastPath, config, parameters, progress, optimizer);
    lastSaveS = progress.elapsedS;
  };

  while (progress.epoch < epochs) {
    let group = 0;
    for (const batches of task.epoch(progress.epoch)) {
      if (group++ < progress.group) continue;
      const startMs = performance.now();
      const metrics = await trainStep(batches, progress, replicas, optimizer, training.seed, schedule);
      progress = { ...progress, step: progress.step + 1, group };
      progress.elapsedS += (performance.now() - startMs) / 1000;
      metrics.elapsed_s = round(progress.elapsedS);
      rows.push(`${JSON.stringify(metrics)}\n`);
      options.onStep?.(metrics, totalSteps);
      if (options.signal?.aborted || progress.elapsedS - lastSaveS > CHECKPOINT_INTERVAL_S) await save();
      if (options.signal?.aborted) return progress;
    }
    progress = { ...progress, epoch: progress.epoch + 1, group: 0 };
    if (progress.epoch % training.evaluateEvery === 0 || progress.epoch === epochs) {
      const startMs = performance.now();
      const devLoss = await meanLoss(task.dev(), replicas);
      const devScore = await task.score(parameters, devLoss);
      progress.elapsedS += (performance.now() - startMs) / 1000;
      const { step, epoch, elapsedS } = progress;
      const metrics = { step, epoch, dev_loss: round(devLoss), dev_score: round(devScore), elapsed_s: round(elapsedS) };
      rows.push(`${JSON.stringify(metrics)}\n`);
      options.onEvaluation?.(metrics);
      if (devScore > progress.bestScore) {
        progress = { ...progress, bestScore: devScore, bestStep: progress.step };
        await writeCheckpoint(join(runDir, "best.safetensors"), config, parameters, progress);
      }
    }
    await save();
  }
  return progress;
}

async function trainStep(
  batches: HostBatch[],
  progress: Progress,
  replicas: Replicas,
  optimizer: AdamW,
  seed: number,
  schedule: Parameters<typeof learningRateAt>[1],
): Promise<StepMetrics> {
  const step = progress.step + 1;
  const startMs = performance.now();
  const seeds = batches.map((_, replica) => hash32(seed, step, replica));
  const { smoothedLoss, count } = await replicas.step(batches, seeds);
  const tokens = batches.reduce((sum, batch) => sum + batch.tokens, 0);
  const learningRate = learningRateAt(step, schedule);
  const norm = optimizer.update(replicas.parameters, replicas.gradients, 1 / count, learningRate, step);
  if (!Number.isFinite(norm)) {
    throw new Error(`step ${step}: the gradient is ${norm}; lower the learning rate in the recipe`);
  }
  return {
    step,
    epoch: progress.epoch,
    loss: round(smoothedLoss / count),
    learning_rate: Number(learningRate.toPrecision(4)),
    gradient_norm: round(norm),
    tokens_per_s: Math.round(tokens / ((performance.now() - startMs) / 1000)),
    elapsed_s: 0,
  };
}

/** Cross-entropy in nats, without dropout or smoothing. */
async function meanLoss(groups: Iterable<HostBatch[]>, replicas: Replicas): Promise<number> {
  let loss = 0;
  let count = 0;
  for (const batches of groups) {
    const result = await replicas.loss(batches);
    loss += result.loss;
    count += result.count;
  }
  return loss / count;
}

/** A run that was killed between two checkpoints has lines that will come again. */
async function dropMetricsAfter(path: string, { step, epoch }: Progress): Promise<void> {
  const lines = existsSync(path) ? (await readFile(path, "utf8")).split("\n").filter(Boolean) : [];
  const kept = lines.filter((line) => {
    const row = JSON.parse(line) as StepMetrics | DevMetrics;
    return row.step <= step && ("loss" in row || row.epoch <= epoch);
  });
  await writeWhole(path, kept.map((line) => `${line}\n`).join(""));
}

function round(value: number): number {
  return Math.round(value * 1e5) / 1e5;
}

/**
 * The training loop: epochs of packed batches through the replicas, AdamW, evaluation on dev, the best checkpoint
 * kept. A run is a folder; started again it goes on exactly where its last checkpoint stands.
 *
 *   config.json tokenizer.json   what the model is
 *   metrics.jsonl loss.svg       one row a step, and an evaluation's figures with the step it came after
 *   last.safetensors             everything that going on needs
 *   best.safetensors             the parameters with the best dev score
 */
import { existsSync } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ModelConfig } from "../../worker/model/config.ts";
import type { TranslationRecipe } from "../recipes/recipe.ts";
import { type BatchShape, epochBatches, type HostBatch, packingFigures, type TokenPair } from "./batches.ts";
import { type Progress, readCheckpoint, writeCheckpoint, writeWhole } from "./checkpoint.ts";
import { AdamW, learningRateAt } from "./optimizer.ts";
import { initializeParameters, parameterSlices } from "./parameters.ts";
import { hash32 } from "./random.ts";
import type { Replicas } from "./replicas.ts";

/** One line of metrics.jsonl; losses in nats a target token. */
export interface StepMetrics {
  step: number;
  epoch: number;
  /** With label smoothing and dropout, as trained. */
  loss: number;
  learning_rate: number;
  gradient_norm: number;
  /** Real target tokens a second. */
  tokens_per_s: number;
  elapsed_s: number;
  dev_loss?: number;
  dev_bleu?: number;
}

export interface TrainerOptions {
  recipe: TranslationRecipe;
  config: ModelConfig;
  runDir: string;
  replicas: Replicas;
  shape: BatchShape;
  train: TokenPair[];
  dev: TokenPair[];
  epochs: number;
  /** BLEU of these parameters on dev. */
  scoreDev(parameters: Float32Array): Promise<number>;
  /** Called after each step. */
  onStep?(metrics: StepMetrics, totalSteps: number): void;
  /** When it aborts, the step is finished, the checkpoint written, and the run returns. */
  signal?: AbortSignal;
}

/** Seconds between checkpoints inside an epoch. */
const CHECKPOINT_INTERVAL_S = 180;

/** Thrown when the loss is no number any more. */
export class DivergedError extends Error {}

/** Trains to the last epoch or until the signal. @returns where the run stands */
export async function train(options: TrainerOptions): Promise<Progress> {
  const { recipe, config, runDir, replicas, shape, epochs } = options;
  const { training } = recipe;
  const slices = parameterSlices(config);
  const { parameters } = replicas;
  const optimizer = new AdamW(parameters.length, slices, {
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
    await dropMetricsAfter(metricsPath, progress.step);
  } else {
    initializeParameters(parameters, slices, config, training.seed);
    await writeWhole(metricsPath, "");
  }

  const batchesOf = (epoch: number) =>
    epochBatches(options.train, shape, config, hash32(training.seed, epoch), replicas.count);
  // The number of steps differs a little from epoch to epoch; the schedule only needs a good estimate.
  const stepsPerEpoch = packingFigures(options.train, shape, replicas.count).groups;
  const totalSteps = stepsPerEpoch * epochs;
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
    for (const batches of batchesOf(progress.epoch)) {
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
      const devLoss = await meanLoss(options.dev, shape, config, replicas);
      const devBleu = await options.scoreDev(parameters);
      progress.elapsedS += (performance.now() - startMs) / 1000;
      const last = JSON.parse(rows.at(-1) ?? "{}") as StepMetrics;
      const evaluated = { ...last, dev_loss: round(devLoss), dev_bleu: round(devBleu) };
      rows[rows.length - 1] = `${JSON.stringify(evaluated)}\n`;
      options.onStep?.(evaluated, totalSteps);
      if (devBleu > progress.bestScore) {
        progress = { ...progress, bestScore: devBleu, bestStep: progress.step };
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
  const { smoothedLoss, tokens } = await replicas.step(batches, seeds);
  const learningRate = learningRateAt(step, schedule);
  const norm = optimizer.update(replicas.parameters, replicas.gradients, 1 / tokens, learningRate, step);
  if (!Number.isFinite(norm)) {
    throw new DivergedError(`step ${step}: the gradient is ${norm}; lower the learning rate in the recipe`);
  }
  return {
    step,
    epoch: progress.epoch,
    loss: round(smoothedLoss / tokens),
    learning_rate: Number(learningRate.toPrecision(4)),
    gradient_norm: round(norm),
    tokens_per_s: Math.round(tokens / ((performance.now() - startMs) / 1000)),
    elapsed_s: 0,
  };
}

/** Cross-entropy in nats a token, without dropout or smoothing. */
async function meanLoss(pairs: TokenPair[], shape: BatchShape, config: ModelConfig, replicas: Replicas) {
  let loss = 0;
  let tokens = 0;
  for (const batches of epochBatches(pairs, shape, config, 0, replicas.count)) {
    const result = await replicas.loss(batches);
    loss += result.loss;
    tokens += result.tokens;
  }
  return loss / tokens;
}

/** A run that stopped between two checkpoints has rows that will come again. */
async function dropMetricsAfter(path: string, step: number): Promise<void> {
  const lines = existsSync(path) ? (await readFile(path, "utf8")).split("\n").filter(Boolean) : [];
  const kept = lines.filter((line) => (JSON.parse(line) as StepMetrics).step <= step);
  await writeWhole(path, kept.map((line) => `${line}\n`).join(""));
}

function round(value: number): number {
  return Math.round(value * 1e5) / 1e5;
}

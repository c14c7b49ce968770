/**
 * `npm run train -- <recipe>`: gets the data, trains the vocabulary and the network, keeps the best checkpoint.
 * Ctrl-C writes a checkpoint; the same command goes on from it.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import cliProgress from "cli-progress";
import { Command, Option } from "commander";
import { fail, positiveInteger } from "./cli.ts";
import { findRecipe } from "./recipes/index.ts";
import { writeLossPlot } from "./report/plot.ts";
import { createDevScorer } from "./training/dev-score.ts";
import { encodePairs, openRun } from "./training/prepare.ts";
import type { DeviceName } from "./training/replica.ts";
import { createReplicas } from "./training/replicas.ts";
import { type DevMetrics, type StepMetrics, train } from "./training/trainer.ts";
import { packingFigures } from "./training/translation-batches.ts";
import { translationTask } from "./training/translation-task.ts";
import { startWebGpu } from "./training/webgpu.ts";

interface Options {
  data?: string;
  cache?: string;
  run?: string;
  device: DeviceName | "auto";
  threads?: number;
  epochs?: number;
}

const program = new Command("train")
  .argument("<recipe>", "which model to train, e.g. multi30k-en-de")
  .option("--data <dir>", "folder with a mirror of the data sets (or the environment variable EDGE_SLM_DATA)")
  .option("--cache <dir>", "where downloaded data are kept")
  .option("--run <dir>", "run folder (default: runs/<recipe>)")
  .addOption(new Option("--device <name>", "where to compute").choices(["auto", "webgpu", "wasm"]).default("auto"))
  .option("--threads <n>", "replicas on the CPU (default: one per core)", positiveInteger)
  .option("--epochs <n>", "instead of the recipe's", positiveInteger);

async function main(id: string, options: Options): Promise<void> {
  const recipe = findRecipe(id);
  const { training } = recipe;
  const runDir = options.run ?? join("runs", id);
  const data = { dataDir: options.data, cacheDir: options.cache };
  const [trainPairs, devPairs] = [await recipe.loadSplit("train", data), await recipe.loadSplit("dev", data)];
  const { config, tokenizer } = await openRun(runDir, recipe, trainPairs);

  const device = options.device === "auto" ? ((await startWebGpu()) ? "webgpu" : "wasm") : options.device;
  const count = device === "webgpu" ? 1 : (options.threads ?? availableParallelism());
  const rows = Math.ceil(training.rowsPerStep[device] / count);
  const shape = { rows, sourceLength: recipe.rowLength, targetLength: recipe.rowLength };
  const trainSet = encodePairs(trainPairs, tokenizer, shape);
  const devSet = encodePairs(devPairs, tokenizer, shape);
  const packing = packingFigures(trainSet.pairs, shape, count);
  console.log(
    `${id}: ${trainSet.pairs.length} pairs (${trainSet.leftOut} longer than ${shape.targetLength - 1} tokens left out), ` +
      `${packing.tokens} target tokens, ${packing.groups} steps an epoch, ${Math.round(packing.realShare * 100)} % of positions real; ` +
      `${count} × ${device}; run folder ${runDir}`,
  );

  const replicas = await createReplicas(
    {
      device,
      objective: { kind: "translation", config },
      regularization: { dropout: training.dropout, labelSmoothing: training.labelSmoothing },
    },
    count,
  );
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());

  const bar = new cliProgress.SingleBar({
    format: "epoch {epoch} |{bar}| step {value}/{total} · loss {loss} · {rate} tokens/s · {eta_formatted} left",
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: 60_000,
    etaBuffer: 50,
  });
  let started = false;
  const onStep = (metrics: StepMetrics, totalSteps: number) => {
    const payload = { epoch: metrics.epoch + 1, loss: metrics.loss.toFixed(3), rate: metrics.tokens_per_s };
    if (!started) bar.start(totalSteps, metrics.step, payload);
    started = true;
    bar.setTotal(Math.max(totalSteps, metrics.step));
    bar.update(metrics.step, payload);
  };
  const onEvaluation = ({ epoch, dev_loss, dev_score, elapsed_s }: DevMetrics) => {
    bar.stop();
    started = false;
    const minutes = Math.round(elapsed_s / 60);
    console.log(
      `epoch ${epoch}: dev loss ${dev_loss.toFixed(3)}, dev BLEU ${dev_score.toFixed(2)} (int8, greedy), ${minutes} min`,
    );
  };
  const progress = await train({
    training,
    config,
    task: translationTask({
      config,
      shape,
      count,
      train: trainSet.pairs,
      dev: devSet.pairs,
      seed: training.seed,
      score: await createDevScorer(config, tokenizer, devPairs),
    }),
    runDir,
    replicas,
    epochs: options.epochs ?? training.epochs,
    onStep,
    onEvaluation,
    signal: stop.signal,
  });
  bar.stop();
  await replicas.close();
  await writeLossPlot(join(runDir, "metrics.jsonl"), join(runDir, "loss.svg"), "BLEU");
  console.log(
    stop.signal.aborted
      ? `stopped at step ${progress.step}; the same command goes on from here`
      : `done: best dev BLEU ${progress.bestScore.toFixed(2)} at step ${progress.bestStep}; next: npm run export -- ${id}`,
  );
  // Dawn keeps the process alive otherwise.
  process.exit(stop.signal.aborted ? 130 : 0);
}

program.action((id: string, options: Options) => main(id, options).catch(fail));
await program.parseAsync();

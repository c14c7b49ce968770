/**
 * `npm run train -- <recipe>`: gets the data, trains the vocabulary and the network, keeps the best checkpoint.
 * `npm run train -- classify --data FILE`: a classifier of one's own, from a table to a model in the local bucket.
 * `npm run train -- recommend --data FILE`: the same for a recommender, from a table of who took what.
 * Ctrl-C writes a checkpoint; the same command goes on from it.
 */
import { join } from "node:path";
import { Command, Option } from "commander";
import type { ClassificationConfig } from "../worker/model/config.ts";
import { fail, positiveInteger, positiveNumber } from "./cli.ts";
import { statePath } from "./publish/bucket.ts";
import { findRecipe } from "./recipes/index.ts";
import type { ClassificationRecipe, Recipe } from "./recipes/recipe.ts";
import { parametersFrom, readEncoder, writeVocabulary } from "./train/encoder.ts";
import { type OwnOptions, trainOwn } from "./train/own-classifier.ts";
import { type OwnRecommenderOptions, trainOwnRecommender } from "./train/own-recommender.ts";
import type { DeviceName } from "./training/replica.ts";
import type { RunOptions } from "./training/run-options.ts";
import { chooseDevice } from "./training/session.ts";
import { trainClassification } from "./training/train-classification.ts";
import { trainEmbedding } from "./training/train-embedding.ts";
import { trainQuestionAnswering } from "./training/train-question-answering.ts";
import { trainRecommendation } from "./training/train-recommendation.ts";
import { trainTranslation } from "./training/train-translation.ts";

interface Options {
  data?: string;
  cache?: string;
  run?: string;
  device: DeviceName | "auto";
  threads?: number;
  epochs?: number;
  learningRate?: number;
  from?: string;
  pretrained: boolean;
}

async function main(id: string, options: Options): Promise<void> {
  const recipe = findRecipe(id);
  const run = {
    runDir: options.run ?? join("runs", id),
    ...(await chooseDevice(options.device, options.threads)),
    data: { dataDir: options.data, cacheDir: options.cache },
    epochs: options.epochs,
    learningRate: options.learningRate,
  };
  if (recipe.kind !== "classification" && options.from) {
    throw new Error(`--from: expected a recipe of classification, got ${id} of ${recipe.kind}`);
  }
  const done = await trainRecipe(recipe, run, options);
  if (done) console.log(`next: npm run export -- ${id}`);
  end(done);
}

/** @returns whether it came to the end, or was stopped */
async function trainRecipe(recipe: Recipe, run: RunOptions, { from, pretrained }: Options): Promise<boolean> {
  switch (recipe.kind) {
    case "translation":
      return trainTranslation(recipe, run);
    case "classification":
      return trainClassification(recipe, run, await beginFrom(recipe, run.runDir, from));
    case "embedding":
      return trainEmbedding(recipe, run);
    case "question-answering":
      return trainQuestionAnswering(recipe, run, pretrained);
    case "recommendation":
      return trainRecommendation(recipe, run);
  }
}

/** Weights of a model that is there already, its vocabulary, and its heads where they are the recipe's, too. */
async function beginFrom({ training }: ClassificationRecipe, runDir: string, from?: string) {
  if (from === undefined) return undefined;
  const encoder = await readEncoder(from);
  await writeVocabulary(runDir, encoder);
  return (config: ClassificationConfig) => parametersFrom(encoder, config, training.seed, "same");
}

/** Dawn keeps the process alive otherwise. */
function end(done: boolean): never {
  process.exit(done ? 0 : 130);
}

/** What every training can be told. */
function withDevice(command: Command): Command {
  return command
    .addOption(
      new Option("--device <name>", "where to compute").choices(["auto", "cpu", "webgpu", "wasm"]).default("auto"),
    )
    .option("--threads <n>", "replicas on the CPU (default: one per core)", positiveInteger);
}

const program = new Command("train");
withDevice(program.command("recipe", { isDefault: true }))
  .summary("trains a model of scripts/recipes; the word itself can be left out")
  .argument("<recipe>", "which model to train, e.g. multi30k-en-de")
  .option("--data <dir>", "folder with a mirror of the data sets (or the environment variable EDGE_SLM_DATA)")
  .option("--cache <dir>", "where downloaded data are kept")
  .option("--run <dir>", "run folder (default: runs/<recipe>)")
  .option("--epochs <n>", "instead of the recipe's", positiveInteger)
  .option(
    "--learning-rate <x>",
    "the highest, instead of the recipe's: less for a run that goes on --from",
    positiveNumber,
  )
  .option("--from <model>", "begin with the weights of a model or a run: its encoder, and the heads that are the same")
  .option("--no-pretrained", "begin with random weights where the recipe begins with a model, to compare")
  .action((id: string, options: Options) => main(id, options).catch(fail));
withDevice(program.command("classify"))
  .summary("trains a classifier of your own table of texts and labels")
  .allowExcessArguments(false)
  .requiredOption("--data <file>", "CSV with a header line, or JSON lines: tickets.csv")
  .option("--text <column>", "the column of texts (default: the longest)")
  .option("--label <column>", "the column of classes (default: the one with the fewest values that repeat)")
  .option("--from <model>", "begin with the encoder of a model or a run, e.g. multitask-en")
  .option("--name <id>", "what the model is called (default: the file's name)")
  .option("--language <code>", "BCP 47 code of the texts' language (default: by their letters)")
  .option("--epochs <n>", "instead of what suits the number of rows", positiveInteger)
  .option("--no-upload", "do not put it into the local bucket")
  .option("--persist-to <folder>", "where the local R2 bucket lives", statePath)
  .action((options: OwnOptions) => trainOwn(options).then(end, fail));
withDevice(program.command("recommend"))
  .summary("trains a recommender of your own table of who took what")
  .allowExcessArguments(false)
  .requiredOption("--data <file>", "CSV with a header line, or JSON lines: interactions.csv")
  .option("--user <column>", "the column of users (default: found by its name)")
  .option("--item <column>", "the column of items (default: found by its name)")
  .option("--time <column>", "the column of times, numbers or dates (default: found by its name, else the rows' order)")
  .option("--name <id>", "what the model is called (default: the file's name)")
  .option("--epochs <n>", "instead of what suits the number of rows", positiveInteger)
  .option("--no-upload", "do not put it into the local bucket")
  .option("--persist-to <folder>", "where the local R2 bucket lives", statePath)
  .action((options: OwnRecommenderOptions) => trainOwnRecommender(options).then(end, fail));
await program.parseAsync();

/**
 * `npm run train -- <recipe>`: gets the data, trains the vocabulary and the network, keeps the best checkpoint.
 * Ctrl-C writes a checkpoint; the same command goes on from it.
 */
import { join } from "node:path";
import { Command, Option } from "commander";
import { fail, positiveInteger } from "./cli.ts";
import { findRecipe } from "./recipes/index.ts";
import type { DeviceName } from "./training/replica.ts";
import { chooseDevice } from "./training/session.ts";
import { trainClassification } from "./training/train-classification.ts";
import { trainTranslation } from "./training/train-translation.ts";

interface Options {
  data?: string;
  cache?: string;
  run?: string;
  device: DeviceName | "auto";
  threads?: number;
  epochs?: number;
}

async function main(id: string, options: Options): Promise<void> {
  const recipe = findRecipe(id);
  const run = {
    runDir: options.run ?? join("runs", id),
    ...(await chooseDevice(options.device, options.threads)),
    data: { dataDir: options.data, cacheDir: options.cache },
    epochs: options.epochs,
  };
  const done =
    recipe.kind === "translation" ? await trainTranslation(recipe, run) : await trainClassification(recipe, run);
  // Dawn keeps the process alive otherwise.
  process.exit(done ? 0 : 130);
}

await new Command("train")
  .argument("<recipe>", "which model to train, e.g. multi30k-en-de")
  .option("--data <dir>", "folder with a mirror of the data sets (or the environment variable EDGE_SLM_DATA)")
  .option("--cache <dir>", "where downloaded data are kept")
  .option("--run <dir>", "run folder (default: runs/<recipe>)")
  .addOption(
    new Option("--device <name>", "where to compute").choices(["auto", "cpu", "webgpu", "wasm"]).default("auto"),
  )
  .option("--threads <n>", "replicas on the CPU (default: one per core)", positiveInteger)
  .option("--epochs <n>", "instead of the recipe's", positiveInteger)
  .action((id: string, options: Options) => main(id, options).catch(fail))
  .parseAsync();

/**
 * `npm run export -- <recipe>`: the best checkpoint of a run → `models/<id>/`: int8 weights packed for the kernels,
 * `config.json`, `tokenizer.json` and the card. Prints each matrix's rounding error. The folder is put in place in
 * one rename: a model is there whole, or the old one stays. A classifier's temperatures are fitted on dev. With `--onnx`
 * it takes `models/<id>/` as it is and writes it as ONNX graphs instead.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { expectTask, type ModelConfig, parseModelConfig, type Task } from "../worker/model/config.ts";
import { Tokenizer } from "../worker/model/tokenizer.ts";
import { fail, positiveInteger, writeJson } from "./cli.ts";
import { averageCheckpoints } from "./export/average.ts";
import { calibrate, calibratedConfig, checkHeads, formatCalibration } from "./export/calibrate.ts";
import { calibrateReader } from "./export/calibrate-reader.ts";
import { writeOnnx } from "./export/onnx-files.ts";
import { quantizeModel } from "./export/quantize.ts";
import { writeModelFolder } from "./export/write-model.ts";
import { findRecipe } from "./recipes/index.ts";
import type { DataOptions, Recipe } from "./recipes/recipe.ts";
import { shortlistOf } from "./shortlist/of-recipe.ts";
import { loadHeads } from "./training/texts.ts";

/** What a checkpoint was chosen by. */
const SCORES: Record<Task, string> = {
  translation: "BLEU",
  classification: "accuracy",
  "question-answering": "F1",
  embedding: "Recall@1",
};

interface Options {
  run?: string;
  checkpoint?: string[];
  out?: string;
  shortlist?: number | true;
  data?: string;
  cache?: string;
  onnx?: string | true;
  json?: string;
}

async function readOrFail(path: string, hint: string): Promise<string> {
  return readFile(path, "utf8").catch(() => {
    throw new Error(`export: expected ${path}; ${hint}`);
  });
}

/** The model that is there already, its int8 weights unchanged. */
async function mainOnnx(id: string, { out, onnx, json }: Options): Promise<void> {
  const directory = typeof onnx === "string" ? onnx : join("build", "onnx", id);
  const bytes = await writeOnnx(out ?? id, directory);
  console.log(
    `${directory}: ${Object.entries(bytes)
      .map(([name, size]) => `${name} ${size} bytes`)
      .join(", ")}`,
  );
  if (json) await writeJson(json, { id, directory, bytes });
}

/** The recipe's words may have changed since training; what was measured of older weights no longer holds. */
async function exportedConfig(
  recipe: Recipe,
  config: ModelConfig,
  {
    file,
    tokenizer,
    devScore,
    data,
  }: { file: Uint8Array<ArrayBuffer>; tokenizer: string; devScore: number; data: DataOptions },
): Promise<ModelConfig> {
  if (recipe.kind === "translation") {
    const { generation, card } = recipe.config;
    const quality = { "dev BLEU (int8, greedy)": Number(devScore.toFixed(2)) };
    return { ...expectTask("translation", config), generation, card: { ...card, quality } };
  }
  if (recipe.kind === "embedding") {
    const quality = { "dev Recall@1, mean over the sources, %": Number(devScore.toFixed(2)) };
    return { ...expectTask("embedding", config), card: { ...config.card, ...recipe.card, quality } };
  }
  if (recipe.kind === "question-answering") {
    const trained = expectTask("question-answering", config);
    const card = { ...trained.card, description: recipe.config.card.description };
    const dev = (await Promise.all(recipe.sets.map(({ set }) => set.load(data)))).flatMap((splits) => splits.dev);
    const served = { ...trained, max_answer_words: recipe.answerWords, card };
    return calibrateReader(served, file, Tokenizer.fromJson(tokenizer), dev);
  }
  const { description } = recipe.config.card;
  const trained = expectTask("classification", config);
  const loaded = await loadHeads(recipe, data);
  checkHeads(trained, loaded);
  return calibratedConfig(
    { ...trained, card: { ...trained.card, description } },
    await calibrate(trained, file, Tokenizer.fromJson(tokenizer), loaded),
  );
}

async function main(id: string, options: Options): Promise<void> {
  const recipe = findRecipe(id);
  const runDir = options.run ?? join("runs", id);
  const outDir = options.out ?? join("models", id);
  const trainFirst = `run npm run train -- ${id} first, or name its folder with --run`;
  const config = parseModelConfig(await readOrFail(join(runDir, "config.json"), trainFirst));
  const tokenizer = await readOrFail(join(runDir, "tokenizer.json"), trainFirst);
  const checkpoints = options.checkpoint ?? [join(runDir, "best.safetensors")];
  const { parameters, progress } = await averageCheckpoints(checkpoints, config, trainFirst);

  if (recipe.kind === "translation" && recipe.config.generation.shortlist && !options.shortlist) {
    throw new Error(`export: ${id} translates with a shortlist; add --shortlist`);
  }
  const best = options.shortlist === true ? undefined : options.shortlist;
  const data = { dataDir: options.data, cacheDir: options.cache };
  const shortlist = options.shortlist ? await shortlistOf(recipe, config, tokenizer, data, best) : undefined;
  const { file, errors } = quantizeModel(config, parameters, shortlist);
  const exported = await exportedConfig(recipe, config, { file, tokenizer, devScore: progress.bestScore, data });

  await writeModelFolder(outDir, { id, config: exported, tokenizer, file, parameters: parameters.length });

  const width = Math.max(...errors.map(({ name }) => name.length));
  console.log(`${"matrix".padEnd(width)}  ${"[n, k]".padEnd(12)}  relative error  largest error`);
  for (const { name, shape, relativeError, maxError } of errors) {
    const size = `[${shape.join(", ")}]`.padEnd(12);
    console.log(
      `${name.padEnd(width)}  ${size}  ${(100 * relativeError).toFixed(3).padStart(12)} %  ${maxError.toFixed(5).padStart(13)}`,
    );
  }
  const score = `dev ${SCORES[exported.task]} ${progress.bestScore.toFixed(2)}`;
  console.log(`${outDir}: ${file.length} bytes, step ${progress.step}, ${score}; next: npm run eval -- ${id}`);
  if (exported.task === "classification") console.log(formatCalibration(exported));
  if (options.json)
    await writeJson(options.json, { id, bytes: file.length, parameters: parameters.length, progress, errors });
}

await new Command("export")
  .argument("<recipe>", "which model to export, e.g. multi30k-en-de")
  .option("--run <dir>", "run folder (default: runs/<recipe>)")
  .option("--checkpoint <file...>", "another checkpoint than the run's best.safetensors, or several: their mean")
  .option("--out <dir>", "where to write the model (default: models/<recipe>)")
  .option("--shortlist [best]", "count a lexical shortlist, so many targets of each token", positiveInteger)
  .option("--data <dir>", "for dev and the shortlist: folder with a mirror of the data sets (or EDGE_SLM_DATA)")
  .option("--cache <dir>", "for dev and the shortlist: where downloaded data are kept")
  .option("--onnx [dir]", "write the exported model as ONNX (default: build/onnx/<recipe>) and nothing else")
  .option("--json <file>", "write the figures as JSON, too")
  .action((id: string, options: Options) => (options.onnx ? mainOnnx : main)(id, options).catch(fail))
  .parseAsync();

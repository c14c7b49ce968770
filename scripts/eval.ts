/**
 * `npm run eval -- <model>`: translates a split with the int8 model through the Worker's engine and kernels, and with
 * `--float` also with the float checkpoint it came from, the same search for both. Prints BLEU, chrF and speed.
 *
 * Whole captions are translated, as in training; the Worker would split a text into its sentences first. Choose models
 * on `dev`; the test splits are for the last word. "BLEU lower" is the figure to hold against published lowercased,
 * tokenized BLEU: the words are those of tokenizer 13a, which for Multi30k's German references are Moses's but for
 * quotation marks (written as entities there) and a few abbreviations: 991 of 1,000 lines of test2016 are the same.
 */
import { createReadStream } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import cliProgress from "cli-progress";
import { Command, InvalidArgumentError, Option } from "commander";
import { generate } from "../worker/engine/generate.ts";
import { loadTransformer } from "../worker/engine/load.ts";
import { parseConfigOf, type TranslationConfig } from "../worker/model/config.ts";
import { Tokenizer } from "../worker/model/tokenizer.ts";
import { fail, positiveInteger, writeJson } from "./cli.ts";
import type { SentencePair } from "./data/multi30k.ts";
import { recordQuality } from "./export/card.ts";
import { readFloatWeights } from "./float/checkpoint.ts";
import { FloatTransformer } from "./float/transformer.ts";
import { type KernelBuild, loadKernels } from "./kernels.ts";
import { type Figures, figuresOf, formatFigures, SIGNATURES } from "./metrics/quality.ts";
import { type Search, type TranslationRun, translateAll } from "./metrics/translate.ts";
import { findRecipeOf } from "./recipes/index.ts";

interface Options {
  recipe?: string;
  split: string;
  data?: string;
  cache?: string;
  beam?: number;
  lengthPenalty?: number;
  limit?: number;
  kernels: KernelBuild;
  shortlist?: true;
  float?: string;
  json?: string;
  translations?: string;
  record?: boolean;
}

function nonNegative(text: string): number {
  const value = Number(text);
  if (text === "" || !(value >= 0)) {
    throw new InvalidArgumentError(`expected a number from 0 on, got ${JSON.stringify(text)}`);
  }
  return value;
}

const program = new Command("eval")
  .argument("<model>", "a model's id (models/<id>) or its folder, e.g. multi30k-en-de")
  .option("--recipe <id>", "whose data to translate (default: the model's id)")
  .option("--split <name>", "which split", "dev")
  .option("--data <dir>", "folder with a mirror of the data sets (or the environment variable EDGE_SLM_DATA)")
  .option("--cache <dir>", "where downloaded data are kept")
  .option("--beam <n>", "beam size, 1 is greedy (default: the model's)", positiveInteger)
  .option("--length-penalty <alpha>", "score = log_prob / length^alpha (default: the model's)", nonNegative)
  .option("--limit <n>", "only the first n sentences", positiveInteger)
  .addOption(new Option("--kernels <build>", "which kernels").choices(["relaxed", "simd"]).default("relaxed"))
  .option("--shortlist", "only tokens of the model's shortlist come out of the int8 model (default: as it says)")
  .option("--float <file>", "also decode this float checkpoint, e.g. runs/multi30k-en-de/best.safetensors")
  .option("--translations <file>", "write the int8 model's translations, one a line")
  .option("--record", "write the int8 model's figures into its config.json and card.md")
  .option("--json <file>", "write the figures as JSON, too");

async function main(model: string, options: Options): Promise<void> {
  const modelDir = await findModel(model);
  const recipe = findRecipeOf(options.recipe ?? basename(modelDir), "translation");
  if (!recipe.splits.includes(options.split)) {
    throw new Error(`eval: expected --split out of ${recipe.splits.join(", ")}, got ${options.split}`);
  }
  const config = parseConfigOf("translation", await readText(join(modelDir, "config.json")));
  const tokenizer = Tokenizer.fromJson(await readText(join(modelDir, "tokenizer.json")));
  const all = await recipe.loadSplit(options.split, { dataDir: options.data, cacheDir: options.cache });
  const pairs = all.slice(0, options.limit);
  const beamSize = options.beam ?? config.generation.beam_size;
  const lengthPenalty = options.lengthPenalty ?? config.generation.length_penalty;
  const search = { beamSize, lengthPenalty };

  const transformer = await loadModel(config, modelDir, options.kernels);
  const float = options.float === undefined ? undefined : await loadFloat(config, options.float);
  const part = pairs.length < all.length ? `the first ${pairs.length} of ${all.length}` : `${pairs.length}`;
  console.log(`${basename(modelDir)} on ${options.split}: ${part} sentences, ${describe(search)}`);

  const int8 = await run(
    "int8",
    (sources) => generate(transformer, sources, { ...search, shortlist: options.shortlist }),
    tokenizer,
    pairs,
  );
  const rows = [{ name: `int8, ${options.kernels} kernels`, figures: int8.figures }];
  let lost: { bleu: number; bleu_lowercase: number; chrf: number } | undefined;
  let floatFigures: Figures | undefined;
  if (float !== undefined) {
    floatFigures = (
      await run("float", (sources) => generate(float, sources, { ...search, shortlist: false }), tokenizer, pairs)
    ).figures;
    rows.push({ name: "float reference", figures: floatFigures });
    lost = {
      bleu: floatFigures.bleu - int8.figures.bleu,
      bleu_lowercase: floatFigures.bleu_lowercase - int8.figures.bleu_lowercase,
      chrf: floatFigures.chrf - int8.figures.chrf,
    };
  }
  console.log(formatFigures(rows));
  if (lost !== undefined) {
    console.log(
      `float minus int8: ${lost.bleu.toFixed(2)} BLEU, ${lost.bleu_lowercase.toFixed(2)} lowercased, ${lost.chrf.toFixed(2)} chrF`,
    );
  }
  console.log(`BLEU ${SIGNATURES.bleu}\nBLEU lower ${SIGNATURES.bleu_lowercase}\nchrF2 ${SIGNATURES.chrf}`);

  if (options.record) {
    if (pairs.length < all.length) throw new Error("eval: expected the whole split with --record, got --limit");
    const how = beamSize === 1 ? "greedy" : `beam ${beamSize}`;
    await recordQuality(modelDir, {
      [`${options.split} BLEU (13a, ${how})`]: round(int8.figures.bleu),
      [`${options.split} BLEU (13a, lowercased, ${how})`]: round(int8.figures.bleu_lowercase),
      [`${options.split} chrF2 (${how})`]: round(int8.figures.chrf),
    });
  }
  if (options.translations !== undefined) await writeLines(options.translations, int8.run.translations);
  if (options.json !== undefined) {
    await writeJson(options.json, {
      model: basename(modelDir),
      split: options.split,
      sentences: pairs.length,
      beam_size: beamSize,
      length_penalty: lengthPenalty,
      shortlist: options.shortlist ?? config.generation.shortlist ?? false,
      kernels: options.kernels,
      signatures: SIGNATURES,
      int8: int8.figures,
      ...(floatFigures && { float: floatFigures, int8_lost: lost }),
    });
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Translates all pairs with a progress bar. */
async function run(
  name: string,
  search: Search,
  tokenizer: Tokenizer,
  pairs: SentencePair[],
): Promise<{ run: TranslationRun; figures: Figures }> {
  const bar = new cliProgress.SingleBar({
    format: `${name} |{bar}| {value}/{total} sentences · {eta_formatted} left`,
    clearOnComplete: true,
  });
  bar.start(pairs.length, 0);
  try {
    const sentences = pairs.map(({ source }) => source);
    const result = await translateAll(search, tokenizer, sentences, (done) => bar.update(done));
    const references = pairs.map(({ target }) => target);
    return { run: result, figures: figuresOf(result, references) };
  } finally {
    bar.stop();
  }
}

/** models/<id>, or the folder itself. */
async function findModel(model: string): Promise<string> {
  for (const folder of [join("models", model), model]) {
    if (await stat(join(folder, "config.json")).catch(() => undefined)) return folder;
  }
  throw new Error(`eval: expected a model in models/${model} or ${model}; run npm run export -- ${model} first`);
}

async function loadModel(config: TranslationConfig, modelDir: string, build: KernelBuild) {
  const path = join(modelDir, "model.safetensors");
  if (!(await stat(path).catch(() => undefined))) throw new Error(`eval: expected ${path}; run npm run export again`);
  const weights = Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>;
  return await loadTransformer(config, weights, await loadKernels(build));
}

async function loadFloat(config: TranslationConfig, path: string): Promise<FloatTransformer> {
  return new FloatTransformer(config, await readFloatWeights(path, config));
}

async function readText(path: string): Promise<string> {
  return await readFile(path, "utf8").catch((cause: Error) => {
    throw new Error(`eval: cannot read ${path}: ${cause.message}`, { cause });
  });
}

async function writeLines(path: string, lines: string[]): Promise<void> {
  const text = lines.map((line) => `${line.replaceAll("\n", " ")}\n`).join("");
  await writeFile(path, text).catch((cause: Error) => {
    throw new Error(`eval: cannot write ${path}: ${cause.message}`, { cause });
  });
}

function describe({ beamSize, lengthPenalty }: { beamSize: number; lengthPenalty: number }): string {
  return beamSize === 1 ? "greedy" : `beam ${beamSize}, length penalty ${lengthPenalty}`;
}

program.action((model: string, options: Options) => main(model, options).catch(fail));
await program.parseAsync();

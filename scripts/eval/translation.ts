/**
 * Translates a split with the int8 model through the Worker's engine and kernels, and with `--float` also with the
 * float checkpoint it came from, the same search for both. Prints BLEU, chrF and speed.
 *
 * Whole captions are translated, as in training; the Worker would split a text into its sentences first. "BLEU lower"
 * is the figure to hold against published lowercased, tokenized BLEU: the words are those of tokenizer 13a, which for
 * Multi30k's German references are Moses's but for quotation marks (written as entities there) and a few abbreviations:
 * 991 of 1,000 lines of test2016 are the same.
 */
import { writeFile } from "node:fs/promises";
import cliProgress from "cli-progress";
import { generate } from "../../worker/engine/generate.ts";
import { loadTransformer } from "../../worker/engine/load.ts";
import type { TranslationConfig } from "../../worker/model/config.ts";
import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import { writeJson } from "../cli.ts";
import type { SentencePair } from "../data/multi30k.ts";
import { recordQuality } from "../export/card.ts";
import { readFloatWeights } from "../float/checkpoint.ts";
import { FloatTransformer } from "../float/transformer.ts";
import { loadKernels } from "../kernels.ts";
import { type Figures, figuresOf, formatFigures, SIGNATURES } from "../metrics/quality.ts";
import { type Search, type TranslationRun, translateAll } from "../metrics/translate.ts";
import { type ModelFolder, tokenizerOf, weightsOf } from "../publish/model-folder.ts";
import type { TranslationRecipe } from "../recipes/recipe.ts";
import { checkSplit, type EvalOptions } from "./options.ts";

export async function evaluateTranslation(
  folder: ModelFolder,
  config: TranslationConfig,
  recipe: TranslationRecipe,
  options: EvalOptions,
): Promise<void> {
  const { id } = folder.manifest;
  const { split = "dev" } = options;
  checkSplit(split, recipe.splits);
  if (options.record && options.limit) throw new Error("eval: expected the whole split with --record, got --limit");
  const tokenizer = tokenizerOf(folder);
  const all = await recipe.loadSplit(split, { dataDir: options.data, cacheDir: options.cache });
  const pairs = all.slice(0, options.limit);
  const beamSize = options.beam ?? config.generation.beam_size;
  const lengthPenalty = options.lengthPenalty ?? config.generation.length_penalty;
  const search = { beamSize, lengthPenalty };

  const transformer = await loadTransformer(config, weightsOf(folder), await loadKernels(options.kernels));
  const float = options.float === undefined ? undefined : await loadFloat(config, options.float);
  const part = pairs.length < all.length ? `the first ${pairs.length} of ${all.length}` : `${pairs.length}`;
  console.log(`${id} on ${split}: ${part} sentences, ${describe(search)}`);

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
    const how = beamSize === 1 ? "greedy" : `beam ${beamSize}`;
    await recordQuality(folder.directory, {
      [`${split} BLEU (13a, ${how})`]: round(int8.figures.bleu),
      [`${split} BLEU (13a, lowercased, ${how})`]: round(int8.figures.bleu_lowercase),
      [`${split} chrF2 (${how})`]: round(int8.figures.chrf),
    });
  }
  if (options.translations !== undefined) await writeLines(options.translations, int8.run.translations);
  if (options.json !== undefined) {
    await writeJson(options.json, {
      model: id,
      split,
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

async function loadFloat(config: TranslationConfig, paths: string[]): Promise<FloatTransformer> {
  const [path, ...others] = paths;
  if (others.length > 0) throw new Error(`eval: expected one float checkpoint of a translation, got ${paths.length}`);
  return new FloatTransformer(config, await readFloatWeights(path!, config));
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

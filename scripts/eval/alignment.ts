/**
 * `node scripts/eval/alignment.ts multi30k-en-de`: whether the alignments of a translator (worker/engine/align.ts) are
 * those of another method. Two models 1 of IBM, one for each direction, are trained on the recipe's pairs; where both
 * choose the same source token for a token of the model's own translation, that is a link, and the share of links is
 * printed whose source token has the largest weight.
 */
import { Command } from "commander";
import { align } from "../../worker/engine/align.ts";
import { generate } from "../../worker/engine/generate.ts";
import { loadTransformer } from "../../worker/engine/load.ts";
import { expectTask } from "../../worker/model/config.ts";
import { fail, positiveInteger } from "../cli.ts";
import { loadKernels } from "../kernels.ts";
import { findModelFolder, readModelFolder, tokenizerOf, weightsOf } from "../publish/model-folder.ts";
import { findRecipeOf } from "../recipes/index.ts";
import { type Model1, type TokenPair, trainModel1 } from "../shortlist/model1.ts";

/** A pair of tokens that are less probable together is no link. */
const MIN_PROBABILITY = 0.1;

interface Options {
  split: string;
  limit: number;
  data?: string;
  cache?: string;
}

async function evaluateAlignment(model: string, options: Options): Promise<void> {
  const folder = await readModelFolder(await findModelFolder(model));
  const config = expectTask("translation", folder.manifest.config);
  const recipe = findRecipeOf(folder.manifest.id, "translation");
  const tokenizer = tokenizerOf(folder);
  const where = { dataDir: options.data, cacheDir: options.cache };
  const pairs = (await recipe.loadSplit("train", where)).map(({ source, target }): TokenPair => {
    return { source: tokenizer.encode(source), target: tokenizer.encode(target) };
  });
  const forward = trainModel1(pairs, config.vocab_size);
  const backward = trainModel1(
    pairs.map(({ source, target }) => ({ source: target, target: source })),
    config.vocab_size,
  );
  const transformer = await loadTransformer(config, weightsOf(folder), await loadKernels());
  const sentences = (await recipe.loadSplit(options.split, where)).slice(0, options.limit);
  let links = 0;
  let agreed = 0;
  for (const sentence of sentences) {
    const source = tokenizer.encode(sentence.source);
    const [[best] = []] = await generate(transformer, [source]);
    const target = best!.tokens;
    const weights = await align(transformer, source, target);
    for (const [t, token] of target.entries()) {
      const linked = largest(source.map((word) => probability(forward, word, token)));
      const word = source[linked]!;
      if (probability(forward, word, token) < MIN_PROBABILITY) continue;
      if (largest(target.map((other) => probability(backward, other, word))) !== t) continue;
      links++;
      if (largest(weights[t]!) === linked) agreed++;
    }
  }
  const share = ((100 * agreed) / links).toFixed(1);
  console.log(
    `${folder.manifest.id} on ${sentences.length} sentences of ${options.split}: ${links} links, ${share} % agree`,
  );
}

/** p(target | word) */
function probability({ offsets, targets, probabilities }: Model1, word: number, target: number): number {
  for (let i = offsets[word]!; i < offsets[word + 1]!; i++) if (targets[i] === target) return probabilities[i]!;
  return 0;
}

/** @returns the index of the largest, the first of several */
function largest(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

await new Command("alignment")
  .description("Compares a translator's alignments with those of IBM model 1")
  .argument("<model>", "a model's folder, or its name in models/")
  .option("--split <name>", "whose sentences to translate", "test2016")
  .option("--limit <n>", "how many of them", positiveInteger, 300)
  .option("--data <folder>", "mirror of the data sets")
  .option("--cache <folder>", "where downloads are kept")
  .allowExcessArguments(false)
  .action(evaluateAlignment)
  .parseAsync()
  .catch(fail);

/** Sentence pairs → a tokenizer and token pairs, and a run folder that holds what the model is. */
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ModelConfig, parseModelConfig } from "../../worker/model/config.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import type { SentencePair } from "../data/multi30k.ts";
import type { TranslationRecipe } from "../recipes/recipe.ts";
import { trainBpe } from "../tokenizer/bpe.ts";
import { fits } from "./batches.ts";
import { writeWhole } from "./checkpoint.ts";
import { type PairShape, pairPacking, type TokenPair } from "./translation-batches.ts";

/** In the order of their ids: pad_token_id 0, bos_token_id 1, eos_token_id 2. */
const SPECIAL_TOKENS = ["<pad>", "<s>", "</s>"];

/**
 * Opens the run folder: writes tokenizer.json and config.json, or, if they are there already, checks that they are
 * what this recipe makes.
 * @throws Error if the folder belongs to another configuration
 */
export async function openRun(
  runDir: string,
  recipe: TranslationRecipe,
  train: SentencePair[],
): Promise<{ config: ModelConfig; tokenizer: Tokenizer }> {
  await mkdir(runDir, { recursive: true });
  const tokenizerPath = join(runDir, "tokenizer.json");
  const configPath = join(runDir, "config.json");
  if (!existsSync(tokenizerPath)) {
    const texts = train.flatMap(({ source, target }) => [source, target]);
    const json = trainBpe(texts, { vocabSize: recipe.config.vocab_size, specialTokens: SPECIAL_TOKENS });
    await writeWhole(tokenizerPath, JSON.stringify(json));
  }
  const card = { ...recipe.config.card, quality: {} };
  const config = parseModelConfig(JSON.stringify({ ...recipe.config, card }));
  if (existsSync(configPath)) {
    const found = parseModelConfig(await readFile(configPath, "utf8"));
    const shape = ({ card: _card, generation: _generation, ...rest }: ModelConfig) => JSON.stringify(rest);
    if (shape(found) !== shape(config)) {
      throw new Error(`${configPath} is of another version of this recipe; choose another folder with --run`);
    }
  }
  await writeWhole(configPath, `${JSON.stringify(config, null, 2)}\n`);
  return { config, tokenizer: Tokenizer.fromJson(await readFile(tokenizerPath, "utf8")) };
}

/** Encodes pairs; those longer than a row are left out and counted. */
export function encodePairs(pairs: SentencePair[], tokenizer: Tokenizer, shape: PairShape) {
  const encoded: TokenPair[] = pairs.map(({ source, target }) => ({
    source: tokenizer.encode(source),
    target: tokenizer.encode(target),
  }));
  const packing = pairPacking(shape);
  const kept = encoded.filter((pair) => fits(pair, packing));
  return { pairs: kept, leftOut: encoded.length - kept.length };
}

/**
 * Trains a classifier on splits of labelled texts with what suits their number: a vocabulary of their own and a small
 * network, or an encoder that is there already. The result is the int8 model, calibrated on dev.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ClassificationConfig, parseConfigOf } from "../../worker/model/config.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import type { LabelledText } from "../data/classification.ts";
import { calibrate, calibratedConfig } from "../export/calibrate.ts";
import { quantizeModel } from "../export/quantize.ts";
import { readCheckpoint } from "../training/checkpoint.ts";
import { openTokenizer } from "../training/prepare.ts";
import type { RunOptions } from "../training/run-options.ts";
import { loadHeads } from "../training/texts.ts";
import { trainClassification } from "../training/train-classification.ts";
import { type PretrainedEncoder, parametersFrom, writeVocabulary } from "./encoder.ts";
import { type OwnData, ownRecipe, rowLengthFor, vocabSizeFor } from "./own-recipe.ts";

export interface SplitsOptions extends Omit<RunOptions, "data"> {
  /** BCP 47 code of the texts. */
  language: string;
  /** To begin with. */
  encoder?: PretrainedEncoder | undefined;
}

export interface TrainedSplits {
  config: ClassificationConfig;
  /** Bytes of model.safetensors. */
  file: Uint8Array<ArrayBuffer>;
  tokenizer: Tokenizer;
  /** Weights of the network. */
  parameters: number;
}

/** @returns undefined if it was stopped */
export async function trainSplits(data: OwnData, options: SplitsOptions): Promise<TrainedSplits | undefined> {
  const { language, encoder, ...run } = options;
  const { runDir } = run;
  const { train } = data.splits;
  const tokenizer = await openOwnTokenizer(runDir, train, encoder);
  const tokenCounts = train.map(({ text }) => tokenizer.encode(text).length);
  const rowLength = Math.min(rowLengthFor(tokenCounts), encoder?.config.max_seq_len ?? Infinity);
  const vocabSize = await vocabSizeOf(runDir, encoder);
  const recipe = ownRecipe(data, { vocabSize, rowLength, tokenCounts, language }, encoder);
  const begin = encoder && ((config: ClassificationConfig) => parametersFrom(encoder, config, recipe.training.seed));
  if (!(await trainClassification(recipe, { ...run, data: {} }, begin))) return undefined;

  const config = parseConfigOf("classification", await readFile(join(runDir, "config.json"), "utf8"));
  const { parameters } = await readCheckpoint(join(runDir, "best.safetensors"), config);
  const { file } = quantizeModel(config, parameters);
  const calibrations = await calibrate(config, file, tokenizer, await loadHeads(recipe, {}));
  return {
    config: withEncoderCard(calibratedConfig(config, calibrations), encoder),
    file,
    tokenizer,
    parameters: parameters.length,
  };
}

/** The encoder's vocabulary, or one trained on these texts. */
async function openOwnTokenizer(
  runDir: string,
  train: LabelledText[],
  encoder: PretrainedEncoder | undefined,
): Promise<Tokenizer> {
  if (encoder) {
    await writeVocabulary(runDir, encoder);
    return Tokenizer.fromJson(encoder.tokenizer);
  }
  const texts = () => train.map(({ text }) => text);
  return await openTokenizer(runDir, texts, { vocabSize: vocabSizeFor(train), lowercase: true });
}

/** How many tokens there are: few texts have fewer pairs to merge than a vocabulary has room for. */
async function vocabSizeOf(runDir: string, encoder: PretrainedEncoder | undefined): Promise<number> {
  if (encoder) return encoder.config.vocab_size;
  const { model } = JSON.parse(await readFile(join(runDir, "tokenizer.json"), "utf8"));
  return Object.keys(model.vocab).length;
}

/** What the encoder learnt from is in the classifier, too. */
function withEncoderCard(config: ClassificationConfig, encoder: PretrainedEncoder | undefined): ClassificationConfig {
  if (!encoder) return { ...config, card: { ...config.card, licence: "your own data" } };
  const { licence, training_data } = encoder.config.card;
  return {
    ...config,
    card: {
      ...config.card,
      licence: `your own data; the encoder is that of ${encoder.id}: ${licence}`,
      training_data: [...config.card.training_data, ...training_data],
    },
  };
}

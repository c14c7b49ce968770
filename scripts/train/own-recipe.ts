/**
 * The recipe of a classifier of one's own: everything that a person who knows no machine learning is not asked, from
 * how many rows there are and how long they are. Small networks for small data.
 */

import type { EncoderClassificationConfig } from "../../worker/model/config.ts";
import type { ClassificationSet, LabelledText, Splits } from "../data/classification.ts";
import type { ClassificationRecipe } from "../recipes/recipe.ts";
import type { PretrainedEncoder } from "./encoder.ts";

export interface OwnData {
  /** Of the model. */
  id: string;
  /** File name, for the card. */
  file: string;
  /** Name of the column of labels. */
  labelColumn: string;
  splits: Splits;
}

type Sizes = Pick<EncoderClassificationConfig, "d_model" | "d_ff" | "n_heads" | "n_enc_layers">;

/** From so many rows to train on, these sizes. */
const SIZES: [rows: number, sizes: Sizes][] = [
  [20_000, { d_model: 128, d_ff: 512, n_heads: 4, n_enc_layers: 3 }],
  [2_000, { d_model: 128, d_ff: 256, n_heads: 4, n_enc_layers: 2 }],
  [0, { d_model: 64, d_ff: 128, n_heads: 4, n_enc_layers: 1 }],
];

/** Tokens that a whole training sees at most, whatever their rows: minutes on two cores. */
const MAX_TOKENS = { encoder: 2_000_000, scratch: 6_000_000 };
const MIN_EPOCHS = 3;
/** Of those that an encoder brings along. */
const N_GRAM_DROPOUT = 0.3;

export interface OwnSizes {
  /** Of the tokenizer that the run has already. */
  vocabSize: number;
  /** Tokens of a row of a batch, as of `rowLengthFor`. */
  rowLength: number;
  /** Tokens of each text to train on. */
  tokenCounts: number[];
  /** BCP 47 code. */
  language: string;
}

export function ownRecipe(
  { id, file, labelColumn, splits }: OwnData,
  { vocabSize, rowLength, tokenCounts, language }: OwnSizes,
  encoder?: PretrainedEncoder,
): ClassificationRecipe {
  const rows = splits.train.length;
  const classes = new Set(splits.train.map(({ label }) => label)).size;
  const sizes = encoder?.config ?? SIZES.find(([from]) => rows >= from)![1];
  const tokens = tokenCounts.reduce((sum, count) => sum + Math.min(count, rowLength), 0);
  const most = Math.max(MIN_EPOCHS, Math.floor(MAX_TOKENS[encoder ? "encoder" : "scratch"] / tokens));
  const epochs = Math.min(most, encoder ? clamp(30_000 / rows, 6, 40) : clamp(100_000 / rows, 8, 60));
  const set: ClassificationSet = {
    id,
    language: language === "zh" ? "zh" : "en",
    splits: "a tenth of each class for dev, a tenth for test",
    card: { name: file, url: "", licence: "your own" },
    load: async () => ({ ...splits, leftOut: { train: 0, dev: 0 } }),
  };
  return {
    kind: "classification",
    id,
    config: {
      model_type: "edge-slm-encoder",
      task: "classification",
      d_model: sizes.d_model,
      d_ff: sizes.d_ff,
      n_heads: sizes.n_heads,
      n_enc_layers: sizes.n_enc_layers,
      vocab_size: vocabSize,
      max_seq_len: rowLength,
      n_grams: encoder?.config.n_grams,
      activation: encoder?.config.activation ?? "gelu",
      layer_norm_eps: encoder?.config.layer_norm_eps ?? 1e-5,
      pad_token_id: encoder?.config.pad_token_id ?? 0,
      bos_token_id: encoder?.config.bos_token_id ?? 1,
      eos_token_id: encoder?.config.eos_token_id ?? 2,
      source_languages: [language],
      source_scripts: scriptsOf(splits.train),
      card: { description: `Column ${JSON.stringify(labelColumn)} of ${file}: ${classes} classes.` },
    },
    heads: [{ name: headName(labelColumn), sets: [set] }],
    lowercase: true,
    rowLength,
    slots: Math.max(4, rowLength / 8),
    epochTexts: rows,
    samplingExponent: 1,
    tokenDropout: 0.1,
    nGramDropout: N_GRAM_DROPOUT,
    training: {
      epochs,
      rowsPerStep: { cpu: 16, webgpu: 64 },
      peakLearningRate: encoder ? 1e-3 : sizes.d_model < 128 ? 5e-3 : 2e-3,
      warmupSteps: 20,
      decayShare: 0.7,
      dropout: 0.2,
      labelSmoothing: 0.1,
      weightDecay: 0.05,
      evaluateEvery: Math.ceil(epochs / 10),
      seed: 1,
    },
  };
}

/** Tokens of a vocabulary: more words, more of them worth a token of their own. */
export function vocabSizeFor(texts: LabelledText[]): number {
  const words = texts.reduce((sum, { text }) => sum + text.split(/\s+/).length, 0);
  return clamp(512 + words / 15, 512, 8_000);
}

/** Tokens of a row: short texts need no long ones, longer texts are read in windows. */
export function rowLengthFor(tokenCounts: number[]): number {
  const sorted = tokenCounts.toSorted((a, b) => a - b);
  return sorted[Math.floor(0.95 * sorted.length)]! < 64 ? 64 : 128;
}

function clamp(value: number, least: number, most: number): number {
  return Math.round(Math.min(most, Math.max(least, value)));
}

/** A column's name as a head may be called: a-z, 0-9 and _. */
function headName(column: string): string {
  const name = column
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^[^a-z]+|_+$/g, "");
  return name === "" ? "label" : name;
}

/** Scripts that a text may be written in; of each some letters tell, and what language is most likely. */
const SCRIPTS: [script: string, language: string][] = [
  ["Latin", "en"],
  ["Hiragana", "ja"],
  ["Katakana", "ja"],
  ["Han", "zh"],
  ["Hangul", "ko"],
  ["Cyrillic", "ru"],
  ["Greek", "el"],
  ["Arabic", "ar"],
  ["Hebrew", "he"],
  ["Devanagari", "hi"],
  ["Bengali", "bn"],
  ["Tamil", "ta"],
  ["Thai", "th"],
  ["Georgian", "ka"],
  ["Armenian", "hy"],
];

/** A script that has fewer of the letters is of a name or a quotation. */
const MIN_SCRIPT_SHARE = 0.02;

/** The scripts of the letters, most letters first. */
function scriptsOf(texts: LabelledText[]): string[] {
  const all = texts.map(({ text }) => text).join("\n");
  const counts = SCRIPTS.map(([script]) => ({
    script,
    letters: all.match(new RegExp(`\\p{Script=${script}}`, "gu"))?.length ?? 0,
  }));
  const total = counts.reduce((sum, { letters }) => sum + letters, 0);
  const found = counts
    .filter(({ letters }) => letters > 0 && letters >= MIN_SCRIPT_SHARE * total)
    .sort((a, b) => b.letters - a.letters)
    .map(({ script }) => script);
  return found.length > 0 ? found : ["Latin"];
}

/** What language texts are likely in, by their letters alone. */
export function guessLanguage(texts: LabelledText[]): string {
  const scripts = scriptsOf(texts);
  // Japanese is mostly written in Han; what is not tells.
  const telling = scripts.includes("Hiragana") ? "Hiragana" : scripts[0];
  return SCRIPTS.find(([script]) => script === telling)![1];
}

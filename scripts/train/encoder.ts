/**
 * The encoder that a classifier begins with (`--from`): a shipped model's, its int8 weights made float
 * again, which everyone has; or that of a run, from its best checkpoint.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import {
  type ClassificationConfig,
  type EmbeddingConfig,
  type EncoderClassificationConfig,
  expectTask,
  expectTransformer,
  parseConfigOf,
  type QuestionAnsweringConfig,
} from "../../worker/model/config.ts";
import { dequantizeModel } from "../export/dequantize.ts";
import { findModelFolder, readModelFolder } from "../publish/model-folder.ts";
import { readCheckpoint, writeWhole } from "../training/checkpoint.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../training/parameters.ts";
import { writeNGrams } from "../training/prepare.ts";

export interface PretrainedEncoder {
  /** Of the model or the run that it comes from. */
  id: string;
  /** Of the model that it comes from. */
  config: EncoderClassificationConfig;
  /** Text of tokenizer.json. */
  tokenizer: string;
  /** Every weight by its name in `tensorSpecs()`. */
  tensors: Map<string, Float32Array>;
}

/**
 * @param from a model's id or folder, or a run's name or folder
 * @throws Error if there is neither, or it is not for classification, or no transformer
 */
export async function readEncoder(from: string): Promise<PretrainedEncoder> {
  for (const runDir of [resolve(from), resolve("runs", from)]) {
    if (existsSync(join(runDir, "best.safetensors"))) return await readRun(runDir);
  }
  const folder = await readModelFolder(await findModelFolder(from));
  const config = expectTransformer(expectTask("classification", folder.manifest.config));
  const text = new TextDecoder();
  return {
    id: folder.manifest.id,
    config,
    tokenizer: text.decode(folder.contents.get("tokenizer.json")),
    tensors: dequantizeModel(config, folder.contents.get("model.safetensors")!),
  };
}

async function readRun(runDir: string): Promise<PretrainedEncoder> {
  const config = expectTransformer(
    parseConfigOf("classification", await readFile(join(runDir, "config.json"), "utf8")),
  );
  const { parameters } = await readCheckpoint(join(runDir, "best.safetensors"), config);
  const slices = parameterSlices(config);
  // Pre-training is a run inside the run whose vocabulary it has.
  const tokenizerPath = [join(runDir, "tokenizer.json"), join(runDir, "..", "tokenizer.json")].find(existsSync);
  if (tokenizerPath === undefined) throw new Error(`${runDir}: expected a tokenizer.json in it`);
  return {
    id: basename(dirname(tokenizerPath)),
    config,
    tokenizer: await readFile(tokenizerPath, "utf8"),
    tensors: new Map(slices.map(({ name, offset, length }) => [name, parameters.subarray(offset, offset + length)])),
  };
}

/** What a run that begins with this encoder has of it before its first step: the vocabulary, and the n-grams. */
export async function writeVocabulary(runDir: string, { tokenizer, tensors }: PretrainedEncoder): Promise<void> {
  await mkdir(runDir, { recursive: true });
  await writeWhole(join(runDir, "tokenizer.json"), tokenizer);
  const nGrams = tensors.get("n_grams.tokens");
  if (nGrams) await writeNGrams(runDir, nGrams);
}

/**
 * The parameters of a network with this encoder and whatever else it has new, flat.
 * @param heads "new", or "same": those of the same name and labels stay
 */
export function parametersFrom(
  { tensors, config: { heads: known, n_grams } }: PretrainedEncoder,
  config: ClassificationConfig | EmbeddingConfig | QuestionAnsweringConfig,
  seed: number,
  heads: "new" | "same" = "new",
): Float32Array {
  const kept = (heads === "same" && "heads" in config ? config.heads : []).filter(({ name, labels }) =>
    known.some((head) => head.name === name && head.labels.join() === labels.join()),
  );
  const slices = parameterSlices(config);
  const flat = new Float32Array(parameterCount(slices));
  initializeParameters(flat, slices, config, seed);
  for (const { name, kind, offset, length } of slices) {
    if (/^(features|span)\./.test(name)) continue;
    // Without n-grams, it learns what they say anew.
    if (name.startsWith("n_grams.") && !n_grams) continue;
    if (name.startsWith("heads.") && !kept.some((head) => name.startsWith(`heads.${head.name}.`))) continue;
    const given = tensors.get(name);
    // Shorter texts need the first positions only; of longer ones all are made anew, for they are the same in every network.
    if (kind === "positions" && given && given.length < length) continue;
    const tensor = kind === "positions" ? given?.subarray(0, length) : given;
    if (tensor?.length !== length) {
      throw new Error(
        `${name}: expected ${length} weights in the encoder to begin with, got ${tensor?.length ?? "none"}`,
      );
    }
    flat.set(tensor, offset);
  }
  return flat;
}

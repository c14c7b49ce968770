/** The tiny fixtures in Node, in both kernel builds, and beside them the naive reference of the same weights. */
import { readFileSync } from "node:fs";
import type { Embedder } from "../../worker/engine/embed.ts";
import type { Classifier } from "../../worker/engine/heads.ts";
import {
  loadClassifier,
  loadEmbedder,
  loadReader,
  loadRecommender,
  loadTransformer,
} from "../../worker/engine/load.ts";
import type { Reader } from "../../worker/engine/reader.ts";
import type { Recommender } from "../../worker/engine/recommender.ts";
import type { Transformer } from "../../worker/engine/transformer.ts";
import {
  type EmbeddingConfig,
  type EncoderClassificationConfig,
  embeddingConfigSchema,
  expectTransformer,
  type LstmClassificationConfig,
  lstmClassificationConfigSchema,
  parseConfigOf,
  type QuestionAnsweringConfig,
  type RecommendationConfig,
  type TranslationConfig,
} from "../../worker/model/config.ts";
import { ReferenceModel } from "../reference-model.ts";

export const BUILDS = ["relaxed", "simd"] as const;
export type Build = (typeof BUILDS)[number];

const read = (path: string) => readFileSync(new URL(`../fixtures/${path}`, import.meta.url));
export const tinyConfig: TranslationConfig = parseConfigOf("translation", read("tiny/config.json").toString());
export const tinyWeights: Uint8Array<ArrayBuffer> = new Uint8Array(read("tiny/model.safetensors"));
export const tinyTokenizerJson: string = read("tiny/tokenizer.json").toString();
export const classifierConfig: EncoderClassificationConfig = expectTransformer(
  parseConfigOf("classification", read("tiny-classifier/config.json").toString()),
);
export const classifierWeights: Uint8Array<ArrayBuffer> = new Uint8Array(read("tiny-classifier/model.safetensors"));
export const lstmConfig: LstmClassificationConfig = lstmClassificationConfigSchema.parse(
  JSON.parse(read("tiny-lstm/config.json").toString()),
);
export const lstmWeights: Uint8Array<ArrayBuffer> = new Uint8Array(read("tiny-lstm/model.safetensors"));

export const embedderConfig: EmbeddingConfig = embeddingConfigSchema.parse(
  JSON.parse(read("tiny-embedder/config.json").toString()),
);
export const embedderWeights: Uint8Array<ArrayBuffer> = new Uint8Array(read("tiny-embedder/model.safetensors"));

export function loadTinyEmbedder(build: Build = "relaxed"): Promise<Embedder> {
  return loadEmbedder(embedderConfig, streamOf(embedderWeights), kernelsOf(build));
}

export const readerConfig: QuestionAnsweringConfig = parseConfigOf(
  "question-answering",
  read("tiny-reader/config.json").toString(),
);
export const readerWeights: Uint8Array<ArrayBuffer> = new Uint8Array(read("tiny-reader/model.safetensors"));

export const recommenderConfig: RecommendationConfig = parseConfigOf(
  "recommendation",
  read("tiny-recommender/config.json").toString(),
);
export const recommenderWeights: Uint8Array<ArrayBuffer> = new Uint8Array(read("tiny-recommender/model.safetensors"));
export const recommenderItems: Uint8Array<ArrayBuffer> = new Uint8Array(read("tiny-recommender/items.txt"));

export function kernelsOf(build: Build): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(new URL(`../../build/kernels/${build}.wasm`, import.meta.url)));
}

/** A stream that delivers the bytes in chunks of `chunkBytes`. */
export function streamOf(bytes: Uint8Array, chunkBytes = 10_000): ReadableStream<Uint8Array> {
  let start = 0;
  return new ReadableStream({
    pull(controller) {
      if (start >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(start, start + chunkBytes));
      start += chunkBytes;
    },
  });
}

/** @param changes to the config that leave the tensors as they are */
export function loadTiny(build: Build = "relaxed", changes: Partial<TranslationConfig> = {}): Promise<Transformer> {
  return loadTransformer({ ...tinyConfig, ...changes }, streamOf(tinyWeights), kernelsOf(build));
}

export const referenceTiny = (changes: Partial<TranslationConfig> = {}): ReferenceModel =>
  new ReferenceModel({ ...tinyConfig, ...changes }, tinyWeights);

export function loadTinyClassifier(
  build: Build = "relaxed",
  changes: Partial<EncoderClassificationConfig> = {},
): Promise<Classifier> {
  return loadClassifier({ ...classifierConfig, ...changes }, streamOf(classifierWeights), kernelsOf(build));
}

export const referenceClassifier = (changes: Partial<EncoderClassificationConfig> = {}): ReferenceModel =>
  new ReferenceModel({ ...classifierConfig, ...changes }, classifierWeights);

export function loadTinyLstm(build: Build = "relaxed"): Promise<Classifier> {
  return loadClassifier(lstmConfig, streamOf(lstmWeights), kernelsOf(build));
}

export function loadTinyReader(
  build: Build = "relaxed",
  changes: Partial<QuestionAnsweringConfig> = {},
): Promise<Reader> {
  return loadReader({ ...readerConfig, ...changes }, streamOf(readerWeights), kernelsOf(build));
}

export const referenceReader = (changes: Partial<QuestionAnsweringConfig> = {}): ReferenceModel =>
  new ReferenceModel({ ...readerConfig, ...changes }, readerWeights);

export function loadTinyRecommender(build: Build = "relaxed"): Promise<Recommender> {
  return loadRecommender(recommenderConfig, streamOf(recommenderWeights), kernelsOf(build));
}

export const referenceRecommender = (): ReferenceModel => new ReferenceModel(recommenderConfig, recommenderWeights);

/** The tiny fixture in Node, in both kernel builds, and beside it the naive reference of the same weights. */
import { readFileSync } from "node:fs";
import { loadTransformer } from "../../worker/engine/load.ts";
import type { Transformer } from "../../worker/engine/transformer.ts";
import { type ModelConfig, parseModelConfig } from "../../worker/model/config.ts";
import { ReferenceModel } from "../reference-model.ts";

export const BUILDS = ["relaxed", "simd"] as const;
export type Build = (typeof BUILDS)[number];

const folder = new URL("../fixtures/tiny/", import.meta.url);
export const tinyConfig: ModelConfig = parseModelConfig(readFileSync(new URL("config.json", folder), "utf8"));
export const tinyWeights: Uint8Array<ArrayBuffer> = new Uint8Array(readFileSync(new URL("model.safetensors", folder)));
export const tinyTokenizerJson: string = readFileSync(new URL("tokenizer.json", folder), "utf8");

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
export function loadTiny(build: Build = "relaxed", changes: Partial<ModelConfig> = {}): Promise<Transformer> {
  return loadTransformer({ ...tinyConfig, ...changes }, streamOf(tinyWeights), kernelsOf(build));
}

export const referenceTiny = (changes: Partial<ModelConfig> = {}): ReferenceModel =>
  new ReferenceModel({ ...tinyConfig, ...changes }, tinyWeights);

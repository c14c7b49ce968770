/** Embeds lines with the Worker's own code. */
import { embedWindows, type TextEmbedder } from "../../worker/embed.ts";
import { loadEmbedder } from "../../worker/engine/load.ts";
import { isManifestFor } from "../../worker/model/manifest.ts";
import { planWindows } from "../../worker/plan-windows.ts";
import { cleanText, scriptTest } from "../../worker/text/clean.ts";
import { tokenizerOf, weightsOf } from "../publish/model-folder.ts";
import { readKernels, readModels } from "./models.ts";
import type { CommonOptions } from "./options.ts";
import { type Result, type TextModel, toError } from "./text-model.ts";

/** Digits of a number as text: more than int8 weights are worth. */
const DIGITS = 6;

/** @throws Error if there is no such model */
export async function readEmbedder(options: CommonOptions): Promise<TextEmbedder> {
  const [folder] = await readModels("embedding", options.model);
  const { manifest } = folder!;
  if (!isManifestFor("embedding", manifest)) throw new Error(`expected a model for embedding, got ${manifest.id}`);
  return {
    manifest,
    tokenizer: tokenizerOf(folder!),
    engine: await loadEmbedder(manifest.config, weightsOf(folder!), await readKernels(options)),
    readsScript: scriptTest(manifest.config.source_scripts),
  };
}

export async function openEmbedder(options: CommonOptions): Promise<TextModel> {
  const model = await readEmbedder(options);
  const embedOne = async (text: string): Promise<Result> => {
    const [embedding] = await embedWindows(planWindows([cleanText(text)], model), model, {});
    const numbers = Array.from(embedding!.vector, (value) => Number(value.toFixed(DIGITS)));
    const json = { text, embedding: numbers, tokens: embedding!.tokens, model: model.manifest.id };
    return { line: numbers.join(" "), json };
  };
  return {
    async answer(texts) {
      const results: Result[] = [];
      for (const text of texts) results.push(await embedOne(text).catch(toError));
      return results;
    },
  };
}

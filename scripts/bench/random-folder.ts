/** A model of random weights as the folder that would be uploaded. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TranslationConfig } from "../../worker/model/config.ts";
import { type ModelFolder, readModelFolder } from "../publish/model-folder.ts";
import type { RandomModel } from "./random-model.ts";

/** @param tokenizerJson of a vocabulary that is no larger than the model's */
export async function makeRandomFolder(
  { config, weights }: RandomModel<TranslationConfig>,
  tokenizerJson: Uint8Array,
): Promise<ModelFolder> {
  const temporary = await mkdtemp(join(tmpdir(), "edge-slm-bench-"));
  const directory = join(temporary, "random");
  try {
    await mkdir(directory);
    await writeFile(join(directory, "config.json"), JSON.stringify(config));
    await writeFile(join(directory, "tokenizer.json"), tokenizerJson);
    await writeFile(join(directory, "model.safetensors"), weights);
    return await readModelFolder(directory);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

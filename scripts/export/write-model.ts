/** Puts an exported model's folder in place in one rename: it is there whole, or the old one stays. */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ModelConfig } from "../../worker/model/config.ts";
import { vocabularyFile } from "../../worker/model/manifest.ts";
import { modelCard } from "./card.ts";

export interface ExportedModel {
  id: string;
  config: ModelConfig;
  /** Text of tokenizer.json, or of items.txt if the model is a recommender. */
  vocabulary: string;
  /** Bytes of model.safetensors. */
  file: Uint8Array;
  parameters: number;
  /** As of `modelCard`. */
  command?: string;
}

/** @throws Error if it cannot be written; nothing is left behind then */
export async function writeModelFolder(outDir: string, model: ExportedModel): Promise<void> {
  const { vocabulary, file, ...facts } = model;
  const temporary = `${outDir}.part`;
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    await writeFile(join(temporary, "config.json"), `${JSON.stringify(facts.config, null, 2)}\n`);
    await writeFile(join(temporary, vocabularyFile(facts.config.task)), vocabulary);
    await writeFile(join(temporary, "model.safetensors"), file);
    await writeFile(join(temporary, "card.md"), modelCard({ ...facts, bytes: file.length }));
    await mkdir(dirname(outDir), { recursive: true });
    await rm(outDir, { recursive: true, force: true });
    await rename(temporary, outDir);
  } catch (cause) {
    // What cannot be removed was not written.
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw new Error(`export: cannot write ${outDir}: ${(cause as Error).message}`, { cause });
  }
}

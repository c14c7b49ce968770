/** Writes the ONNX graphs of an exported model, each file whole or not at all. */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findModelFolder, readModelFolder } from "../publish/model-folder.ts";
import { exportOnnx } from "./onnx.ts";

/**
 * @param model the model's folder, or its name in `models/`
 * @param directory is made if it is not there
 * @returns the bytes of each file, by its name
 * @throws Error if there is no such model or the files can't be written
 */
export async function writeOnnx(model: string, directory: string): Promise<Record<string, number>> {
  const { manifest, contents } = await readModelFolder(await findModelFolder(model));
  const files = exportOnnx(manifest.config, contents.get("model.safetensors")!);
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(directory, name);
    try {
      await mkdir(directory, { recursive: true });
      await writeFile(`${path}.part`, bytes);
      await rename(`${path}.part`, path);
    } catch (cause) {
      await rm(`${path}.part`, { force: true }).catch(() => undefined);
      throw new Error(`export: cannot write ${path}: ${(cause as Error).message}`, { cause });
    }
  }
  return Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, bytes.length]));
}

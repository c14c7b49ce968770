/** Writes the ONNX graphs of an exported model, each file whole or not at all. */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findModelFolder, readModelFolder } from "../publish/model-folder.ts";
import { exportOnnx } from "./onnx.ts";

export interface OnnxFiles {
  directory: string;
  /** Bytes of encoder.onnx and decoder.onnx. */
  encoderBytes: number;
  decoderBytes: number;
}

/**
 * @param model the model's folder, or its name in `models/`
 * @param directory is made if it is not there
 * @throws Error if there is no such model or the files can't be written
 */
export async function writeOnnx(model: string, directory: string): Promise<OnnxFiles> {
  const { manifest, contents } = await readModelFolder(await findModelFolder(model));
  const { encoder, decoder } = exportOnnx(manifest.config, contents.get("model.safetensors")!);
  for (const [name, bytes] of Object.entries({ "encoder.onnx": encoder, "decoder.onnx": decoder })) {
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
  return { directory, encoderBytes: encoder.length, decoderBytes: decoder.length };
}

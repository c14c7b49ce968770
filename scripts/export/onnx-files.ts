/** Writes the ONNX graphs of an exported model into a folder, whole or not at all. */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
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
 * @param directory is replaced
 * @throws Error if there is no such model or the folder can't be written
 */
export async function writeOnnx(model: string, directory: string): Promise<OnnxFiles> {
  const { manifest, contents } = await readModelFolder(await findModelFolder(model));
  const { encoder, decoder } = exportOnnx(manifest.config, contents.get("model.safetensors")!);
  const partial = `${directory}.part`;
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    await writeFile(join(partial, "encoder.onnx"), encoder);
    await writeFile(join(partial, "decoder.onnx"), decoder);
    await mkdir(dirname(directory), { recursive: true });
    await rm(directory, { recursive: true, force: true });
    await rename(partial, directory);
  } catch (cause) {
    await rm(partial, { recursive: true, force: true }).catch(() => undefined);
    throw new Error(`export: cannot write ${directory}: ${(cause as Error).message}`, { cause });
  }
  return { directory, encoderBytes: encoder.length, decoderBytes: decoder.length };
}

/**
 * Float checkpoints: safetensors with every tensor of `tensorSpecs()` in F32, matrices [n, k], and for a run that
 * goes on the optimizer's moments beside them as `adamw.m.*` and `adamw.v.*`. Written whole to a temporary file and
 * renamed, so that a crash or a full disk leaves the old one.
 */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { readHeader, type Tensor, writeSafetensors } from "../../worker/model/format.ts";
import { type NetworkConfig, parameterCount, parameterSlices } from "./parameters.ts";

/** Where a run stands between two steps. */
export interface Progress {
  /** Finished steps. */
  step: number;
  epoch: number;
  /** Finished groups of batches of this epoch. */
  group: number;
  /** The best dev score so far, and when it was. */
  bestScore: number;
  bestStep: number;
  /** Seconds of training behind it, over all starts. */
  elapsedS: number;
}

export interface Moments {
  m: Float32Array;
  v: Float32Array;
}

/** Writes a file whole or not at all. */
export async function writeWhole(path: string, data: Uint8Array | string): Promise<void> {
  const temporary = `${path}.part`;
  try {
    await writeFile(temporary, data);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`cannot write ${path}: ${reason}`, { cause });
  }
}

function namedTensors(prefix: string, flat: Float32Array, config: NetworkConfig): Tensor[] {
  return parameterSlices(config).map(({ name, shape, offset, length }) => ({
    name: `${prefix}${name}`,
    shape,
    data: flat.slice(offset, offset + length),
  }));
}

/** Writes the parameters, and with `progress` and `moments` all that a run needs to go on. */
export async function writeCheckpoint(
  path: string,
  config: NetworkConfig,
  parameters: Float32Array,
  progress: Progress,
  moments?: Moments,
): Promise<void> {
  const tensors = namedTensors("", parameters, config);
  if (moments) {
    tensors.push(...namedTensors("adamw.m.", moments.m, config), ...namedTensors("adamw.v.", moments.v, config));
  }
  await writeWhole(path, writeSafetensors(tensors, { format: "pt", progress: JSON.stringify(progress) }));
}

/**
 * Reads a checkpoint into flat arrays.
 * @throws Error in one line if the file is broken or does not belong to this configuration
 */
export async function readCheckpoint(
  path: string,
  config: NetworkConfig,
): Promise<{ parameters: Float32Array; progress: Progress; moments: Moments | undefined }> {
  const file = await readFile(path);
  try {
    const header = readHeader(file);
    if (file.length !== header.dataByteOffset + header.dataByteLength) {
      throw new Error(`expected ${header.dataByteOffset + header.dataByteLength} bytes, got ${file.length}`);
    }
    const slices = parameterSlices(config);
    const readFlat = (prefix: string): Float32Array => {
      const flat = new Float32Array(parameterCount(slices));
      for (const { name, shape, offset, length } of slices) {
        const tensor = header.tensors.get(prefix + name);
        if (tensor?.dtype !== "F32" || tensor.shape.join() !== shape.join()) {
          throw new Error(`${prefix}${name}: expected F32 [${shape}], got ${tensor?.dtype} [${tensor?.shape}]`);
        }
        const start = header.dataByteOffset + tensor.byteOffset;
        flat.set(
          new Float32Array(file.buffer.slice(file.byteOffset + start, file.byteOffset + start + 4 * length)),
          offset,
        );
      }
      return flat;
    };
    const hasMoments = header.tensors.has(`adamw.m.${slices[0]!.name}`);
    return {
      parameters: readFlat(""),
      progress: JSON.parse(header.metadata.progress ?? "{}") as Progress,
      moments: hasMoments ? { m: readFlat("adamw.m."), v: readFlat("adamw.v.") } : undefined,
    };
  } catch (cause) {
    throw new Error(`${path} is not a checkpoint of this recipe: ${(cause as Error).message}`, { cause });
  }
}

/** The bytes of `model.safetensors` → float parameters again, as near as int8 says: what `quantize.ts` does, undone. */
import { type ModelConfig, tensorSpecs } from "../../worker/model/config.ts";
import { checkPacking, readHeader, unpackMatrix } from "../../worker/model/format.ts";

/**
 * @returns each tensor of `tensorSpecs(config)` by name, matrices [n, k] row-major
 * @throws Error naming the tensor that the file does not have
 */
export function dequantizeModel(config: ModelConfig, file: Uint8Array): Map<string, Float32Array> {
  const header = readHeader(file);
  checkPacking(header);
  const read = (name: string): ArrayBuffer => {
    const info = header.tensors.get(name);
    if (!info) throw new Error(`model.safetensors: expected the tensor ${name}, got none; export the model again`);
    const start = header.dataByteOffset + info.byteOffset;
    return new Uint8Array(file.subarray(start, start + info.byteLength)).buffer;
  };
  const tensors = new Map<string, Float32Array>();
  for (const { name, shape, kind } of tensorSpecs(config)) {
    const [n, k = 1] = shape;
    if (kind === "n_grams") {
      tensors.set(name, Float32Array.from(new Int32Array(read(name)).subarray(0, n * k)));
      continue;
    }
    if (kind !== "matrix") {
      tensors.set(name, new Float32Array(read(name)).slice(0, n * k));
      continue;
    }
    const q = unpackMatrix(new Int8Array(read(name)), n, k);
    const scale = new Float32Array(read(`${name}_scale`));
    tensors.set(
      name,
      Float32Array.from(q, (value, i) => value * scale[Math.floor(i / k)]!),
    );
  }
  return tensors;
}

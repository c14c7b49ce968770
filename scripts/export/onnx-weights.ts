/** Reads the int8 weights of a `model.safetensors` back out of the kernels' tile order, for the ONNX export. */
import { type ModelConfig, tensorSpecs } from "../../worker/model/config.ts";
import { checkPacking, type Header, readHeader, unpackMatrix } from "../../worker/model/format.ts";
import type { OnnxMatrix } from "./onnx-graph.ts";

export interface OnnxWeights {
  /** `encoder.0.self_qkv.weight` and so on, unpacked and without padding. @throws Error if there is none */
  matrix(name: string): OnnxMatrix;
  /** Biases, norms and positions, without padding. @throws Error if there is none */
  vector(name: string): Float32Array;
}

/**
 * @param file the bytes of a `model.safetensors` exported for this config
 * @throws Error if it is packed otherwise or a tensor of the config is missing
 */
export function readWeights(config: ModelConfig, file: Uint8Array): OnnxWeights {
  const header = readHeader(file);
  checkPacking(header);
  const matrices = new Map<string, OnnxMatrix>();
  const vectors = new Map<string, Float32Array>();
  for (const { name, shape, kind } of tensorSpecs(config)) {
    const [n, k = 1] = shape;
    if (kind === "matrix") {
      const q = unpackMatrix(new Int8Array(tensorBytes(header, file, name)), n, k);
      const scale = new Float32Array(tensorBytes(header, file, `${name}_scale`)).slice(0, n);
      matrices.set(name, { n, k, q, scale });
    } else if (kind !== "n_grams") {
      vectors.set(name, new Float32Array(tensorBytes(header, file, name)).slice(0, n * k));
    }
  }
  return { matrix: (name) => found(matrices, name), vector: (name) => found(vectors, name) };
}

/** A copy: a tensor in a file need not lie at a multiple of its elements' size. */
function tensorBytes({ tensors, dataByteOffset }: Header, file: Uint8Array, name: string): ArrayBuffer {
  const { byteOffset, byteLength } = found(tensors, name);
  const start = dataByteOffset + byteOffset;
  const bytes = new Uint8Array(byteLength);
  bytes.set(file.subarray(start, start + byteLength));
  return bytes.buffer;
}

function found<T>(map: ReadonlyMap<string, T>, name: string): T {
  const value = map.get(name);
  if (value === undefined)
    throw new Error(`readWeights: no tensor ${name} in model.safetensors; export the model again`);
  return value;
}

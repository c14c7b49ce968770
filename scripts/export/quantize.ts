/**
 * Float parameters → the bytes of `model.safetensors`: matrices int8 per output channel in the kernels' tile order,
 * vectors f32. The arithmetic is `worker/model/format.ts`'s; here is only which tensor becomes what.
 */
import type { ModelConfig } from "../../worker/model/config.ts";
import {
  matrixTensors,
  type NeighbourLists,
  neighbourTensors,
  nGramTensor,
  PACKING_VERSION,
  quantizeMatrix,
  roundUp,
  type ShortlistLists,
  shortlistTensors,
  type Tensor,
  TILE_N,
  writeSafetensors,
} from "../../worker/model/format.ts";
import { parameterSlices } from "../training/parameters.ts";

export interface TensorError {
  name: string;
  shape: number[];
  /** ‖w − ŵ‖ / ‖w‖ over the tensor. */
  relativeError: number;
  /** The largest |w − ŵ|. */
  maxError: number;
}

/**
 * Quantizes and packs a network.
 * @param parameters flat, as in `training/parameters.ts`
 * @param shortlist written into the file, too
 * @param neighbours the same, of a recommender whose configuration says how many
 * @returns the file's bytes, and each matrix's rounding error
 */
export function quantizeModel(
  config: ModelConfig,
  parameters: Float32Array,
  shortlist?: ShortlistLists,
  neighbours?: NeighbourLists,
): { file: Uint8Array<ArrayBuffer>; errors: TensorError[] } {
  const tensors: Tensor[] = [];
  const errors: TensorError[] = [];
  for (const { name, shape, kind, offset, length } of parameterSlices(config)) {
    const data = parameters.slice(offset, offset + length);
    if (kind === "n_grams") {
      tensors.push(nGramTensor(name, data));
      continue;
    }
    if (kind !== "matrix") {
      tensors.push({ name, ...padded(data, shape) });
      continue;
    }
    const [n, k] = shape as [number, number];
    const matrix = quantizeMatrix(data, n, k);
    tensors.push(...matrixTensors(name, matrix, n, k));
    errors.push({ name, shape, ...roundingError(data, matrix.q, matrix.scale, k) });
  }
  if (shortlist) tensors.push(...shortlistTensors(shortlist));
  if (config.task === "recommendation" && config.neighbours) {
    if (!neighbours) throw new Error("quantizeModel: expected the neighbours that the configuration asks for");
    tensors.push(...neighbourTensors(neighbours, config.neighbours.count));
  }
  const metadata = { format: "edge-slm", packing: String(PACKING_VERSION) };
  return { file: writeSafetensors(tensors, metadata), errors };
}

/** A vector as the format wants it: zeros up to a multiple of 16. Tables are whole multiples by their d_model. */
function padded(data: Float32Array, shape: number[]): { data: Float32Array; shape: number[] } {
  if (shape.length > 1) return { data, shape };
  const longer = new Float32Array(roundUp(data.length, TILE_N));
  longer.set(data);
  return { data: longer, shape: [longer.length] };
}

function roundingError(w: Float32Array, q: Int8Array, scale: Float32Array, k: number) {
  let squares = 0;
  let errorSquares = 0;
  let maxError = 0;
  for (let i = 0; i < w.length; i++) {
    const error = Math.abs(w[i]! - q[i]! * scale[Math.floor(i / k)]!);
    squares += w[i]! ** 2;
    errorSquares += error ** 2;
    maxError = Math.max(maxError, error);
  }
  return { relativeError: squares === 0 ? 0 : Math.sqrt(errorSquares / squares), maxError };
}

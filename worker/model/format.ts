/**
 * What a model is, part 2: `model.safetensors`, read and write.
 *
 * A safetensors file is an 8-byte little-endian header length, a JSON header and the tensors' bytes without holes
 * (https://github.com/huggingface/safetensors). Ours keeps two promises on top, so that loading is one copy into
 * wasm memory: the data start at a multiple of 64 bytes (the header is padded with spaces), and so does each
 * tensor (every tensor is a multiple of 64 bytes long).
 *
 * A matrix W [n, k] is stored as three tensors:
 *   name         I8  [N/16, K/4, 16, 4]  q, packed in the kernels' tile order, N and K rounded up, zeros in the tail
 *   name_scale   F32 [N]                 real = q · scale, one scale per output channel
 *   name_sum     I32 [N]                 Σ_k q[n, k]: what the activations' zero point is multiplied with
 * Vectors stay F32, padded with zeros to a multiple of 16.
 *
 * A translation model may have a lexical shortlist, two more tensors:
 *   shortlist.offsets  I32 [V + 2]  where the candidates of a source token start; those of every sentence are list V
 *   shortlist.targets  I32          the target tokens of one list after the other
 * each padded to a multiple of 16, the offsets with their last one.
 *
 * A classifier may have vectors of n-grams: a matrix n_grams.weight, and what its rows are of,
 *   n_grams.tokens  I32 [N, 3]  the tokens of each, sorted (model/n-grams.ts), N rounded up to 16
 *
 * A recommender may have the nearest neighbours of its items, three more tensors, N = vocab_size rounded up to 16:
 *   neighbours.items          I32 [N, count]  those nearest to an item, nearest first
 *   neighbours.weights        I8  [N, count]  nearness = weight · scale; 0 where an item has fewer
 *   neighbours.weights_scale  F32 [N]
 */

import { MAX_N_GRAM } from "./n-grams.ts";

/** The version of the packing above; a change of tile order, padding or naming raises it. */
export const PACKING_VERSION = 1;

/** Output channels of a tile: 4 accumulators of 4 lanes. */
export const TILE_N = 16;
/** Input channels of a tile: the 4 products one 32-bit lane sums. */
export const TILE_K = 4;

const ALIGNMENT = 64;
const HEADER_LENGTH_BYTES = 8;
/** A header is some 100 bytes per tensor; anything near this is not a header. */
const MAX_HEADER_BYTES = 1 << 22;

export type TensorType = "F32" | "I32" | "I8";
const TYPE_BYTES: Record<TensorType, number> = { F32: 4, I32: 4, I8: 1 };

export interface TensorInfo {
  dtype: TensorType;
  shape: number[];
  /** From the start of the data, not of the file. */
  byteOffset: number;
  byteLength: number;
}

export interface Header {
  metadata: Record<string, string>;
  tensors: Map<string, TensorInfo>;
  /** Where the data start in the file. */
  dataByteOffset: number;
  dataByteLength: number;
}

export interface Tensor {
  name: string;
  shape: number[];
  data: Float32Array | Int32Array | Int8Array;
}

/** Rounds up to the next multiple. */
export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** Bytes of the header with its length prefix, or undefined while fewer than 8 bytes are there. */
export function headerByteLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER_LENGTH_BYTES) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) {
    throw new Error(`readHeader: expected a safetensors header of at most ${MAX_HEADER_BYTES} bytes, got ${length}`);
  }
  return HEADER_LENGTH_BYTES + Number(length);
}

/**
 * Reads the header from the first bytes of a safetensors file.
 * @param bytes at least `headerByteLength(bytes)` of them
 * @throws Error if the JSON is broken, a type is not F32, I32 or I8, or the tensors overlap or leave holes
 */
export function readHeader(bytes: Uint8Array): Header {
  const dataByteOffset = headerByteLength(bytes);
  if (dataByteOffset === undefined || bytes.length < dataByteOffset) {
    throw new Error(`readHeader: expected ${dataByteOffset ?? HEADER_LENGTH_BYTES} bytes, got ${bytes.length}`);
  }
  let json: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER_LENGTH_BYTES, dataByteOffset)));
  } catch (cause) {
    throw new Error("readHeader: the safetensors header is not JSON; export the model again", { cause });
  }
  const { __metadata__, ...entries } = json;
  const metadata = (__metadata__ ?? {}) as unknown as Record<string, string>;
  const tensors = new Map<string, TensorInfo>();
  let end = 0;
  const inFileOrder = Object.entries(entries).sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0]);
  for (const [name, { dtype, shape, data_offsets }] of inFileOrder) {
    const elementBytes = TYPE_BYTES[dtype as TensorType];
    if (elementBytes === undefined) throw new Error(`readHeader: ${name}: expected F32, I32 or I8, got ${dtype}`);
    const byteLength = shape.reduce((product, s) => product * s, elementBytes);
    if (data_offsets[0] !== end || data_offsets[1] - data_offsets[0] !== byteLength) {
      throw new Error(
        `readHeader: ${name} [${shape}]: expected bytes ${end}…${end + byteLength}, got ${data_offsets.join("…")}`,
      );
    }
    end = data_offsets[1];
    tensors.set(name, { dtype: dtype as TensorType, shape, byteOffset: data_offsets[0], byteLength });
  }
  return { metadata, tensors, dataByteOffset, dataByteLength: end };
}

/** @throws Error naming both versions and the command that mends it, unless the file is packed for these kernels */
export function checkPacking(header: Header): void {
  const found = header.metadata.packing ?? "none";
  if (found !== String(PACKING_VERSION)) {
    throw new Error(`readModel: packing ${found}, expected ${PACKING_VERSION}; run npm run export`);
  }
}

/** Writes tensors as safetensors, in the given order. Each must be a multiple of 64 bytes to keep the alignment. */
export function writeSafetensors(tensors: Tensor[], metadata: Record<string, string>): Uint8Array<ArrayBuffer> {
  const entries: Record<string, unknown> = { __metadata__: metadata };
  let dataByteLength = 0;
  for (const { name, shape, data } of tensors) {
    const elements = shape.reduce((product, s) => product * s, 1);
    if (elements !== data.length) {
      throw new Error(`writeSafetensors: ${name} [${shape}]: expected ${elements} elements, got ${data.length}`);
    }
    const dtype = data instanceof Float32Array ? "F32" : data instanceof Int32Array ? "I32" : "I8";
    entries[name] = { dtype, shape, data_offsets: [dataByteLength, dataByteLength + data.byteLength] };
    dataByteLength += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const dataByteOffset = roundUp(HEADER_LENGTH_BYTES + json.length, ALIGNMENT);
  const file = new Uint8Array(dataByteOffset + dataByteLength).fill(0x20, 0, dataByteOffset);
  new DataView(file.buffer).setBigUint64(0, BigInt(dataByteOffset - HEADER_LENGTH_BYTES), true);
  file.set(json, HEADER_LENGTH_BYTES);
  let byteOffset = dataByteOffset;
  for (const { data } of tensors) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), byteOffset);
    byteOffset += data.byteLength;
  }
  return file;
}

/** A quantized matrix: real[n, k] ≈ q[n, k] · scale[n]. */
export interface QuantizedMatrix {
  /** [n, k] row-major, −127…127 */
  q: Int8Array;
  /** [n] */
  scale: Float32Array;
  /** [n] Σ_k q[n, k] */
  sum: Int32Array;
}

/**
 * Quantizes a matrix to int8, symmetric, one scale per output channel: scale = max|w| / 127.
 * @param w [n, k] row-major
 */
export function quantizeMatrix(w: Float32Array, n: number, k: number): QuantizedMatrix {
  const q = new Int8Array(n * k);
  const scale = new Float32Array(n);
  const sum = new Int32Array(n);
  for (let row = 0; row < n; row++) {
    let max = 0;
    for (let i = 0; i < k; i++) max = Math.max(max, Math.abs(w[row * k + i]!));
    // A row of zeros keeps scale 1, so that nothing divides by zero.
    scale[row] = max === 0 ? 1 : max / 127;
    for (let i = 0; i < k; i++) {
      const value = Math.max(-127, Math.min(127, Math.round(w[row * k + i]! / scale[row]!)));
      q[row * k + i] = value;
      sum[row]! += value;
    }
  }
  return { q, scale, sum };
}

/** Packs q [n, k] row-major into tile order [N/16, K/4, 16, 4], zeros in the tail. */
export function packMatrix(q: Int8Array, n: number, k: number): Int8Array {
  const paddedK = roundUp(k, TILE_K);
  const packed = new Int8Array(roundUp(n, TILE_N) * paddedK);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < k; i++) packed[packedIndex(row, i, paddedK)] = q[row * k + i]!;
  }
  return packed;
}

/** The inverse of `packMatrix`. */
export function unpackMatrix(packed: Int8Array, n: number, k: number): Int8Array {
  const paddedK = roundUp(k, TILE_K);
  const q = new Int8Array(n * k);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < k; i++) q[row * k + i] = packed[packedIndex(row, i, paddedK)]!;
  }
  return q;
}

function packedIndex(row: number, i: number, paddedK: number): number {
  const tile = Math.floor(row / TILE_N) * paddedK * TILE_N + Math.floor(i / TILE_K) * TILE_N * TILE_K;
  return tile + (row % TILE_N) * TILE_K + (i % TILE_K);
}

/** The three tensors that store a quantized matrix, padded as the file's promises ask. */
export function matrixTensors(name: string, matrix: QuantizedMatrix, n: number, k: number): Tensor[] {
  const paddedN = roundUp(n, TILE_N);
  const paddedK = roundUp(k, TILE_K);
  const scale = new Float32Array(paddedN);
  scale.set(matrix.scale);
  const sum = new Int32Array(paddedN);
  sum.set(matrix.sum);
  return [
    { name, shape: [paddedN / TILE_N, paddedK / TILE_K, TILE_N, TILE_K], data: packMatrix(matrix.q, n, k) },
    { name: `${name}_scale`, shape: [paddedN], data: scale },
    { name: `${name}_sum`, shape: [paddedN], data: sum },
  ];
}

/** A lexical shortlist: which target tokens may come out for a source. */
export interface ShortlistLists {
  /** [vocab_size] the candidates of each source token */
  ofToken: readonly (readonly number[])[];
  /** The candidates of every sentence, the end token among them. */
  common: readonly number[];
}

/** How many candidates every sentence has, at least, unless the vocabulary is smaller: more than any beam needs. */
export const SHORTLIST_MIN_COMMON = 64;

/** The names of the two tensors that store a shortlist. */
export const SHORTLIST_TENSORS = ["shortlist.offsets", "shortlist.targets"];

/** The two tensors that store a shortlist. */
export function shortlistTensors({ ofToken, common }: ShortlistLists): Tensor[] {
  const lists = [...ofToken, common];
  const total = lists.reduce((sum, list) => sum + list.length, 0);
  const offsets = new Int32Array(roundUp(lists.length + 1, TILE_N)).fill(total);
  const targets = new Int32Array(roundUp(total, TILE_N));
  let start = 0;
  lists.forEach((list, i) => {
    offsets[i] = start;
    targets.set(list, start);
    start += list.length;
  });
  return [
    { name: "shortlist.offsets", shape: [offsets.length], data: offsets },
    { name: "shortlist.targets", shape: [targets.length], data: targets },
  ];
}

/** Of each item those that are near, nearest first, with their nearness, above 0. */
export type NeighbourLists = readonly (readonly { item: number; nearness: number }[])[];

/** The tensors that store neighbours, as `checkTensors` and the engine expect them: type and shape by name. */
export function neighbourShapes(items: number, count: number): Map<string, [TensorType, number[]]> {
  const n = roundUp(items, TILE_N);
  return new Map<string, [TensorType, number[]]>([
    ["neighbours.items", ["I32", [n, count]]],
    ["neighbours.weights", ["I8", [n, count]]],
    ["neighbours.weights_scale", ["F32", [n]]],
  ]);
}

/** The three tensors that store the first `count` neighbours of each item. */
export function neighbourTensors(lists: NeighbourLists, count: number): Tensor[] {
  const n = roundUp(lists.length, TILE_N);
  const items = new Int32Array(n * count);
  const weights = new Int8Array(n * count);
  const scale = new Float32Array(n).fill(1);
  lists.forEach((list, row) => {
    const most = list[0]?.nearness ?? 0;
    if (most > 0) scale[row] = most / 127;
    list.slice(0, count).forEach(({ item, nearness }, i) => {
      items[row * count + i] = item;
      weights[row * count + i] = Math.round(nearness / scale[row]!);
    });
  });
  const data = [items, weights, scale];
  return [...neighbourShapes(lists.length, count)].map(([name, [, shape]], i) => ({ name, shape, data: data[i]! }));
}

/** The shape that n-grams are stored in, I32. */
export function nGramShape(count: number): [number, number] {
  return [roundUp(count, TILE_N), MAX_N_GRAM];
}

/** The tensor that stores n-grams. @param tokens [n-grams, MAX_N_GRAM] */
export function nGramTensor(name: string, tokens: ArrayLike<number>): Tensor {
  const shape = nGramShape(tokens.length / MAX_N_GRAM);
  const data = new Int32Array(shape[0] * shape[1]);
  data.set(tokens);
  return { name, shape, data };
}

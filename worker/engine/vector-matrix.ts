/**
 * Vectors of texts as int8, each with a scale of its own, packed as the kernels' weights are: the search for the nearest
 * ones is then the matrix product of the query with all of them, and a top-k. Rows come and go in chunks of one size,
 * which are also what a Durable Object keeps on its disk, so that loading them is a copy.
 */
import { roundUp, TILE_K, TILE_N } from "../model/format.ts";
import { F32 } from "./blocks.ts";
import { type Address, type Linear, Runtime } from "./runtime.ts";

/** Rows of a chunk: 128 kB of vectors at 128 dimensions, so that a change writes little and 100,000 rows are 98 reads. */
export const CHUNK_ROWS = 1024;

/** What is added to the cosine of a row that holds nothing. */
const EMPTY = -1e9;

/** x ≈ q · scale, q in −127…127 */
export function quantizeVector(vector: Float32Array): { q: Int8Array; scale: number } {
  const largest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scale = Math.fround(largest === 0 ? 1 : largest / 127);
  return { q: Int8Array.from(vector, (value) => Math.round(value / scale)), scale };
}

/** The bytes of a chunk, one behind the other: int8 [rows/16, d/4, 16, 4], f32 scale, i32 sum, f32 bias, [rows] each. */
export class VectorChunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #d: number;
  readonly #q: Int8Array;
  readonly #scale: Float32Array;
  readonly #sum: Int32Array;
  readonly #bias: Float32Array;

  /**
   * @param d dimensions, a multiple of 4
   * @param bytes of a chunk that was there before; else all of its rows are empty
   */
  constructor(d: number, bytes?: Uint8Array) {
    this.#d = d;
    const length = VectorChunk.byteLength(d);
    if (bytes && bytes.length !== length) {
      throw new Error(`VectorChunk: expected ${length} bytes, got ${bytes.length}`);
    }
    this.bytes = new Uint8Array(length);
    if (bytes) this.bytes.set(bytes);
    const { buffer } = this.bytes;
    const rows = CHUNK_ROWS * d;
    this.#q = new Int8Array(buffer, 0, rows);
    this.#scale = new Float32Array(buffer, rows, CHUNK_ROWS);
    this.#sum = new Int32Array(buffer, rows + CHUNK_ROWS * F32, CHUNK_ROWS);
    this.#bias = new Float32Array(buffer, rows + 2 * CHUNK_ROWS * F32, CHUNK_ROWS);
    if (!bytes) this.#bias.fill(EMPTY);
  }

  static byteLength(d: number): number {
    if (d % TILE_K !== 0) throw new Error(`VectorChunk: expected dimensions in multiples of ${TILE_K}, got ${d}`);
    return CHUNK_ROWS * (d + 3 * F32);
  }

  /** @param vector [d] int8 */
  set(row: number, vector: Int8Array, scale: number): void {
    if (vector.length !== this.#d) {
      throw new Error(`VectorChunk: expected a vector of ${this.#d} dimensions, got ${vector.length}`);
    }
    this.#write(row, (k) => vector[k]!);
    this.#scale[row] = scale;
    this.#sum[row] = vector.reduce((sum, value) => sum + value, 0);
    this.#bias[row] = 0;
  }

  clear(row: number): void {
    this.#write(row, () => 0);
    this.#scale[row] = 0;
    this.#sum[row] = 0;
    this.#bias[row] = EMPTY;
  }

  #write(row: number, channel: (k: number) => number): void {
    const tile = Math.floor(row / TILE_N) * TILE_N * this.#d;
    for (let k = 0; k < this.#d; k++) {
      this.#q[tile + Math.floor(k / TILE_K) * TILE_N * TILE_K + (row % TILE_N) * TILE_K + (k % TILE_K)] = channel(k);
    }
  }
}

export interface Neighbour {
  row: number;
  /** Of the query with the row's vector, as int8 has them. */
  cosine: number;
}

/** Chunks in wasm memory. */
export class VectorMatrix {
  readonly #runtime: Runtime;
  readonly #d: number;
  readonly #chunks: Address[] = [];
  /** [d] f32, [d] u8, (f32 scale, i32 zero_point), [CHUNK_ROWS] f32 */
  readonly #query: Address;
  readonly #q: Address;
  readonly #params: Address;
  readonly #scores: Address;

  /** @param d dimensions, a multiple of 4 */
  constructor(kernels: WebAssembly.Module, d: number) {
    this.#runtime = new Runtime(kernels, 0);
    this.#d = d;
    this.#query = this.#runtime.allocate(d * F32);
    this.#q = this.#runtime.allocate(roundUp(d, 16));
    this.#params = this.#runtime.allocate(8);
    this.#scores = this.#runtime.allocate(CHUNK_ROWS * F32);
  }

  get memoryBytes(): number {
    return this.#runtime.memoryBytes;
  }

  get chunks(): number {
    return this.#chunks.length;
  }

  /**
   * Puts a chunk in its place, the next one or one that is there.
   * @throws RangeError if there is no room for it, or a place before it is free
   */
  put(index: number, { bytes }: VectorChunk): void {
    if (index > this.#chunks.length) {
      throw new RangeError(`VectorMatrix: expected a chunk of 0…${this.#chunks.length}, got ${index}`);
    }
    this.#chunks[index] ??= this.#runtime.allocate(bytes.length);
    this.#runtime.writeBytes(this.#chunks[index], bytes);
  }

  /**
   * The k nearest rows, nearest first; fewer if there are not so many.
   * @param query [d] f32, of length 1
   */
  nearest(query: Float32Array, k: number): Neighbour[] {
    const runtime = this.#runtime;
    runtime.writeBytes(this.#query, new Uint8Array(query.slice().buffer));
    runtime.quantize(1, this.#d, this.#query, this.#q, this.#params);
    const values = new Float64Array(k);
    const rows = new Int32Array(k);
    const found: Neighbour[] = [];
    for (const [index, chunk] of this.#chunks.entries()) {
      runtime.product(this.#linear(chunk), 1, this.#q, this.#params, this.#scores);
      runtime.topK(CHUNK_ROWS, this.#scores, k, values, rows, 0);
      for (let i = 0; i < k && values[i]! > EMPTY / 2; i++) {
        found.push({ row: index * CHUNK_ROWS + rows[i]!, cosine: values[i]! });
      }
    }
    // The sort is stable: of equal ones the smaller row first.
    return found.sort((a, b) => b.cosine - a.cosine).slice(0, k);
  }

  /** The cosine of a query with one row, as `nearest` has it; the row must hold something. */
  cosine(query: Float32Array, row: number): number {
    const runtime = this.#runtime;
    runtime.writeBytes(this.#query, new Uint8Array(query.slice().buffer));
    runtime.quantize(1, this.#d, this.#query, this.#q, this.#params);
    const chunk = this.#linear(this.#chunks[Math.floor(row / CHUNK_ROWS)]!);
    const tile = Math.floor((row % CHUNK_ROWS) / TILE_N) * TILE_N;
    const part: Linear = {
      n: TILE_N,
      k: chunk.k,
      weight: chunk.weight + tile * chunk.k,
      scale: chunk.scale + tile * F32,
      sum: chunk.sum + tile * F32,
      bias: chunk.bias + tile * F32,
    };
    runtime.product(part, 1, this.#q, this.#params, this.#scores);
    return runtime.readFloats(this.#scores, TILE_N)[row % TILE_N]!;
  }

  #linear(chunk: Address): Linear {
    const scale = chunk + CHUNK_ROWS * this.#d;
    const sum = scale + CHUNK_ROWS * F32;
    return { n: CHUNK_ROWS, k: this.#d, weight: chunk, scale, sum, bias: sum + CHUNK_ROWS * F32 };
  }
}

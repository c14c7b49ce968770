/**
 * The kernels and the memory they work in: one WebAssembly.Memory per model, weights first, working buffers after.
 * The only file that touches wasm memory; everything else passes addresses (byte offsets) around without looking
 * behind them. Dropping the Runtime frees the memory with it.
 *
 * Matrices are row-major [rows, channels]. Kernels are specified in kernels/, file by file; these wrappers only fix
 * their argument order, cut long calls into short ones, and keep views fresh after the memory has grown.
 */
import { roundUp } from "../model/format.ts";
import { Allocator } from "./allocator.ts";

const WASM_PAGE_BYTES = 65536;
/** A Cloudflare isolate has 128 MB in all. A model that needs more than this could not be served. */
const MAX_MEMORY_BYTES = 112 * 1024 * 1024;
/** Room for what a model of any size needs at once: the kernels' constants, results, the ends of ranges. */
const SPARE_BYTES = 8192;
/**
 * Multiply-adds of one kernel call, at most. A fresh isolate runs code of the baseline compiler, which it leaves only
 * between two calls; short calls let it leave early.
 */
const MAX_MACS_PER_CALL = 1 << 20;
/** Largest k of top-k: more than any beam needs, and than a page of recommendations shows. */
export const MAX_TOP_K = 128;

/** Byte offset into the memory. */
export type Address = number;

/** A quantized matrix [n, k] with the bias of its layer. n and k are the padded sizes. */
export interface Linear {
  n: number;
  k: number;
  /** [n/16, k/4, 16, 4] int8 */
  weight: Address;
  /** [n] f32 */
  scale: Address;
  /** [n] i32 */
  sum: Address;
  /** [n] f32, or 0 for none */
  bias: Address;
}

/** Weight and bias of a layer normalization, [d_model] f32 each. */
export interface Norm {
  weight: Address;
  bias: Address;
}

/** Floats that `Runtime.attention` needs for its scores, whatever the number of rows: those of two of them. */
export function attentionScores(nHeads: number, t: number): number {
  return 2 * nHeads * (roundUp(t, 4) + 4);
}

/** 32-bit words that `Runtime.selfAttention` needs: scores, queries, keys and values of one head. */
export function selfAttentionScratch(dHead: number, t: number): number {
  return roundUp(t, 4) * (8 + dHead / 2) + 4 * dHead + Math.ceil(t / 2) * dHead;
}

export const ACTIVATIONS = { none: 0, relu: 1, gelu: 2 } as const;
export type Activation = keyof typeof ACTIVATIONS;

type Gemm = (
  m: number,
  n: number,
  k: number,
  a: Address,
  params: Address,
  w: Address,
  scale: Address,
  sum: Address,
  bias: Address,
  residual: Address,
  c: Address,
  c_stride: number,
) => void;

/** kernels/index.ts as seen from outside. */
interface Kernels {
  f32_attention(
    m: number,
    n_heads: number,
    d_head: number,
    q: Address,
    q_stride: number,
    rows: Address,
    t: number,
    key_offset: number,
    value_offset: number,
    factor: number,
    scores: Address,
    out: Address,
    out_stride: number,
  ): void;
  f32_lstm_cell(m: number, k: number, gates: Address, c: Address, h: Address): void;
  f32_layer_norm(m: number, k: number, x: Address, weight: Address, bias: Address, eps: number, y: Address): void;
  f32_qd8_quantize(m: number, k: number, x: Address, q: Address, params: Address, activation: number): void;
  f32_raddexpminusmax(n: number, x: Address, max: number): number;
  f32_self_attention(
    t: number,
    n_heads: number,
    d_head: number,
    q: Address,
    k: Address,
    v: Address,
    stride: number,
    scratch: Address,
    out: Address,
    out_stride: number,
  ): void;
  f32_top_k(n: number, x: Address, k: number, values: Address, indices: Address): void;
  qc8w_f32_embedding(
    token: number,
    k: number,
    w: Address,
    scale: Address,
    factor: number,
    position: Address,
    y: Address,
  ): void;
  qd8_f32_qc8w_gemm: Gemm;
  qd8_f32_qc8w_gemm_pairs: Gemm;
  i8_dot_prefers_pairs(): number;
  memory_start(): Address;
}

export class Runtime {
  /** Where the weights start, 64-byte aligned. */
  readonly weights: Address;
  readonly #memory: WebAssembly.Memory;
  readonly #kernels: Kernels;
  readonly #allocator: Allocator;
  /** The matrix product, summed in the way that is the faster one on this machine; see kernels/dot.ts. */
  readonly #gemm: Gemm;
  /** [MAX_TOP_K] f32 values, then [MAX_TOP_K] i32 indices */
  readonly #result: Address;
  #bytes: Uint8Array;
  #floats: Float32Array;
  #ints: Int32Array;

  /**
   * @param module build/kernels/relaxed.wasm or build/kernels/simd.wasm
   * @param weightBytes room for the weights
   */
  constructor(module: WebAssembly.Module, weightBytes: number) {
    this.#memory = new WebAssembly.Memory({ initial: Math.ceil((weightBytes + SPARE_BYTES) / WASM_PAGE_BYTES) });
    this.#kernels = new WebAssembly.Instance(module, { env: { memory: this.#memory } }).exports as unknown as Kernels;
    this.weights = roundUp(this.#kernels.memory_start(), 64);
    const { qd8_f32_qc8w_gemm, qd8_f32_qc8w_gemm_pairs, i8_dot_prefers_pairs } = this.#kernels;
    this.#gemm = i8_dot_prefers_pairs() ? qd8_f32_qc8w_gemm_pairs : qd8_f32_qc8w_gemm;
    this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#floats = new Float32Array(this.#memory.buffer);
    this.#ints = new Int32Array(this.#memory.buffer);
    this.#allocator = new Allocator(this.weights + weightBytes);
    this.#allocator.extend(this.memoryBytes);
    this.#result = this.allocate(8 * MAX_TOP_K);
  }

  /** Bytes of the whole memory. It grows and never shrinks. */
  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Bytes of working buffers in use. */
  get allocatedBytes(): number {
    return this.#allocator.takenBytes;
  }

  /**
   * A working buffer, 64-byte aligned, contents undefined. Views handed out before may be dead afterwards.
   * @throws RangeError if the memory would pass its limit
   */
  allocate(bytes: number): Address {
    const address = this.#allocator.allocate(bytes);
    if (address !== undefined) return address;
    const needed = this.#allocator.endToFit(bytes);
    if (needed > MAX_MEMORY_BYTES) {
      throw new RangeError(
        `Runtime: the request needs ${needed} bytes of wasm memory, the limit is ${MAX_MEMORY_BYTES}; send less text at once`,
      );
    }
    this.#memory.grow(Math.ceil((needed - this.memoryBytes) / WASM_PAGE_BYTES));
    this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#floats = new Float32Array(this.#memory.buffer);
    this.#ints = new Int32Array(this.#memory.buffer);
    this.#allocator.extend(this.memoryBytes);
    return this.allocate(bytes);
  }

  free(address: Address): void {
    this.#allocator.free(address);
  }

  writeBytes(address: Address, bytes: Uint8Array): void {
    this.#bytes.set(bytes, address);
  }

  writeInt(address: Address, value: number): void {
    this.#ints[address >> 2] = value;
  }

  writeFloat(address: Address, value: number): void {
    this.#floats[address >> 2] = value;
  }

  readInt(address: Address): number {
    return this.#ints[address >> 2]!;
  }

  readFloat(address: Address): number {
    return this.#floats[address >> 2]!;
  }

  /** A copy of `length` signed bytes. */
  readBytes(address: Address, length: number): Int8Array {
    return new Int8Array(this.#bytes.slice(address, address + length).buffer);
  }

  copy(from: Address, to: Address, bytes: number): void {
    this.#bytes.copyWithin(to, from, from + bytes);
  }

  /** A copy of `length` floats. */
  readFloats(address: Address, length: number): Float32Array {
    return this.#floats.slice(address >> 2, (address >> 2) + length);
  }

  /** A copy of `length` integers. */
  readInts(address: Address, length: number): Int32Array {
    return this.#ints.slice(address >> 2, (address >> 2) + length);
  }

  /** to[i] = from[indices[i]], f32. */
  gatherFloats(from: Address, indices: ArrayLike<number>, to: Address): void {
    const floats = this.#floats;
    for (let i = 0; i < indices.length; i++) floats[(to >> 2) + i] = floats[(from >> 2) + indices[i]!]!;
  }

  /** Copies some rows of a matrix to another, [rows rounded up to 16, k], whose last rows become zeros. */
  gatherRows(from: Linear, rows: Int32Array, to: Linear): void {
    const ints = this.#ints;
    // One 32-bit word is four channels of a row; the words of a tile's sixteen rows take turns.
    const words = from.k >> 2;
    const place = ({ weight }: Linear, row: number) => (weight >> 2) + (row >> 4) * words * 16 + (row & 15);
    ints.fill(0, to.weight >> 2, (to.weight >> 2) + to.n * words);
    for (let i = 0; i < to.n; i++) {
      const row = rows[i];
      ints[(to.scale >> 2) + i] = row === undefined ? 0 : ints[(from.scale >> 2) + row]!;
      ints[(to.sum >> 2) + i] = row === undefined ? 0 : ints[(from.sum >> 2) + row]!;
      if (row === undefined) continue;
      let source = place(from, row);
      let target = place(to, i);
      for (let word = 0; word < words; word++, source += 16, target += 16) ints[target] = ints[source]!;
    }
  }

  /** x = embedding[token] · factor + position; x and position are one row of [k] f32. */
  embed(embedding: Linear, token: number, factor: number, position: Address, x: Address): void {
    const { k, weight, scale } = embedding;
    this.#kernels.qc8w_f32_embedding(token, k, weight, scale, factor, position, x);
  }

  /** y = LN(x), both [m, k] f32, k a multiple of 16. */
  layerNorm(norm: Norm, m: number, k: number, epsilon: number, x: Address, y: Address): void {
    this.#kernels.f32_layer_norm(m, k, x, norm.weight, norm.bias, epsilon, y);
  }

  /**
   * One step of a long short-term memory, from pre-activations to states.
   * @param gates [m, 4, k] f32: input gate, forget gate, candidate, output gate; k a multiple of 4
   * @param c [m, k] f32, replaced
   * @param h [m, k] f32
   */
  lstmCell(m: number, k: number, gates: Address, c: Address, h: Address): void {
    this.#kernels.f32_lstm_cell(m, k, gates, c, h);
  }

  /**
   * activation(x) [m, k] f32 → q [m, k] u8 of 7 bits and params [m] (f32 scale, i32 zero_point).
   * @param x overwritten unless the activation is none
   */
  quantize(m: number, k: number, x: Address, q: Address, params: Address, activation: Activation = "none"): void {
    this.#kernels.f32_qd8_quantize(m, k, x, q, params, ACTIVATIONS[activation]);
  }

  /**
   * c = a · weightᵀ + bias + residual.
   * @param q quantized a, [m, k] u8, with params [m]
   * @param c [m, n] f32, rows cStride bytes apart
   * @param residual as c, or 0 for none; may be c
   */
  product(
    linear: Linear,
    m: number,
    q: Address,
    params: Address,
    c: Address,
    cStride: number = linear.n * 4,
    residual: Address = 0,
  ): void {
    const { n, k, weight, scale, sum, bias } = linear;
    const step = Math.max(16, Math.floor(MAX_MACS_PER_CALL / (m * k * 16)) * 16);
    for (let i = 0; i < n; i += step) {
      this.#gemm(
        m,
        Math.min(step, n - i),
        k,
        q,
        params,
        weight + i * k,
        scale + i * 4,
        sum + i * 4,
        bias && bias + i * 4,
        residual && residual + i * 4,
        c + i * 4,
        cStride,
      );
    }
  }

  /**
   * m query rows against the same t cache rows, all heads: out = softmax(q · keyᵀ / sqrt(dHead)) · value.
   * @param q [m, nHeads · dHead] f32, rows qStride bytes apart
   * @param rows [t] i32, addresses of the cache rows
   * @param keyOffset bytes from a cache row to its key [nHeads · dHead] f32; valueOffset alike
   * @param scores `attentionScores` floats, overwritten
   * @param out [m, nHeads · dHead] f32, rows one behind the other
   */
  attention(
    m: number,
    nHeads: number,
    dHead: number,
    q: Address,
    qStride: number,
    rows: Address,
    t: number,
    keyOffset: number,
    valueOffset: number,
    scores: Address,
    out: Address,
  ): void {
    const factor = 1 / Math.sqrt(dHead);
    const outStride = nHeads * dHead * 4;
    // Whole pairs of rows, for the kernel takes two at a time.
    const step = 2 * Math.max(1, Math.floor(MAX_MACS_PER_CALL / (4 * t * nHeads * dHead)));
    for (let i = 0; i < m; i += step) {
      this.#kernels.f32_attention(
        Math.min(step, m - i),
        nHeads,
        dHead,
        q + i * qStride,
        qStride,
        rows,
        t,
        keyOffset,
        valueOffset,
        factor,
        scores,
        out + i * outStride,
        outStride,
      );
    }
  }

  /**
   * The weights of the last call of `attention`, whose m was 1.
   * @param scores what that call left there
   * @returns [t], mean over heads
   */
  attentionWeights(nHeads: number, t: number, scores: Address): Float32Array {
    const weights = new Float32Array(t);
    const exps = roundUp(t, 4);
    for (let head = 0, start = scores >> 2; head < nHeads; head++, start += exps + 4) {
      const factor = this.#floats[start + exps]! / nHeads;
      for (let i = 0; i < t; i++) weights[i]! += this.#floats[start + i]! * factor;
    }
    return weights;
  }

  /**
   * Every row of a text to all of its rows, all heads: out = softmax(q · keyᵀ / sqrt(dHead)) · value.
   * @param x [t, 3, nHeads · dHead] f32: query, key and value of each row
   * @param scratch `selfAttentionScratch` words, overwritten
   * @param out [t, nHeads · dHead] f32
   */
  selfAttention(t: number, nHeads: number, dHead: number, x: Address, scratch: Address, out: Address): void {
    const rowBytes = nHeads * dHead * 4;
    const step = Math.max(1, Math.floor(MAX_MACS_PER_CALL / (2 * t * t * dHead)));
    for (let head = 0; head < nHeads; head += step) {
      const q = x + head * dHead * 4;
      this.#kernels.f32_self_attention(
        t,
        Math.min(step, nHeads - head),
        dHead,
        q,
        q + rowBytes,
        q + 2 * rowBytes,
        3 * rowBytes,
        scratch,
        out + head * dHead * 4,
        rowBytes,
      );
    }
  }

  /** log Σ e^x over [n] f32, whose largest is max. */
  logSumExp(n: number, x: Address, max: number): number {
    return max + Math.log(this.#kernels.f32_raddexpminusmax(n, x, max));
  }

  /**
   * The k largest of x [n] f32, largest first, of equal ones the smaller index first.
   * @param k at most n
   * @param values receives them from `offset` on
   * @param indices receives their places from `offset` on
   * @throws Error if fewer than k of x are numbers above −∞
   */
  topK(n: number, x: Address, k: number, values: Float64Array, indices: Int32Array, offset: number): void {
    if (k < 1 || k > n || k > MAX_TOP_K) {
      throw new RangeError(`Runtime.topK: expected k in 1…${Math.min(n, MAX_TOP_K)}, got ${k}`);
    }
    const address = this.#result;
    this.#kernels.f32_top_k(n, x, k, address, address + 4 * MAX_TOP_K);
    for (let i = 0; i < k; i++) {
      values[offset + i] = this.#floats[(address >> 2) + i]!;
      indices[offset + i] = this.#ints[(address >> 2) + MAX_TOP_K + i]!;
    }
    if (indices[offset + k - 1]! < 0) {
      throw new Error("Runtime.topK: expected numbers, got NaN; the weights are damaged, export and upload them again");
    }
  }
}

/**
 * One matrix product through the engine's runtime, and the machine's peak beside it, timed in bursts. Runs unchanged in
 * Node and in workerd; who calls it, and how often, is kernels.ts'.
 */
import { type Linear, Runtime } from "../../../worker/engine/runtime.ts";
import { matrixTensors, roundUp } from "../../../worker/model/format.ts";
import { timeCalls, warmUp } from "../clock.ts";

/** A product [m, k] · [n, k]ᵀ. */
export interface Shape {
  m: number;
  n: number;
  k: number;
}

/** Rates in 10⁹ multiply-adds a second, measured right after each other. */
export interface KernelRates {
  /** The fastest way to do dot products and nothing else (kernels/peak.ts). */
  peak: number;
  /** The product alone. */
  product: number;
  /** The product with the quantization of its activations, which is what onnxruntime's figure holds. */
  quantized: number;
}

type Peak = (way: number, w: number, bytes: number, repeats: number) => number;

const PEAK_BYTES = 8192;
/** Short calls, so that a fresh module leaves the baseline compiler's code soon: 131,072 multiply-adds. */
const PEAK_REPEATS = 16;
const PEAK_WAYS = [0, 1, 2, 3];
const WARM_UP_MS = 50;

/** Numbers that look like a layer's: deterministic, so that every contender multiplies the same. */
export function testValues({ m, n, k }: Shape): { x: Float32Array; q: Int8Array; scale: Float32Array } {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return {
    x: Float32Array.from({ length: m * k }, random),
    q: Int8Array.from({ length: n * k }, () => Math.round(127 * random())),
    scale: Float32Array.from({ length: n }, () => 0.01 + 0.001 * random()),
  };
}

export class KernelBench {
  readonly #kernels: WebAssembly.Module;
  readonly #peak: Peak;
  #peakWay: number | undefined;
  #prepared: { key: string; shape: Shape; product: () => void; quantize: () => void } | undefined;

  /**
   * @param kernels build/kernels/relaxed.wasm or simd.wasm
   * @param peak build/bench/peak-relaxed.wasm or peak-simd.wasm
   */
  constructor(kernels: WebAssembly.Module, peak: WebAssembly.Module) {
    this.#kernels = kernels;
    const memory = new WebAssembly.Memory({ initial: 1 });
    new Uint8Array(memory.buffer, 0, PEAK_BYTES).forEach((_, i, bytes) => {
      bytes[i] = (i * 37) & 127;
    });
    this.#peak = new WebAssembly.Instance(peak, { env: { memory } }).exports.i8_dot_peak as unknown as Peak;
  }

  /** Bursts of each, in turns. The first for a shape takes longer: it makes the operands and warms up. */
  measure(shape: Shape, burstMs: number): KernelRates {
    const way = this.#findPeakWay(burstMs);
    const { product, quantize } = this.#prepare(shape);
    const both = () => {
      quantize();
      product();
    };
    const [peakMs, productMs, bothMs] = timeCalls([() => this.#callPeak(way), product, both], burstMs);
    const gigaMacs = (shape.m * shape.n * shape.k) / 1e6;
    return {
      peak: peakMacs(way) / 1e6 / peakMs!,
      product: gigaMacs / productMs!,
      quantized: gigaMacs / bothMs!,
    };
  }

  #callPeak(way: number): void {
    this.#peak(way, 0, PEAK_BYTES, PEAK_REPEATS);
  }

  /** Which of the peak's ways is the fastest here: the machine decides, not the shape. */
  #findPeakWay(burstMs: number): number {
    if (this.#peakWay !== undefined) return this.#peakWay;
    for (const way of PEAK_WAYS) warmUp(() => this.#callPeak(way), WARM_UP_MS);
    const times = timeCalls(
      PEAK_WAYS.map((way) => () => this.#callPeak(way)),
      burstMs,
    );
    const rates = times.map((ms, way) => peakMacs(way) / ms);
    this.#peakWay = rates.indexOf(Math.max(...rates));
    return this.#peakWay;
  }

  #prepare(shape: Shape) {
    const key = `${shape.m} ${shape.n} ${shape.k}`;
    if (this.#prepared?.key === key) return this.#prepared;
    const { m, n, k } = shape;
    const { x, q, scale } = testValues(shape);
    const sum = Int32Array.from({ length: n }, (_, row) =>
      q.subarray(row * k, (row + 1) * k).reduce((a, b) => a + b, 0),
    );
    const runtime = new Runtime(this.#kernels, 0);
    const place = (data: Float32Array | Int32Array | Int8Array) => {
      const address = runtime.allocate(data.byteLength);
      runtime.writeBytes(address, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      return address;
    };
    const [weight, scales, sums] = matrixTensors("w", { q, scale, sum }, n, k).map(({ data }) => place(data));
    const linear: Linear = {
      n: roundUp(n, 16),
      k: roundUp(k, 4),
      weight: weight!,
      scale: scales!,
      sum: sums!,
      bias: place(new Float32Array(roundUp(n, 16))),
    };
    const input = place(x);
    const quantized = runtime.allocate(m * k);
    const params = runtime.allocate(8 * m);
    const c = runtime.allocate(4 * m * linear.n);
    const quantize = () => runtime.quantize(m, k, input, quantized, params);
    const product = () => runtime.product(linear, m, quantized, params, c);
    warmUp(() => {
      quantize();
      product();
    }, WARM_UP_MS);
    this.#prepared = { key, shape, product, quantize };
    return this.#prepared;
  }
}

/** Multiply-adds of one call of the peak. */
function peakMacs(way: number): number {
  return PEAK_BYTES * PEAK_REPEATS * (way & 2 ? 2 : 1);
}

/**
 * The kernels as naive loops: one element at a time, row-major, no packing, no vectors. Float arithmetic is rounded to
 * f32 after every operation (Math.fround), and sums follow the order that the kernels' comments state, so results must
 * agree to the bit. Nothing here is fast or shared with the code under test.
 */
const f = Math.fround;

/** Round half to even, as the hardware does. */
export function nearest(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** 2^z in f32, as 2^(n + r) with a polynomial for 2^r, for z ≤ 127; stays at 2^−126 below. */
export function exp2(z: number): number {
  const bounded = Math.max(-126, z);
  const n = nearest(bounded);
  const r = f(bounded - n);
  let y = f(0.009582853621124612);
  for (const c of [0.055906433348461085, 0.24024098652478276, 0.6931241924318531, 1]) {
    y = f(f(y * r) + f(c));
  }
  return f(y * 2 ** n);
}

/** e^x in f32, for x ≤ 88. */
export function exp(x: number): number {
  return exp2(f(x * f(Math.LOG2E)));
}

/** (l0 + l2) + (l1 + l3) */
function sumLanes(l: ArrayLike<number>): number {
  return f(f(l[0]! + l[2]!) + f(l[1]! + l[3]!));
}

/** Sum in the order of the softmax kernel: lane i mod 4, then the lanes. */
function sumByLane(x: ArrayLike<number>): number {
  const lanes = [0, 0, 0, 0];
  for (let i = 0; i < x.length; i++) lanes[i % 4] = f(lanes[i % 4]! + x[i]!);
  return sumLanes(lanes);
}

/** Sum in the order of layer normalization: sixteen partial sums. */
function sumBySixteen(x: ArrayLike<number>): number {
  const s = new Array<number>(16).fill(0);
  for (let i = 0; i < x.length; i++) s[i % 16] = f(s[i % 16]! + x[i]!);
  return sumLanes([0, 1, 2, 3].map((l) => f(f(s[l]! + s[l + 4]!) + f(s[l + 8]! + s[l + 12]!))));
}

function maximum(x: Float32Array): number {
  return x.reduce((most, v) => Math.max(most, v), -Infinity);
}

/** @returns e^(x − max) and their sum */
export function softmax(x: Float32Array): { values: Float32Array; sum: number } {
  const top = maximum(x);
  const values = x.map((v) => exp(f(v - top)));
  return { values, sum: sumByLane(values) };
}

/** log Σ e^x */
export function logSumExp(x: Float32Array): number {
  return maximum(x) + Math.log(softmax(x).sum);
}

/** Indices of the k largest, of equal ones the smaller index first. */
export function topK(x: Float32Array, k: number): number[] {
  return [...x.keys()].sort((a, b) => x[b]! - x[a]! || a - b).slice(0, k);
}

/** 1 / (1 + e^−x) */
export function sigmoid(x: number): number {
  return f(1 / f(1 + exp(Math.min(88, -x))));
}

/** 1 − 2 / (1 + e^2x) */
export function tanh(x: number): number {
  return f(1 - f(2 / f(1 + exp(Math.min(88, f(2 * x))))));
}

/**
 * One step of a long short-term memory.
 * @param gates [4, k] pre-activations of input gate, forget gate, candidate and output gate
 * @param c [k]
 */
export function lstmCell(gates: Float32Array, c: Float32Array): { c: Float32Array; h: Float32Array } {
  const [i, f_, g, o] = [0, 1, 2, 3].map((part) => gates.subarray(part * c.length, (part + 1) * c.length));
  const cell = c.map((old, j) => f(f(sigmoid(f_![j]!) * old) + f(sigmoid(i![j]!) * tanh(g![j]!))));
  return { c: cell, h: cell.map((value, j) => f(sigmoid(o![j]!) * tanh(value))) };
}

/** log softmax(x / temperature), in f64 */
export function logSoftmax(x: Float32Array, temperature: number): Float64Array {
  const scaled = Float64Array.from(x, (v) => v / temperature);
  const top = Math.max(...scaled);
  let sum = 0;
  for (const z of scaled) sum += Math.exp(z - top);
  return scaled.map((z) => z - (top + Math.log(sum)));
}

/** The mean of rows of one length, summed row by row. */
export function mean(rows: readonly Float32Array[]): Float32Array {
  const inverse = f(1 / rows.length);
  return rows[0]!.map((_, i) => f(rows.reduce((sum, row) => f(sum + row[i]!), 0) * inverse));
}

/** LN of one row. */
export function layerNorm(x: Float32Array, weight: Float32Array, bias: Float32Array, epsilon: number): Float32Array {
  const mean = f(sumBySixteen(x) / x.length);
  const variance = f(sumBySixteen(x.map((v) => f(f(v - mean) * f(v - mean)))) / x.length);
  const factor = f(1 / f(Math.sqrt(f(variance + f(epsilon)))));
  return x.map((v, i) => f(f(f(f(v - mean) * factor) * weight[i]!) + bias[i]!));
}

export interface QuantizedRow {
  q: Uint8Array;
  scale: number;
  zeroPoint: number;
}

/** Quantizes one row to 0…127, after an activation. */
export function quantize(row: Float32Array, activation: Activation = "none"): QuantizedRow {
  const x = row.map((v) => activate(v, activation));
  const low = x.reduce((least, v) => Math.min(least, v), 0);
  const high = x.reduce((most, v) => Math.max(most, v), 0);
  let scale = f(f(high - low) / 127);
  let inverse = 0;
  if (scale < f(1e-30)) scale = 1;
  else inverse = f(1 / scale);
  const zeroPoint = nearest(f(-low * inverse)) + 0;
  const q = Uint8Array.from(x, (v) => Math.min(127, Math.max(0, nearest(f(v * inverse)) + zeroPoint)));
  return { q, scale, zeroPoint };
}

export type Activation = "none" | "relu" | "gelu";

export function activate(x: number, activation: Activation): number {
  if (activation === "relu") return Math.max(x, 0);
  if (activation === "none") return x;
  const t = Math.max(-GELU_END, Math.min(GELU_END, x));
  const s = f(t * t);
  const s2 = f(s * s);
  const [p6, p5, p4, p3, p2, p1, p0] = GELU as [number, number, number, number, number, number, number];
  const low = f(f(p1 * s) + p0);
  const middle = f(f(p3 * s) + p2);
  const top = f(f(p6 * s2) + f(f(p5 * s) + p4));
  const y = f(f(f(middle * s2) + low) + f(top * f(s2 * s2)));
  return f(x * f(f(y * t) + 0.5));
}

const GELU_END = f(3.849998712539673);
const GELU = [
  2.994349293244389e-8, -1.9559376746024326e-6, 5.488359713711554e-5, -0.000879123695007431, 0.009069154026247726,
  -0.06511537248218352, 0.39806312462337395,
].map(f);

export interface Matrix {
  n: number;
  k: number;
  /** [n, k] row-major */
  q: Int8Array;
  /** [n] */
  scale: Float32Array;
}

/** row · matrixᵀ + bias + residual for one quantized row. */
export function product(
  { q: a, scale, zeroPoint }: QuantizedRow,
  matrix: Matrix,
  bias?: Float32Array,
  residual?: Float32Array,
): Float32Array {
  return Float32Array.from({ length: matrix.n }, (_, n) => {
    let sum = 0;
    for (let k = 0; k < matrix.k; k++) sum += (a[k]! - zeroPoint) * matrix.q[n * matrix.k + k]!;
    let c = f(f(sum) * f(scale * matrix.scale[n]!));
    if (bias) c = f(c + bias[n]!);
    return residual ? f(c + residual[n]!) : c;
  });
}

/** Attention of one query row to T keys and values, each [n_heads · d_head]. */
export function attention(
  query: Float32Array,
  keys: readonly Float32Array[],
  values: readonly Float32Array[],
  nHeads: number,
): Float32Array {
  const dHead = query.length / nHeads;
  const out = new Float32Array(query.length);
  const factor = f(1 / Math.sqrt(dHead));
  for (let start = 0; start < query.length; start += dHead) {
    const q = query.subarray(start, start + dHead);
    const scores = Float32Array.from(keys, (key) => f(sumByLane(q.map((v, i) => f(v * key[start + i]!))) * factor));
    const weights = softmax(scores);
    const inverse = f(1 / weights.sum);
    for (let i = start; i < start + dHead; i++) {
      let sum = 0;
      values.forEach((value, t) => {
        sum = f(sum + f(weights.values[t]! * value[i]!));
      });
      out[i] = f(sum * inverse);
    }
  }
  return out;
}

/** Attention of every row of a text to all of them, each [n_heads · d_head], in 16-bit integers. */
export function selfAttention(
  queries: readonly Float32Array[],
  keys: readonly Float32Array[],
  values: readonly Float32Array[],
  nHeads: number,
): Float32Array[] {
  const dHead = queries[0]!.length / nHeads;
  const limit = Math.floor(Math.sqrt((2 ** 31 - 1) / dHead));
  const heads = Array.from({ length: nHeads }, (_, head) => {
    const slices = (rows: readonly Float32Array[]) => rows.map((row) => row.subarray(head * dHead, (head + 1) * dHead));
    const q = toIntegers(slices(queries), limit);
    const k = toIntegers(slices(keys), limit);
    const v = toIntegers(slices(values), 32767);
    const factor = f(f(q.scale * k.scale) * f(f(Math.LOG2E) / f(Math.sqrt(dHead))));
    return q.rows.map((query) => {
      const scores = k.rows.map((key) => f(f(dot(query, key)) * factor));
      const top = Math.max(...scores);
      const powers = scores.map((score) => exp2(f(score - top)));
      const toWeight = f(32767 / powers.reduce((sum, e) => f(sum + e)));
      const weights = powers.map((e) => nearest(f(e * toWeight)));
      return Array.from({ length: dHead }, (_, i) => {
        const sum = dot(
          weights,
          v.rows.map((row) => row[i]!),
        );
        return f(f(sum) * f(v.scale / 32767));
      });
    });
  });
  return queries.map((_, r) => Float32Array.from(heads.flatMap((rows) => rows[r]!)));
}

/** x = rows · scale, the largest of rows ±limit. */
function toIntegers(x: readonly Float32Array[], limit: number): { rows: number[][]; scale: number } {
  const largest = Math.max(...x.flatMap((row) => [...row].map(Math.abs)));
  const factor = largest < f(1e-30) ? 0 : f(limit / largest);
  return { rows: x.map((row) => [...row].map((v) => nearest(f(v * factor)))), scale: f(largest / limit) };
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, v, i) => sum + v * b[i]!, 0);
}

/** embedding[token] · factor + position */
export function embed(embedding: Matrix, token: number, factor: number, position: Float32Array): Float32Array {
  const scale = f(embedding.scale[token]! * f(factor));
  return position.map((p, i) => f(f(embedding.q[token * embedding.k + i]! * scale) + p));
}

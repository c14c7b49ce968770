/**
 * The arithmetic of the float reference: plain loops over Float32Array, sums in double precision. Row-major
 * throughout; a row of an operand starts at row · stride.
 */

/** A linear layer y = x·Wᵀ + b. */
export interface FloatLinear {
  n: number;
  k: number;
  /** [n, k] */
  weight: Float32Array;
  /** [n]; absent for the output projection */
  bias: Float32Array | undefined;
}

export interface FloatNorm {
  /** [d_model] */
  weight: Float32Array;
  /** [d_model] */
  bias: Float32Array;
}

/**
 * out[m, n] = x[m, k]·Wᵀ + b. Four rows at a time, so that a weight is loaded once for four products.
 * @param outStride elements from one row of `out` to the next, at least n
 */
export function multiply(
  { n, k, weight, bias }: FloatLinear,
  m: number,
  x: Float32Array,
  out: Float32Array,
  outOffset = 0,
  outStride = n,
): void {
  let row = 0;
  for (; row + 4 <= m; row += 4) {
    const [x0, x1, x2, x3] = [row * k, (row + 1) * k, (row + 2) * k, (row + 3) * k];
    for (let channel = 0; channel < n; channel++) {
      const w0 = channel * k;
      const b = bias === undefined ? 0 : bias[channel]!;
      let [sum0, sum1, sum2, sum3] = [b, b, b, b];
      for (let i = 0; i < k; i++) {
        const w = weight[w0 + i]!;
        sum0 += w * x[x0 + i]!;
        sum1 += w * x[x1 + i]!;
        sum2 += w * x[x2 + i]!;
        sum3 += w * x[x3 + i]!;
      }
      const at = outOffset + row * outStride + channel;
      out[at] = sum0;
      out[at + outStride] = sum1;
      out[at + 2 * outStride] = sum2;
      out[at + 3 * outStride] = sum3;
    }
  }
  for (; row < m; row++) {
    for (let channel = 0; channel < n; channel++) {
      let sum = bias === undefined ? 0 : bias[channel]!;
      for (let i = 0; i < k; i++) sum += weight[channel * k + i]! * x[row * k + i]!;
      out[outOffset + row * outStride + channel] = sum;
    }
  }
}

/** out[m, d] = (x − mean) / √(variance + eps) · weight + bias, over each row; the variance is the biased one. */
export function layerNorm(norm: FloatNorm, m: number, eps: number, x: Float32Array, out: Float32Array): void {
  const d = norm.weight.length;
  for (let start = 0; start < m * d; start += d) {
    let sum = 0;
    for (let i = 0; i < d; i++) sum += x[start + i]!;
    const mean = sum / d;
    let squares = 0;
    for (let i = 0; i < d; i++) squares += (x[start + i]! - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / d + eps);
    for (let i = 0; i < d; i++) out[start + i] = (x[start + i]! - mean) * scale * norm.weight[i]! + norm.bias[i]!;
  }
}

/** x[0…length) += y[0…length) */
export function addTo(x: Float32Array, y: Float32Array, length: number): void {
  for (let i = 0; i < length; i++) x[i]! += y[i]!;
}

/** In place. GELU in its tanh form (Hendrycks and Gimpel 2016, arXiv:1606.08415), as in training and in the kernels. */
export function activate(kind: "relu" | "gelu", x: Float32Array, length: number): void {
  for (let i = 0; i < length; i++) {
    const value = x[i]!;
    if (kind === "relu") x[i] = Math.max(0, value);
    else x[i] = 0.5 * value * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (value + 0.044715 * value ** 3)));
  }
}

/** Keys and values of t positions: position p has its key at `rows[p] + keyOffset`, its value d_model further. */
export interface Memory {
  data: Float32Array;
  rows: ArrayLike<number>;
  length: number;
  keyOffset: number;
}

/**
 * Multi-head attention of one query: per head softmax(q·kᵀ / √d_head)·v.
 * @param queryOffset, outOffset where the d_model elements of the query and the result start
 */
export function attend(
  nHeads: number,
  dModel: number,
  query: Float32Array,
  queryOffset: number,
  { data, rows, length, keyOffset }: Memory,
  out: Float32Array,
  outOffset: number,
): void {
  const dHead = dModel / nHeads;
  const scores = new Float64Array(length);
  for (let head = 0; head < nHeads; head++) {
    const q = queryOffset + head * dHead;
    let max = -Infinity;
    for (let p = 0; p < length; p++) {
      const key = rows[p]! + keyOffset + head * dHead;
      let dot = 0;
      for (let i = 0; i < dHead; i++) dot += query[q + i]! * data[key + i]!;
      scores[p] = dot / Math.sqrt(dHead);
      max = Math.max(max, scores[p]!);
    }
    let total = 0;
    for (let p = 0; p < length; p++) {
      scores[p] = Math.exp(scores[p]! - max);
      total += scores[p]!;
    }
    const at = outOffset + head * dHead;
    for (let i = 0; i < dHead; i++) {
      let sum = 0;
      for (let p = 0; p < length; p++) sum += scores[p]! * data[rows[p]! + keyOffset + dModel + head * dHead + i]!;
      out[at + i] = sum / total;
    }
  }
}

/** Natural logarithm of the sum of e^x over x[start…start + length). */
export function logSumExp(x: Float32Array, start: number, length: number): number {
  let max = -Infinity;
  for (let i = start; i < start + length; i++) max = Math.max(max, x[i]!);
  let sum = 0;
  for (let i = start; i < start + length; i++) sum += Math.exp(x[i]! - max);
  return max + Math.log(sum);
}

/**
 * The k largest of x[start…start + length), largest first, of equal ones the first; written from `at` on.
 * @param indices counted from `start`
 */
export function topK(
  x: Float32Array,
  start: number,
  length: number,
  k: number,
  values: Float64Array,
  indices: Int32Array,
  at: number,
): void {
  let found = 0;
  for (let i = 0; i < length; i++) {
    const value = x[start + i]!;
    if (found === k && !(value > values[at + k - 1]!)) continue;
    let place = found < k ? found++ : k - 1;
    while (place > 0 && value > values[at + place - 1]!) {
      values[at + place] = values[at + place - 1]!;
      indices[at + place] = indices[at + place - 1]!;
      place--;
    }
    values[at + place] = value;
    indices[at + place] = i;
  }
}

/**
 * Vectors of tokens from what they stand beside, to begin an embedding with: the singular vectors of the positive
 * pointwise mutual information of tokens and contexts (Levy, Goldberg and Dagan 2015, TACL 3), which says in a minute
 * of counting what hidden tokens take hours to teach.
 *
 * Method: weighted counts of the pairs within a window, contexts being the most frequent tokens; PMI against contexts of
 * smoothed frequency; the leading singular vectors by subspace iteration (Halko, Martinsson and Tropp 2011,
 * arXiv:0909.4061, algorithm 4.4), on the kernels of training.
 */
import { type Address, Arena } from "./cpu/memory.ts";
import { normalStream } from "./random.ts";

export interface TokenVectorOptions {
  vocabSize: number;
  /** Numbers of a vector. */
  size: number;
  seed: number;
  /** Tokens to the left and to the right; the nearest counts 1, the farthest 1 / window. */
  window?: number;
  /** The most frequent tokens that count as contexts. */
  contexts?: number;
}

/** Exponent of the contexts' frequency, which keeps rare ones from counting too much. */
const SMOOTHING = 0.75;
/** Singular values have a part in the vectors to this power: their square root. */
const SINGULAR_POWER = 0.5;
/** Directions beyond those wanted, and rounds, that make the wanted ones exact enough. */
const EXTRA = 16;
const ROUNDS = 4;

/**
 * @param texts token ids
 * @returns [vocabSize, size], each row of length 1, or zeros for a token that is never seen
 */
export function tokenVectors(texts: readonly (readonly number[])[], options: TokenVectorOptions): Float32Array {
  const { vocabSize, size, seed, window = 5 } = options;
  const columns = Math.min(options.contexts ?? 4096, vocabSize);
  const rank = Math.min(size + EXTRA, columns);
  const arena = new Arena();
  const matrix = arena.allocateZeros(vocabSize * columns);
  countPairs(texts, vocabSize, columns, window, arena.floats(matrix, vocabSize * columns));
  toPositivePmi(arena.floats(matrix, vocabSize * columns), vocabSize, columns);

  const [m, c, r] = [vocabSize, columns, rank];
  const left = arena.allocate(m * r);
  const right = arena.allocate(c * r);
  const gemm = arena.kernels.f32_gemm;
  /** left = matrix · right, right = matrixᵀ · left */
  const multiply = () => gemm(m, r, c, matrix, 4 * c, 4, right, 4 * r, 4, 0, left, 4 * r, 0);
  const multiplyBack = () => gemm(c, r, m, matrix, 4, 4 * c, left, 4 * r, 4, 0, right, 4 * r, 0);
  const normal = normalStream(seed);
  const start = arena.floats(right, c * r);
  for (let i = 0; i < start.length; i++) start[i] = normal();
  for (let round = 0; round < ROUNDS; round++) {
    multiply();
    orthonormalize(arena, left, m, r);
    multiplyBack();
    if (round < ROUNDS - 1) orthonormalize(arena, right, c, r);
  }
  // right is (leftᵀ · matrix)ᵀ: its own left singular vectors turn `left` into those of the matrix.
  const gram = arena.allocate(r * r);
  gemm(r, r, c, right, 4, 4 * r, right, 4 * r, 4, 0, gram, 4 * r, 0);
  const { values, vectors } = symmetricEigen(Float64Array.from(arena.floats(gram, r * r)), r);
  return combine(arena.floats(left, m * r), vectors, values, m, r, size);
}

/** counts[token, context] over tokens of the same text; contexts are token ranks by frequency. */
function countPairs(
  texts: readonly (readonly number[])[],
  vocabSize: number,
  columns: number,
  window: number,
  counts: Float32Array,
): void {
  const frequency = new Float64Array(vocabSize);
  for (const text of texts) for (const token of text) frequency[token]!++;
  const byFrequency = [...frequency.keys()].sort((a, b) => frequency[b]! - frequency[a]!);
  const columnOf = new Int32Array(vocabSize).fill(-1);
  for (const [rank, token] of byFrequency.slice(0, columns).entries()) columnOf[token] = rank;
  for (const text of texts) {
    for (let i = 0; i < text.length; i++) {
      const row = text[i]! * columns;
      for (let j = Math.max(0, i - window); j < Math.min(text.length, i + window + 1); j++) {
        const column = columnOf[text[j]!]!;
        if (column >= 0 && j !== i) counts[row + column]! += (window + 1 - Math.abs(i - j)) / window;
      }
    }
  }
}

/** counts become max(0, log(p(token, context) / (p(token) · p(context)))). */
function toPositivePmi(counts: Float32Array, rows: number, columns: number): void {
  const ofRow = new Float64Array(rows);
  const ofColumn = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const count = counts[i * columns + j]!;
      ofRow[i]! += count;
      ofColumn[j]! += count;
    }
  }
  const smoothed = ofColumn.map((count) => count ** SMOOTHING);
  const total = smoothed.reduce((sum, count) => sum + count, 0);
  const logShare = smoothed.map((count) => Math.log(count / total));
  for (let i = 0; i < rows; i++) {
    const logRow = Math.log(ofRow[i]!);
    for (let j = 0; j < columns; j++) {
      const count = counts[i * columns + j]!;
      counts[i * columns + j] = count > 0 ? Math.max(0, Math.log(count) - logRow - logShare[j]!) : 0;
    }
  }
}

/** The columns of x [m, r] become orthonormal, through the Cholesky factor of xᵀ · x, twice for the rounding. */
function orthonormalize(arena: Arena, x: Address, m: number, r: number): void {
  const { mark } = arena;
  const gram = arena.allocate(r * r);
  const inverse = arena.allocate(r * r);
  const result = arena.allocate(m * r);
  for (let pass = 0; pass < 2; pass++) {
    arena.kernels.f32_gemm(r, r, m, x, 4, 4 * r, x, 4 * r, 4, 0, gram, 4 * r, 0);
    arena.floats(inverse, r * r).set(inverseOfFactor(Float64Array.from(arena.floats(gram, r * r)), r));
    arena.kernels.f32_gemm(m, r, r, x, 4 * r, 4, inverse, 4 * r, 4, 0, result, 4 * r, 0);
    arena.copy(result, x, m * r);
  }
  arena.release(mark);
}

/** R⁻¹ of a = Rᵀ · R, R upper triangular; a direction that is not there becomes zeros. */
function inverseOfFactor(a: Float64Array, r: number): Float64Array {
  const floor = 1e-10 * Math.max(...Array.from({ length: r }, (_, i) => a[i * r + i]!));
  const factor = new Float64Array(r * r);
  for (let i = 0; i < r; i++) {
    let pivot = a[i * r + i]!;
    for (let p = 0; p < i; p++) pivot -= factor[p * r + i]! ** 2;
    if (pivot <= floor) continue;
    const root = Math.sqrt(pivot);
    factor[i * r + i] = root;
    for (let j = i + 1; j < r; j++) {
      let sum = a[i * r + j]!;
      for (let p = 0; p < i; p++) sum -= factor[p * r + i]! * factor[p * r + j]!;
      factor[i * r + j] = sum / root;
    }
  }
  const inverse = new Float64Array(r * r);
  for (let j = 0; j < r; j++) {
    if (factor[j * r + j] === 0) continue;
    inverse[j * r + j] = 1 / factor[j * r + j]!;
    for (let i = j - 1; i >= 0; i--) {
      if (factor[i * r + i] === 0) continue;
      let sum = 0;
      for (let p = i + 1; p <= j; p++) sum += factor[i * r + p]! * inverse[p * r + j]!;
      inverse[i * r + j] = -sum / factor[i * r + i]!;
    }
  }
  return inverse;
}

/**
 * Eigenvalues and eigenvectors of a symmetric matrix by Jacobi's rotations (Golub and Van Loan, 8.5).
 * @returns values [n] and vectors [n, n], one a column, largest value first
 */
function symmetricEigen(a: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const scale = a.reduce((sum, x) => sum + x * x, 0);
  for (let sweep = 0; sweep < 30; sweep++) {
    let off = 0;
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) off += a[i * n + j]! ** 2;
    if (off <= 1e-20 * scale) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j]! - a[i * n + i]!);
  const values = Float64Array.from(order, (i) => a[i * n + i]!);
  const vectors = new Float64Array(n * n);
  for (const [to, from] of order.entries()) for (let i = 0; i < n; i++) vectors[i * n + to] = v[i * n + from]!;
  return { values, vectors };
}

/** One rotation of a and v that makes a[p, q] zero. */
function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q]!;
  if (apq === 0) return;
  const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[i * n + p]!, a[i * n + q]!];
    a[i * n + p] = c * x - s * y;
    a[i * n + q] = s * x + c * y;
  }
  for (let i = 0; i < n; i++) {
    const [x, y] = [a[p * n + i]!, a[q * n + i]!];
    a[p * n + i] = c * x - s * y;
    a[q * n + i] = s * x + c * y;
    const [u, w] = [v[i * n + p]!, v[i * n + q]!];
    v[i * n + p] = c * u - s * w;
    v[i * n + q] = s * u + c * w;
  }
}

/** Rows of left · vectors · values^(SINGULAR_POWER / 2), the first `size` columns, made 1 long. */
function combine(
  left: Float32Array,
  vectors: Float64Array,
  values: Float64Array,
  m: number,
  r: number,
  size: number,
): Float32Array {
  // The values are squares of the singular ones.
  const weights = values.map((value) => Math.max(0, value) ** (SINGULAR_POWER / 2));
  const result = new Float32Array(m * size);
  const kept = Math.min(size, r);
  for (let i = 0; i < m; i++) {
    const row = result.subarray(i * size, (i + 1) * size);
    for (let j = 0; j < kept; j++) {
      let sum = 0;
      for (let p = 0; p < r; p++) sum += left[i * r + p]! * vectors[p * r + j]!;
      row[j] = sum * weights[j]!;
    }
    const length = Math.hypot(...row);
    if (length > 0) for (let j = 0; j < kept; j++) row[j]! /= length;
  }
  return result;
}

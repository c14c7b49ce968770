/**
 * The matrix product: activations of 7 bits, int8 weights, int32 sums, f32 out. Nearly all time is spent here.
 *
 * Weights come packed [N/16][K/4][16][4]: four consecutive bytes are four input channels of one output channel, so one
 * 16-byte load covers four outputs, and the four activations they all need are one 32-bit splat. A tile has 16
 * outputs. Rows are taken two at a time (2x16c4), which reads every weight once per pair; the odd row is 1x16. The
 * weights of a tile (16 · K bytes) stay in the first-level cache for all rows. README.md draws it.
 */

import { relaxed_1x16c4, relaxed_1x16c16, relaxed_2x16c4 } from "./gemm-relaxed";
import { simd_1x16c4, simd_2x16c4 } from "./gemm-simd";

/**
 * c[m, n] = (Σ_k a[m, k] · w[n, k] − zero_point[m] · sum[n]) · (scale_a[m] · scale_w[n]) + bias[n] + residual[m, n]
 * @param m rows
 * @param n output channels, a multiple of 16
 * @param k input channels, a multiple of 4
 * @param a [m, k] u8, in, each 0…127
 * @param params [m] of (f32 scale_a, i32 zero_point), in
 * @param w packed [n/16, k/4, 16, 4] int8, in
 * @param scale [n] f32, in
 * @param sum [n] i32, in: Σ_k w[n, k]
 * @param bias [n] f32, in; 0 for none
 * @param residual as c, in; 0 for none; may be c itself
 * @param c [m, n] f32, out
 * @param c_stride bytes from a row of c (and of residual) to the next
 */
export function qd8_f32_qc8w_gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  params: usize,
  w: usize,
  scale: usize,
  sum: usize,
  bias: usize,
  residual: usize,
  c: usize,
  c_stride: usize,
): void {
  tiles<i32>(m, n, k, a, params, w, scale, sum, bias, residual, c, c_stride);
}

/** The same, summed by pairs: for machines where i8_dot_prefers_pairs. Only there it is ever compiled. */
export function qd8_f32_qc8w_gemm_pairs(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  params: usize,
  w: usize,
  scale: usize,
  sum: usize,
  bias: usize,
  residual: usize,
  c: usize,
  c_stride: usize,
): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    tiles<i16>(m, n, k, a, params, w, scale, sum, bias, residual, c, c_stride);
  } else {
    unreachable();
  }
}

/** Sixteen-bit ones. From memory, so that V8 keeps them in a register: a constant it would make anew for each product. */
const onesTable = memory.data<i16>([1, 1]);

function tiles<Sum>(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  params: usize,
  w: usize,
  scale: usize,
  sum: usize,
  bias: usize,
  residual: usize,
  c: usize,
  c_stride: usize,
): void {
  const ones = v128.load32_splat(onesTable);
  const tileBytes = (<usize>k) << 4;
  for (let tile = 0; tile < n; tile += 16) {
    let row = 0;
    let aRow = a;
    let pRow = params;
    let rRow = residual;
    let cRow = c;
    for (; row + 1 < m; row += 2) {
      if (ASC_FEATURE_RELAXED_SIMD) {
        relaxed_2x16c4<Sum>(k, aRow, pRow, w, scale, sum, bias, rRow, cRow, c_stride, ones);
      } else {
        simd_2x16c4(k, aRow, pRow, w, scale, sum, bias, rRow, cRow, c_stride);
      }
      aRow += k << 1;
      pRow += 16;
      cRow += c_stride << 1;
      if (rRow) rRow += c_stride << 1;
    }
    if (row < m) {
      if (!ASC_FEATURE_RELAXED_SIMD) {
        simd_1x16c4(k, aRow, pRow, w, scale, sum, bias, rRow, cRow);
      } else if (k & 15) {
        relaxed_1x16c4<Sum>(k, aRow, pRow, w, scale, sum, bias, rRow, cRow, ones);
      } else {
        relaxed_1x16c16<Sum>(k, aRow, pRow, w, scale, sum, bias, rRow, cRow, ones);
      }
    }
    w += tileBytes;
    scale += 64;
    sum += 64;
    c += 64;
    if (bias) bias += 64;
    if (residual) residual += 64;
  }
}

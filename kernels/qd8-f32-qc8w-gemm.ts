/**
 * The matrix product: activations of 7 bits, int8 weights, int32 sums, f32 out. Nearly all time is spent here.
 *
 * Weights come packed [N/16][K/4][16][4]: four consecutive bytes are four input channels of one output channel, so one
 * 16-byte load covers four outputs, and the four activations they all need are one 32-bit splat. A tile has 16
 * outputs. Rows are taken two at a time (2x16c4), which reads every weight once per pair; the odd row is 1x16c4. The
 * weights of a tile (16 · K bytes) stay in the first-level cache for all rows.
 */
import { dot } from "./dot";
import { storeTile } from "./tile";

/**
 * c[m, n] = act((Σ_k a[m, k] · w[n, k] − zero_point[m] · sum[n]) · (scale_a[m] · scale_w[n]) + bias[n]) + residual[m, n]
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
 * @param activation 0 none, 1 ReLU, 2 GELU
 * @param pairs 1 to sum by pairs where i8_dot_prefers_pairs, else 0; the result is the same
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
  activation: i32,
  pairs: i32,
): void {
  if (ASC_FEATURE_RELAXED_SIMD && pairs) {
    tiles<i16>(m, n, k, a, params, w, scale, sum, bias, residual, c, c_stride, activation, pairs);
  } else {
    tiles<i32>(m, n, k, a, params, w, scale, sum, bias, residual, c, c_stride, activation, pairs);
  }
}

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
  activation: i32,
  pairs: i32,
): void {
  // Made from the argument, so that the compiler keeps it in a register instead of making it anew for each product.
  const ones = i16x8.splat(<i16>pairs);
  const tileBytes = (<usize>k) << 4;
  for (let tile = 0; tile < n; tile += 16) {
    let row = 0;
    let aRow = a;
    let pRow = params;
    let rRow = residual;
    let cRow = c;
    if (ASC_FEATURE_RELAXED_SIMD) {
      for (; row + 1 < m; row += 2) {
        gemm_2x16c4<Sum>(k, aRow, pRow, w, scale, sum, bias, rRow, cRow, c_stride, activation, ones);
        aRow += k << 1;
        pRow += 16;
        cRow += c_stride << 1;
        if (residual) rRow += c_stride << 1;
      }
    }
    for (; row < m; row++) {
      gemm_1x16c4<Sum>(k, aRow, pRow, w, scale, sum, bias, rRow, cRow, activation, ones);
      aRow += k;
      pRow += 8;
      cRow += c_stride;
      if (residual) rRow += c_stride;
    }
    w += tileBytes;
    scale += 64;
    sum += 64;
    c += 64;
    if (bias) bias += 64;
    if (residual) residual += 64;
  }
}

function gemm_1x16c4<Sum>(
  k: i32,
  a: usize,
  params: usize,
  w: usize,
  scale: usize,
  sum: usize,
  bias: usize,
  residual: usize,
  c: usize,
  activation: i32,
  ones: v128,
): void {
  const end = a + k;
  let c0 = i32x4.splat(0),
    c1 = c0,
    c2 = c0,
    c3 = c0;
  if (ASC_FEATURE_RELAXED_SIMD) {
    while (a < end) {
      const a0 = v128.load32_splat(a);
      c0 = dot<Sum>(v128.load(w), a0, c0, ones);
      c1 = dot<Sum>(v128.load(w, 16), a0, c1, ones);
      c2 = dot<Sum>(v128.load(w, 32), a0, c2, ones);
      c3 = dot<Sum>(v128.load(w, 48), a0, c3, ones);
      a += 4;
      w += 64;
    }
  } else {
    // Without the relaxed dot product: pairs of products. Each sum has the lanes (output, half of the four channels).
    let d0 = c0,
      d1 = c0,
      d2 = c0,
      d3 = c0,
      d4 = c0,
      d5 = c0,
      d6 = c0,
      d7 = c0;
    while (a < end) {
      const a0 = i16x8.extend_low_i8x16_s(v128.load32_splat(a));
      d0 = i32x4.add(d0, i32x4.dot_i16x8_s(v128.load8x8_s(w), a0));
      d1 = i32x4.add(d1, i32x4.dot_i16x8_s(v128.load8x8_s(w, 8), a0));
      d2 = i32x4.add(d2, i32x4.dot_i16x8_s(v128.load8x8_s(w, 16), a0));
      d3 = i32x4.add(d3, i32x4.dot_i16x8_s(v128.load8x8_s(w, 24), a0));
      d4 = i32x4.add(d4, i32x4.dot_i16x8_s(v128.load8x8_s(w, 32), a0));
      d5 = i32x4.add(d5, i32x4.dot_i16x8_s(v128.load8x8_s(w, 40), a0));
      d6 = i32x4.add(d6, i32x4.dot_i16x8_s(v128.load8x8_s(w, 48), a0));
      d7 = i32x4.add(d7, i32x4.dot_i16x8_s(v128.load8x8_s(w, 56), a0));
      a += 4;
      w += 64;
    }
    c0 = addHalves(d0, d1);
    c1 = addHalves(d2, d3);
    c2 = addHalves(d4, d5);
    c3 = addHalves(d6, d7);
  }
  storeTile(c0, c1, c2, c3, params, scale, sum, bias, residual, c, activation);
}

/** [a0 + a1, a2 + a3, b0 + b1, b2 + b3] */
function addHalves(a: v128, b: v128): v128 {
  return i32x4.add(v128.shuffle<i32>(a, b, 0, 2, 4, 6), v128.shuffle<i32>(a, b, 1, 3, 5, 7));
}

function gemm_2x16c4<Sum>(
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
  activation: i32,
  ones: v128,
): void {
  const end = a + k;
  let c0 = i32x4.splat(0),
    c1 = c0,
    c2 = c0,
    c3 = c0,
    d0 = c0,
    d1 = c0,
    d2 = c0,
    d3 = c0;
  let b = end;
  while (a < end) {
    const a0 = v128.load32_splat(a);
    const b0 = v128.load32_splat(b);
    const w0 = v128.load(w);
    c0 = dot<Sum>(w0, a0, c0, ones);
    d0 = dot<Sum>(w0, b0, d0, ones);
    const w1 = v128.load(w, 16);
    c1 = dot<Sum>(w1, a0, c1, ones);
    d1 = dot<Sum>(w1, b0, d1, ones);
    const w2 = v128.load(w, 32);
    c2 = dot<Sum>(w2, a0, c2, ones);
    d2 = dot<Sum>(w2, b0, d2, ones);
    const w3 = v128.load(w, 48);
    c3 = dot<Sum>(w3, a0, c3, ones);
    d3 = dot<Sum>(w3, b0, d3, ones);
    a += 4;
    b += 4;
    w += 64;
  }
  storeTile(c0, c1, c2, c3, params, scale, sum, bias, residual, c, activation);
  if (residual) residual += c_stride;
  storeTile(d0, d1, d2, d3, params + 8, scale, sum, bias, residual, c + c_stride, activation);
}

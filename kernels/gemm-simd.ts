/**
 * The tiles of the matrix product without relaxed SIMD, whose one integer dot product takes 16-bit pairs. Arguments as
 * of qd8_f32_qc8w_gemm, for 16 outputs.
 *
 * A 16-bit lane holds an even and an odd channel; shifts part them, sign and all, the same way for weights and
 * activations. Both products of a lane belong to one output, so a tile needs four sums, and two rows share the shifts.
 */
import { constant } from "./constant";
import { storeTile } from "./tile";

/** The even bytes, which of activations (0…127) are the even channels in 16 bits. */
const masks = memory.data<u32>([0x00ff00ff]);

/** The even bytes of weights as 16 bits. */
function even(w: v128): v128 {
  return i16x8.shr_s(i16x8.shl(w, 8), 8);
}

/** acc + the products of even channels + the products of odd ones */
function dotPairs(acc: v128, w0: v128, a0: v128, w1: v128, a1: v128): v128 {
  return i32x4.add(i32x4.add(acc, i32x4.dot_i16x8_s(w0, a0)), i32x4.dot_i16x8_s(w1, a1));
}

/** One row. */
export function simd_1x16c4(
  k: i32,
  a: usize,
  params: usize,
  w: usize,
  scale: usize,
  sum: usize,
  bias: usize,
  residual: usize,
  c: usize,
  relu: i32,
): void {
  const end = a + k;
  const mask = constant(masks, 0);
  let c0 = i32x4.splat(0),
    c1 = c0,
    c2 = c0,
    c3 = c0;
  while (a < end) {
    const a4 = v128.load32_splat(a);
    const a0 = v128.and(a4, mask);
    const a1 = i16x8.shr_u(a4, 8);
    let w4: v128, w0: v128, w1: v128;
    w4 = v128.load(w);
    w0 = even(w4);
    w1 = i16x8.shr_s(w4, 8);
    c0 = dotPairs(c0, w0, a0, w1, a1);
    w4 = v128.load(w, 16);
    w0 = even(w4);
    w1 = i16x8.shr_s(w4, 8);
    c1 = dotPairs(c1, w0, a0, w1, a1);
    w4 = v128.load(w, 32);
    w0 = even(w4);
    w1 = i16x8.shr_s(w4, 8);
    c2 = dotPairs(c2, w0, a0, w1, a1);
    w4 = v128.load(w, 48);
    w0 = even(w4);
    w1 = i16x8.shr_s(w4, 8);
    c3 = dotPairs(c3, w0, a0, w1, a1);
    a += 4;
    w += 64;
  }
  storeTile(c0, c1, c2, c3, params, scale, sum, bias, residual, c, relu);
}

/** Two rows. */
export function simd_2x16c4(
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
  relu: i32,
): void {
  const end = a + k;
  let b = end;
  const mask = constant(masks, 0);
  let c0 = i32x4.splat(0),
    c1 = c0,
    c2 = c0,
    c3 = c0,
    d0 = c0,
    d1 = c0,
    d2 = c0,
    d3 = c0;
  while (a < end) {
    const a4 = v128.load32_splat(a);
    const a0 = v128.and(a4, mask);
    const a1 = i16x8.shr_u(a4, 8);
    const b4 = v128.load32_splat(b);
    const b0 = v128.and(b4, mask);
    const b1 = i16x8.shr_u(b4, 8);
    let w4: v128, w0: v128, w1: v128;
    w4 = v128.load(w);
    w0 = even(w4);
    w1 = i16x8.shr_s(w4, 8);
    c0 = dotPairs(c0, w0, a0, w1, a1);
    d0 = dotPairs(d0, w0, b0, w1, b1);
    w4 = v128.load(w, 16);
    w0 = even(w4);
    w1 = i16x8.shr_s(w4, 8);
    c1 = dotPairs(c1, w0, a0, w1, a1);
    d1 = dotPairs(d1, w0, b0, w1, b1);
    w4 = v128.load(w, 32);
    w0 = even(w4);
    w1 = i16x8.shr_s(w4, 8);
    c2 = dotPairs(c2, w0, a0, w1, a1);
    d2 = dotPairs(d2, w0, b0, w1, b1);
    w4 = v128.load(w, 48);
    w0 = even(w4);
    w1 = i16x8.shr_s(w4, 8);
    c3 = dotPairs(c3, w0, a0, w1, a1);
    d3 = dotPairs(d3, w0, b0, w1, b1);
    a += 4;
    b += 4;
    w += 64;
  }
  storeTile(c0, c1, c2, c3, params, scale, sum, bias, residual, c, relu);
  if (residual) residual += c_stride;
  storeTile(d0, d1, d2, d3, params + 8, scale, sum, bias, residual, c + c_stride, relu);
}

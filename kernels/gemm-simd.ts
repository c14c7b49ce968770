/**
 * The tiles of the matrix product without relaxed SIMD, whose one integer dot product takes 16-bit pairs. Arguments as
 * of qd8_f32_qc8w_gemm, for 16 outputs.
 *
 * A 16-bit lane holds an even and an odd channel. A shift leaves the even weight in the upper byte and a mask the odd
 * one: one instruction each, sign and all, for a product 256 times too large. Such sums have room for 512 channels
 * (512 · 128 · 127 · 256 < 2³¹); then they are divided, exactly, and added up. Both products of a lane belong to one
 * output, so a tile needs four sums, and two rows share the shifts and masks.
 */
import { constant } from "./constant";
import { storeTile } from "./tile";

/** The odd bytes. */
const masks = memory.data<u32>([0xff00ff00]);
/** Channels of a sum that is 256 times too large. */
const MAX_CHANNELS: usize = 512;

/** acc + the products of even channels + the products of odd ones */
function dotPairs(acc: v128, w0: v128, a0: v128, w1: v128, a1: v128): v128 {
  return i32x4.add(i32x4.add(acc, i32x4.dot_i16x8_s(w0, a0)), i32x4.dot_i16x8_s(w1, a1));
}

/** Reads a tile's first 64 bytes at all offsets of the loops, before them: see gemm-relaxed.ts on the first turn. */
function touch(w: usize): void {
  v128.load32_splat(w);
  v128.load(w);
  v128.load(w, 16);
  v128.load(w, 32);
  v128.load(w, 48);
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
): void {
  touch(w);
  const end = a + k;
  const mask = constant(masks, 0);
  let s0 = i32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  do {
    const stop = min(end, a + MAX_CHANNELS);
    let c0 = i32x4.splat(0),
      c1 = c0,
      c2 = c0,
      c3 = c0;
    do {
      const a4 = v128.load32_splat(a);
      const a0 = v128.andnot(a4, mask);
      const a1 = i16x8.shr_u(a4, 8);
      let w4: v128, w0: v128, w1: v128;
      w4 = v128.load(w);
      w0 = i16x8.shl(w4, 8);
      w1 = v128.and(w4, mask);
      c0 = dotPairs(c0, w0, a0, w1, a1);
      w4 = v128.load(w, 16);
      w0 = i16x8.shl(w4, 8);
      w1 = v128.and(w4, mask);
      c1 = dotPairs(c1, w0, a0, w1, a1);
      w4 = v128.load(w, 32);
      w0 = i16x8.shl(w4, 8);
      w1 = v128.and(w4, mask);
      c2 = dotPairs(c2, w0, a0, w1, a1);
      w4 = v128.load(w, 48);
      w0 = i16x8.shl(w4, 8);
      w1 = v128.and(w4, mask);
      c3 = dotPairs(c3, w0, a0, w1, a1);
      a += 4;
      w += 64;
    } while (a < stop);
    s0 = i32x4.add(s0, i32x4.shr_s(c0, 8));
    s1 = i32x4.add(s1, i32x4.shr_s(c1, 8));
    s2 = i32x4.add(s2, i32x4.shr_s(c2, 8));
    s3 = i32x4.add(s3, i32x4.shr_s(c3, 8));
  } while (a < end);
  storeTile(s0, s1, s2, s3, params, scale, sum, bias, residual, c);
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
): void {
  touch(w);
  const end = a + k;
  let b = end;
  const mask = constant(masks, 0);
  let s0 = i32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    t0 = s0,
    t1 = s0,
    t2 = s0,
    t3 = s0;
  do {
    const stop = min(end, a + MAX_CHANNELS);
    let c0 = i32x4.splat(0),
      c1 = c0,
      c2 = c0,
      c3 = c0,
      d0 = c0,
      d1 = c0,
      d2 = c0,
      d3 = c0;
    do {
      const a4 = v128.load32_splat(a);
      const a0 = v128.andnot(a4, mask);
      const a1 = i16x8.shr_u(a4, 8);
      const b4 = v128.load32_splat(b);
      const b0 = v128.andnot(b4, mask);
      const b1 = i16x8.shr_u(b4, 8);
      let w4: v128, w0: v128, w1: v128;
      w4 = v128.load(w);
      w0 = i16x8.shl(w4, 8);
      w1 = v128.and(w4, mask);
      c0 = dotPairs(c0, w0, a0, w1, a1);
      d0 = dotPairs(d0, w0, b0, w1, b1);
      w4 = v128.load(w, 16);
      w0 = i16x8.shl(w4, 8);
      w1 = v128.and(w4, mask);
      c1 = dotPairs(c1, w0, a0, w1, a1);
      d1 = dotPairs(d1, w0, b0, w1, b1);
      w4 = v128.load(w, 32);
      w0 = i16x8.shl(w4, 8);
      w1 = v128.and(w4, mask);
      c2 = dotPairs(c2, w0, a0, w1, a1);
      d2 = dotPairs(d2, w0, b0, w1, b1);
      w4 = v128.load(w, 48);
      w0 = i16x8.shl(w4, 8);
      w1 = v128.and(w4, mask);
      c3 = dotPairs(c3, w0, a0, w1, a1);
      d3 = dotPairs(d3, w0, b0, w1, b1);
      a += 4;
      b += 4;
      w += 64;
    } while (a < stop);
    s0 = i32x4.add(s0, i32x4.shr_s(c0, 8));
    s1 = i32x4.add(s1, i32x4.shr_s(c1, 8));
    s2 = i32x4.add(s2, i32x4.shr_s(c2, 8));
    s3 = i32x4.add(s3, i32x4.shr_s(c3, 8));
    t0 = i32x4.add(t0, i32x4.shr_s(d0, 8));
    t1 = i32x4.add(t1, i32x4.shr_s(d1, 8));
    t2 = i32x4.add(t2, i32x4.shr_s(d2, 8));
    t3 = i32x4.add(t3, i32x4.shr_s(d3, 8));
  } while (a < end);
  storeTile(s0, s1, s2, s3, params, scale, sum, bias, residual, c);
  if (residual) residual += c_stride;
  storeTile(t0, t1, t2, t3, params + 8, scale, sum, bias, residual, c + c_stride);
}

/**
 * The tiles of the matrix product with the relaxed dot product. Arguments as of qd8_f32_qc8w_gemm, for 16 outputs.
 *
 * V8 in workerd compares every address with the end of the memory, and the end less the offset is a register of its
 * own or one more instruction each time. So the first turn of a loop stands before it: what it computed is still in
 * registers inside the loop. A tile is read front to back, as one stream: two streams are slower from the third-level
 * cache. README.md has the figures.
 */
import { dot } from "./dot";
import { storeTile } from "./tile";

/** One row, k a multiple of 16: sixteen activations are loaded at once. */
export function relaxed_1x16c16<Sum>(
  k: i32,
  a: usize,
  params: usize,
  w: usize,
  scale: usize,
  sum: usize,
  bias: usize,
  residual: usize,
  c: usize,
  ones: v128,
): void {
  touch(w);
  const end = a + k;
  let c0 = i32x4.splat(0),
    c1 = c0,
    c2 = c0,
    c3 = c0,
    d0 = c0,
    d1 = c0,
    d2 = c0,
    d3 = c0;
  do {
    const a16 = v128.load(a);
    let a0 = v128.shuffle<i32>(a16, a16, 0, 0, 0, 0);
    c0 = dot<Sum>(v128.load(w), a0, c0, ones);
    c1 = dot<Sum>(v128.load(w, 16), a0, c1, ones);
    c2 = dot<Sum>(v128.load(w, 32), a0, c2, ones);
    c3 = dot<Sum>(v128.load(w, 48), a0, c3, ones);
    w += 64;
    a0 = v128.shuffle<i32>(a16, a16, 1, 1, 1, 1);
    d0 = dot<Sum>(v128.load(w), a0, d0, ones);
    d1 = dot<Sum>(v128.load(w, 16), a0, d1, ones);
    d2 = dot<Sum>(v128.load(w, 32), a0, d2, ones);
    d3 = dot<Sum>(v128.load(w, 48), a0, d3, ones);
    w += 64;
    a0 = v128.shuffle<i32>(a16, a16, 2, 2, 2, 2);
    c0 = dot<Sum>(v128.load(w), a0, c0, ones);
    c1 = dot<Sum>(v128.load(w, 16), a0, c1, ones);
    c2 = dot<Sum>(v128.load(w, 32), a0, c2, ones);
    c3 = dot<Sum>(v128.load(w, 48), a0, c3, ones);
    w += 64;
    a0 = v128.shuffle<i32>(a16, a16, 3, 3, 3, 3);
    d0 = dot<Sum>(v128.load(w), a0, d0, ones);
    d1 = dot<Sum>(v128.load(w, 16), a0, d1, ones);
    d2 = dot<Sum>(v128.load(w, 32), a0, d2, ones);
    d3 = dot<Sum>(v128.load(w, 48), a0, d3, ones);
    w += 64;
    a += 16;
  } while (a < end);
  c0 = i32x4.add(c0, d0);
  c1 = i32x4.add(c1, d1);
  c2 = i32x4.add(c2, d2);
  c3 = i32x4.add(c3, d3);
  storeTile(c0, c1, c2, c3, params, scale, sum, bias, residual, c);
}

/** Reads a tile's first 64 bytes at all offsets of the loop, before it. */
function touch(w: usize): void {
  v128.load(w);
  v128.load(w, 16);
  v128.load(w, 32);
  v128.load(w, 48);
}

/** One row. */
export function relaxed_1x16c4<Sum>(
  k: i32,
  a: usize,
  params: usize,
  w: usize,
  scale: usize,
  sum: usize,
  bias: usize,
  residual: usize,
  c: usize,
  ones: v128,
): void {
  const end = a + k;
  let c0 = i32x4.splat(0),
    c1 = c0,
    c2 = c0,
    c3 = c0;
  while (a < end) {
    const a0 = v128.load32_splat(a);
    c0 = dot<Sum>(v128.load(w), a0, c0, ones);
    c1 = dot<Sum>(v128.load(w, 16), a0, c1, ones);
    c2 = dot<Sum>(v128.load(w, 32), a0, c2, ones);
    c3 = dot<Sum>(v128.load(w, 48), a0, c3, ones);
    a += 4;
    w += 64;
  }
  storeTile(c0, c1, c2, c3, params, scale, sum, bias, residual, c);
}

/** Two rows. */
export function relaxed_2x16c4<Sum>(
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
  ones: v128,
): void {
  const end = a + k;
  let b = end;
  let c0 = i32x4.splat(0),
    c1 = c0,
    c2 = c0,
    c3 = c0,
    d0 = c0,
    d1 = c0,
    d2 = c0,
    d3 = c0;
  let a0 = v128.load32_splat(a);
  let b0 = v128.load32_splat(b);
  let w0 = v128.load(w);
  c0 = dot<Sum>(w0, a0, c0, ones);
  d0 = dot<Sum>(w0, b0, d0, ones);
  w0 = v128.load(w, 16);
  c1 = dot<Sum>(w0, a0, c1, ones);
  d1 = dot<Sum>(w0, b0, d1, ones);
  w0 = v128.load(w, 32);
  c2 = dot<Sum>(w0, a0, c2, ones);
  d2 = dot<Sum>(w0, b0, d2, ones);
  w0 = v128.load(w, 48);
  c3 = dot<Sum>(w0, a0, c3, ones);
  d3 = dot<Sum>(w0, b0, d3, ones);
  a += 4;
  b += 4;
  w += 64;
  while (a < end) {
    a0 = v128.load32_splat(a);
    b0 = v128.load32_splat(b);
    w0 = v128.load(w);
    c0 = dot<Sum>(w0, a0, c0, ones);
    d0 = dot<Sum>(w0, b0, d0, ones);
    w0 = v128.load(w, 16);
    c1 = dot<Sum>(w0, a0, c1, ones);
    d1 = dot<Sum>(w0, b0, d1, ones);
    w0 = v128.load(w, 32);
    c2 = dot<Sum>(w0, a0, c2, ones);
    d2 = dot<Sum>(w0, b0, d2, ones);
    w0 = v128.load(w, 48);
    c3 = dot<Sum>(w0, a0, c3, ones);
    d3 = dot<Sum>(w0, b0, d3, ones);
    a += 4;
    b += 4;
    w += 64;
  }
  storeTile(c0, c1, c2, c3, params, scale, sum, bias, residual, c);
  if (residual) residual += c_stride;
  storeTile(d0, d1, d2, d3, params + 8, scale, sum, bias, residual, c + c_stride);
}

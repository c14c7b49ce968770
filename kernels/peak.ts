/**
 * Not a kernel: the bare rate of the int8 dot product on this machine, which the benchmark sets the kernels beside. A
 * loop of nothing but dot products and the loads of their weights from 8 kB in the first-level cache: no splats of
 * activations, no quantization, no stores. Each way a tile could go is a function; the fastest is the peak.
 */
import { dot } from "./dot";

/** Relaxed, eight independent sums, a load for each product, as a tile of one row has at best. */
function peak_8<Sum>(w: usize, bytes: usize, repeats: i32, ones: v128): v128 {
  const a = v128.load(w);
  let c0 = i32x4.splat(0),
    c1 = c0,
    c2 = c0,
    c3 = c0,
    c4 = c0,
    c5 = c0,
    c6 = c0,
    c7 = c0;
  for (let i = 0; i < repeats; i++) {
    for (let p = w, end = w + bytes; p < end; p += 128) {
      c0 = dot<Sum>(v128.load(p), a, c0, ones);
      c1 = dot<Sum>(v128.load(p, 16), a, c1, ones);
      c2 = dot<Sum>(v128.load(p, 32), a, c2, ones);
      c3 = dot<Sum>(v128.load(p, 48), a, c3, ones);
      c4 = dot<Sum>(v128.load(p, 64), a, c4, ones);
      c5 = dot<Sum>(v128.load(p, 80), a, c5, ones);
      c6 = dot<Sum>(v128.load(p, 96), a, c6, ones);
      c7 = dot<Sum>(v128.load(p, 112), a, c7, ones);
    }
  }
  return i32x4.add(i32x4.add(i32x4.add(c0, c1), i32x4.add(c2, c3)), i32x4.add(i32x4.add(c4, c5), i32x4.add(c6, c7)));
}

/** Relaxed, eight independent sums of two rows, a load for two products, as a tile of more rows has. */
function peak_2x4<Sum>(w: usize, bytes: usize, repeats: i32, ones: v128): v128 {
  const a = v128.load(w);
  const b = v128.load(w, 16);
  let c0 = i32x4.splat(0),
    c1 = c0,
    c2 = c0,
    c3 = c0,
    d0 = c0,
    d1 = c0,
    d2 = c0,
    d3 = c0;
  for (let i = 0; i < repeats; i++) {
    for (let p = w, end = w + bytes; p < end; p += 64) {
      const w0 = v128.load(p);
      c0 = dot<Sum>(w0, a, c0, ones);
      d0 = dot<Sum>(w0, b, d0, ones);
      const w1 = v128.load(p, 16);
      c1 = dot<Sum>(w1, a, c1, ones);
      d1 = dot<Sum>(w1, b, d1, ones);
      const w2 = v128.load(p, 32);
      c2 = dot<Sum>(w2, a, c2, ones);
      d2 = dot<Sum>(w2, b, d2, ones);
      const w3 = v128.load(p, 48);
      c3 = dot<Sum>(w3, a, c3, ones);
      d3 = dot<Sum>(w3, b, d3, ones);
    }
  }
  return i32x4.add(i32x4.add(i32x4.add(c0, c1), i32x4.add(c2, c3)), i32x4.add(i32x4.add(d0, d1), i32x4.add(d2, d3)));
}

/** Baseline, eight independent sums: int16 pairs, the only integer dot product of fixed-width SIMD. */
function peak_i16(w: usize, bytes: usize, repeats: i32): v128 {
  const a = v128.load(w);
  let c0 = i32x4.splat(0),
    c1 = c0,
    c2 = c0,
    c3 = c0,
    c4 = c0,
    c5 = c0,
    c6 = c0,
    c7 = c0;
  for (let i = 0; i < repeats; i++) {
    for (let p = w, end = w + bytes; p < end; p += 64) {
      c0 = i32x4.add(c0, i32x4.dot_i16x8_s(v128.load8x8_s(p), a));
      c1 = i32x4.add(c1, i32x4.dot_i16x8_s(v128.load8x8_s(p, 8), a));
      c2 = i32x4.add(c2, i32x4.dot_i16x8_s(v128.load8x8_s(p, 16), a));
      c3 = i32x4.add(c3, i32x4.dot_i16x8_s(v128.load8x8_s(p, 24), a));
      c4 = i32x4.add(c4, i32x4.dot_i16x8_s(v128.load8x8_s(p, 32), a));
      c5 = i32x4.add(c5, i32x4.dot_i16x8_s(v128.load8x8_s(p, 40), a));
      c6 = i32x4.add(c6, i32x4.dot_i16x8_s(v128.load8x8_s(p, 48), a));
      c7 = i32x4.add(c7, i32x4.dot_i16x8_s(v128.load8x8_s(p, 56), a));
    }
  }
  return i32x4.add(i32x4.add(i32x4.add(c0, c1), i32x4.add(c2, c3)), i32x4.add(i32x4.add(c4, c5), i32x4.add(c6, c7)));
}

/** Baseline, eight independent sums of two rows, a load for two products. */
function peak_i16_2x4(w: usize, bytes: usize, repeats: i32): v128 {
  const a = v128.load(w);
  const b = v128.load(w, 16);
  let c0 = i32x4.splat(0),
    c1 = c0,
    c2 = c0,
    c3 = c0,
    d0 = c0,
    d1 = c0,
    d2 = c0,
    d3 = c0;
  for (let i = 0; i < repeats; i++) {
    for (let p = w, end = w + bytes; p < end; p += 32) {
      const w0 = v128.load8x8_s(p);
      c0 = i32x4.add(c0, i32x4.dot_i16x8_s(w0, a));
      d0 = i32x4.add(d0, i32x4.dot_i16x8_s(w0, b));
      const w1 = v128.load8x8_s(p, 8);
      c1 = i32x4.add(c1, i32x4.dot_i16x8_s(w1, a));
      d1 = i32x4.add(d1, i32x4.dot_i16x8_s(w1, b));
      const w2 = v128.load8x8_s(p, 16);
      c2 = i32x4.add(c2, i32x4.dot_i16x8_s(w2, a));
      d2 = i32x4.add(d2, i32x4.dot_i16x8_s(w2, b));
      const w3 = v128.load8x8_s(p, 24);
      c3 = i32x4.add(c3, i32x4.dot_i16x8_s(w3, a));
      d3 = i32x4.add(d3, i32x4.dot_i16x8_s(w3, b));
    }
  }
  return i32x4.add(i32x4.add(i32x4.add(c0, c1), i32x4.add(c2, c3)), i32x4.add(i32x4.add(d0, d1), i32x4.add(d2, d3)));
}

/**
 * @param way bit 0: by pairs (relaxed only); bit 1: a load for two products instead of one
 * @param w [bytes] int8, in, each 0…127
 * @param bytes a multiple of 128
 * @param repeats bytes · repeats multiply-adds are made, twice as many with bit 1 of `way`
 * @returns the sum of all sums, so that nothing is left out
 */
export function i8_dot_peak(way: i32, w: usize, bytes: usize, repeats: i32): i32 {
  let c = i32x4.splat(0);
  if (ASC_FEATURE_RELAXED_SIMD) {
    // Made from the argument, so that the compiler keeps it in a register instead of making it anew for each product.
    const ones = i16x8.splat(<i16>(way & 1));
    if (way === 0) c = peak_8<i32>(w, bytes, repeats, ones);
    else if (way === 1) c = peak_8<i16>(w, bytes, repeats, ones);
    else if (way === 2) c = peak_2x4<i32>(w, bytes, repeats, ones);
    else c = peak_2x4<i16>(w, bytes, repeats, ones);
  } else {
    c = way & 2 ? peak_i16_2x4(w, bytes, repeats) : peak_i16(w, bytes, repeats);
  }
  return i32x4.extract_lane(c, 0) + i32x4.extract_lane(c, 1) + i32x4.extract_lane(c, 2) + i32x4.extract_lane(c, 3);
}

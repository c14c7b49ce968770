/**
 * The int8 dot product: acc[i] + Σ_{j<4} w[4i + j] · a[4i + j], w int8, a 0…127. Always exact: no pair of products
 * leaves 16 bits (2 · 128 · 127 < 2¹⁵), which is where relaxed engines differ.
 *
 * What is one instruction in wasm is one on ARM (sdot) and on x86 with AVX-VNNI (vpdpbusd), but on older x86 engines
 * emulate it with pmaddubsw, pmaddwd, paddd and two more that make a constant each time. There it is 1.3 times faster
 * to ask for the pairs and add them up with a constant of our own. Which machine it is shows in a product outside of
 * the defined range, as XNNPACK finds out too (src/configs/hardware-config.c).
 */

/**
 * Two ways to the same sum, chosen by what the relaxed instruction sums to: i32 takes all four products at once, i16
 * takes pairs. A type, so that each tile is compiled for each.
 * @param ones sixteen-bit ones, for the pairs
 */
export function dot<Sum>(w: v128, a: v128, acc: v128, ones: v128): v128 {
  if (sizeof<Sum>() === sizeof<i32>()) return i32x4.relaxed_dot_i8x16_i7x16_add_s(w, a, acc);
  return i32x4.add(acc, i32x4.dot_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(w, a), ones));
}

/** 1 if pairs are the faster way on this machine: the instruction saturates as pmaddubsw does. */
export function i8_dot_prefers_pairs(): i32 {
  if (!ASC_FEATURE_RELAXED_SIMD) return 0;
  const sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(i8x16.splat(127), i8x16.splat(-1), i32x4.splat(0));
  return i32(i32x4.extract_lane(sum, 0) === 2 * i16.MAX_VALUE);
}

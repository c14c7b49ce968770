/** One row of the packed embedding matrix, turned back into floats, plus its position. */

/**
 * y[i] = q[token, i] · (scale[token] · factor) + position[i]
 * @param token row of w
 * @param k channels, a multiple of 4
 * @param w packed [N/16, k/4, 16, 4] int8, in
 * @param scale [N] f32, in
 * @param factor what an embedding is multiplied with, sqrt(d_model)
 * @param position [k] f32, in
 * @param y [k] f32, out
 */
export function qc8w_f32_embedding(
  token: i32,
  k: i32,
  w: usize,
  scale: usize,
  factor: f32,
  position: usize,
  y: usize,
): void {
  const real = f32x4.splat(load<f32>(scale + (token << 2)) * factor);
  let source = w + (token >> 4) * (k << 4) + ((token & 15) << 2);
  const end = y + (k << 2);
  while (y < end) {
    const q = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(source)));
    v128.store(y, f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(q), real), v128.load(position)));
    source += 64;
    position += 16;
    y += 16;
  }
}

/** Layer normalization (Ba et al. 2016, arXiv:1607.06450) of each row, two passes for the variance. */
import { sumLanes } from "./lanes";

/**
 * y = (x − mean) / sqrt(var + epsilon) · weight + bias, biased variance.
 * Order of both sums: sixteen partial sums i mod 16, then as four vectors (v0 + v1) + (v2 + v3), then the lanes.
 * @param m rows
 * @param k channels, a multiple of 16
 * @param x [m, k] f32, in
 * @param weight [k] f32, in
 * @param bias [k] f32, in
 * @param y [m, k] f32, out
 */
export function f32_layer_norm(m: i32, k: i32, x: usize, weight: usize, bias: usize, epsilon: f32, y: usize): void {
  const rowBytes = (<usize>k) << 2;
  for (let row = 0; row < m; row++) {
    const end = x + rowBytes;
    let s0 = f32x4.splat(0),
      s1 = s0,
      s2 = s0,
      s3 = s0;
    for (let p = x; p < end; p += 64) {
      s0 = f32x4.add(s0, v128.load(p));
      s1 = f32x4.add(s1, v128.load(p, 16));
      s2 = f32x4.add(s2, v128.load(p, 32));
      s3 = f32x4.add(s3, v128.load(p, 48));
    }
    const mean = f32x4.splat(sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3))) / <f32>k);
    s0 = f32x4.splat(0);
    s1 = s0;
    s2 = s0;
    s3 = s0;
    for (let p = x; p < end; p += 64) {
      const d0 = f32x4.sub(v128.load(p), mean);
      const d1 = f32x4.sub(v128.load(p, 16), mean);
      const d2 = f32x4.sub(v128.load(p, 32), mean);
      const d3 = f32x4.sub(v128.load(p, 48), mean);
      s0 = f32x4.add(s0, f32x4.mul(d0, d0));
      s1 = f32x4.add(s1, f32x4.mul(d1, d1));
      s2 = f32x4.add(s2, f32x4.mul(d2, d2));
      s3 = f32x4.add(s3, f32x4.mul(d3, d3));
    }
    const variance = sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3))) / <f32>k;
    const factor = f32x4.splat(1.0 / sqrt<f32>(variance + epsilon));
    for (let offset: usize = 0; offset < rowBytes; offset += 16) {
      const normalized = f32x4.mul(f32x4.sub(v128.load(x + offset), mean), factor);
      const scaled = f32x4.mul(normalized, v128.load(weight + offset));
      v128.store(y + offset, f32x4.add(scaled, v128.load(bias + offset)));
    }
    x = end;
    y += rowBytes;
  }
}

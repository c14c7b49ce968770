/** The gradients of layer normalization (../f32-layer-norm.ts is its forward pass). */
import { sumLanes } from "../lanes";

/**
 * Adds to the gradients of x, weight and bias. With n = (x − mean) / sqrt(var + epsilon) and g = dy · weight:
 * dx += (g − mean(g) − n · mean(g · n)) / sqrt(var + epsilon)
 * @param m rows
 * @param k channels, a multiple of 4
 * @param x, dy [m, k] f32, in
 * @param weight [k] f32, in
 * @param dx [m, k], d_weight, d_bias [k] f32, added to
 */
export function f32_layer_norm_backward(
  m: i32,
  k: i32,
  x: usize,
  weight: usize,
  epsilon: f32,
  dy: usize,
  dx: usize,
  d_weight: usize,
  d_bias: usize,
): void {
  const bytes = (<usize>k) << 2;
  const share: f32 = <f32>1 / <f32>k;
  for (let row = 0; row < m; row++, x += bytes, dy += bytes, dx += bytes) {
    let sum = f32x4.splat(0);
    for (let i: usize = 0; i < bytes; i += 16) sum = f32x4.add(sum, v128.load(x + i));
    const mean = f32x4.splat(sumLanes(sum) * share);
    sum = f32x4.splat(0);
    for (let i: usize = 0; i < bytes; i += 16) {
      const d = f32x4.sub(v128.load(x + i), mean);
      sum = f32x4.relaxed_madd(d, d, sum);
    }
    const factor = f32x4.splat(<f32>1 / sqrt<f32>(sumLanes(sum) * share + epsilon));
    let sumG = f32x4.splat(0);
    let sumGN = sumG;
    for (let i: usize = 0; i < bytes; i += 16) {
      const y = v128.load(dy + i);
      const g = f32x4.mul(y, v128.load(weight + i));
      const n = f32x4.mul(f32x4.sub(v128.load(x + i), mean), factor);
      sumG = f32x4.add(sumG, g);
      sumGN = f32x4.relaxed_madd(g, n, sumGN);
      v128.store(d_weight + i, f32x4.relaxed_madd(y, n, v128.load(d_weight + i)));
      v128.store(d_bias + i, f32x4.add(y, v128.load(d_bias + i)));
    }
    const meanG = f32x4.splat(sumLanes(sumG) * share);
    const meanGN = f32x4.splat(sumLanes(sumGN) * share);
    for (let i: usize = 0; i < bytes; i += 16) {
      const g = f32x4.mul(v128.load(dy + i), v128.load(weight + i));
      const n = f32x4.mul(f32x4.sub(v128.load(x + i), mean), factor);
      const d = f32x4.sub(f32x4.sub(g, meanG), f32x4.mul(n, meanGN));
      v128.store(dx + i, f32x4.relaxed_madd(d, factor, v128.load(dx + i)));
    }
  }
}

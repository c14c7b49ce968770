/** What the tiles of the matrix product share: the way from int32 sums to stored floats. */
/** Sixteen outputs of one row: dequantize, add the bias, add the residual, store. */
export function storeTile(
  c0: v128,
  c1: v128,
  c2: v128,
  c3: v128,
  params: usize,
  scale: usize,
  sum: usize,
  bias: usize,
  residual: usize,
  c: usize,
): void {
  const scaleA = v128.load32_splat(params);
  const zeroPoint = v128.load32_splat(params, 4);
  c0 = dequantize(c0, zeroPoint, v128.load(sum), scaleA, v128.load(scale));
  c1 = dequantize(c1, zeroPoint, v128.load(sum, 16), scaleA, v128.load(scale, 16));
  c2 = dequantize(c2, zeroPoint, v128.load(sum, 32), scaleA, v128.load(scale, 32));
  c3 = dequantize(c3, zeroPoint, v128.load(sum, 48), scaleA, v128.load(scale, 48));
  if (bias) {
    c0 = f32x4.add(c0, v128.load(bias));
    c1 = f32x4.add(c1, v128.load(bias, 16));
    c2 = f32x4.add(c2, v128.load(bias, 32));
    c3 = f32x4.add(c3, v128.load(bias, 48));
  }
  if (residual) {
    c0 = f32x4.add(c0, v128.load(residual));
    c1 = f32x4.add(c1, v128.load(residual, 16));
    c2 = f32x4.add(c2, v128.load(residual, 32));
    c3 = f32x4.add(c3, v128.load(residual, 48));
  }
  v128.store(c, c0);
  v128.store(c, c1, 16);
  v128.store(c, c2, 32);
  v128.store(c, c3, 48);
}

function dequantize(acc: v128, zeroPoint: v128, sum: v128, scaleA: v128, scale: v128): v128 {
  const centred = i32x4.sub(acc, i32x4.mul(zeroPoint, sum));
  return f32x4.mul(f32x4.convert_i32x4_s(centred), f32x4.mul(scaleA, scale));
}

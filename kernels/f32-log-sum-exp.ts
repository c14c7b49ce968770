/** The two numbers of a log-sum-exp: log Σ e^x = max + log(sum). The engine takes the one logarithm. */
import { exp } from "./exp";
import { loadTail, maxLanes, sumLanes } from "./lanes";

/**
 * result[0] = max x, result[1] = Σ e^(x[i] − max), order of the sum as in f32_softmax. x is not changed.
 * @param n elements, at least 1: for logits the vocabulary, not the padded row
 * @param x [n] f32, in
 * @param result [2] f32, out
 */
export function f32_log_sum_exp(n: i32, x: usize, result: usize): void {
  const tail = n & 3;
  const end = x + ((n - tail) << 2);
  let most = f32x4.splat(-f32.MAX_VALUE);
  for (let p = x; p < end; p += 16) most = f32x4.pmax(most, v128.load(p));
  if (tail) most = f32x4.pmax(most, loadTail(end, tail, -f32.MAX_VALUE));
  const top = f32x4.splat(maxLanes(most));
  let sum = f32x4.splat(0);
  for (let p = x; p < end; p += 16) sum = f32x4.add(sum, exp(f32x4.sub(v128.load(p), top)));
  if (tail) sum = f32x4.add(sum, exp(f32x4.sub(loadTail(end, tail, -Infinity), top)));
  store<f32>(result, f32x4.extract_lane(top, 0));
  store<f32>(result, sumLanes(sum), 4);
}

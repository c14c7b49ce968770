/** Softmax without its last division, and the shared loop that attention runs in place on its scores. */
import { exp } from "./exp";
import { loadTail, maxLanes, storeTail, sumLanes } from "./lanes";

/**
 * x[i] = e^(x[i] − max x), in place. Returns Σ x[i]; dividing by it makes a distribution.
 * Order of the sum: lane i mod 4, then (l0 + l2) + (l1 + l3).
 * @param n elements, at least 1
 * @param x [n] f32, in and out
 */
export function f32_softmax(n: i32, x: usize): f32 {
  const tail = n & 3;
  const end = x + ((n - tail) << 2);
  let most = f32x4.splat(-f32.MAX_VALUE);
  for (let p = x; p < end; p += 16) most = f32x4.pmax(most, v128.load(p));
  if (tail) most = f32x4.pmax(most, loadTail(end, tail, -f32.MAX_VALUE));
  const top = f32x4.splat(maxLanes(most));
  let sum = f32x4.splat(0);
  for (let p = x; p < end; p += 16) {
    const e = exp(f32x4.sub(v128.load(p), top));
    v128.store(p, e);
    sum = f32x4.add(sum, e);
  }
  if (tail) {
    const e = exp(f32x4.sub(loadTail(end, tail, -Infinity), top));
    storeTail(end, tail, e);
    sum = f32x4.add(sum, e);
  }
  return sumLanes(sum);
}

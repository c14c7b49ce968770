/** The k largest of a row of logits, without sorting the row. */

/**
 * Largest first; of equal values the smaller index first. Most are dismissed sixteen at a time by one comparison
 * with the k-th best so far.
 * @param n elements, at least k
 * @param x [n] f32, in
 * @param k how many, at least 1
 * @param values [k] f32, out
 * @param indices [k] i32, out
 */
export function f32_top_k(n: i32, x: usize, k: i32, values: usize, indices: usize): void {
  for (let i = 0; i < k; i++) {
    store<f32>(values + (i << 2), -Infinity);
    store<i32>(indices + (i << 2), -1);
  }
  const whole = n & ~15;
  let threshold: f32 = -Infinity;
  for (let i = 0; i < whole; i += 16) {
    const p = x + (i << 2);
    const low = f32x4.pmax(v128.load(p), v128.load(p, 16));
    const high = f32x4.pmax(v128.load(p, 32), v128.load(p, 48));
    if (!v128.any_true(f32x4.gt(f32x4.pmax(low, high), f32x4.splat(threshold)))) continue;
    for (let j = i; j < i + 16; j++) threshold = insert(load<f32>(x + (j << 2)), j, k, values, indices, threshold);
  }
  for (let i = whole; i < n; i++) threshold = insert(load<f32>(x + (i << 2)), i, k, values, indices, threshold);
}

/** Puts a value in its place if it beats the k-th best; returns the new k-th best. */
function insert(value: f32, index: i32, k: i32, values: usize, indices: usize, threshold: f32): f32 {
  if (!(value > threshold)) return threshold;
  let place = k - 1;
  while (place > 0 && value > load<f32>(values + ((place - 1) << 2))) {
    store<f32>(values + (place << 2), load<f32>(values + ((place - 1) << 2)));
    store<i32>(indices + (place << 2), load<i32>(indices + ((place - 1) << 2)));
    place--;
  }
  store<f32>(values + (place << 2), value);
  store<i32>(indices + (place << 2), index);
  return load<f32>(values + ((k - 1) << 2));
}

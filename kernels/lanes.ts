/** Sums and maxima over the four lanes of a vector, and loads of fewer than four floats, in one fixed order. */

/** (l0 + l2) + (l1 + l3) */
export function sumLanes(v: v128): f32 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

export function maxLanes(v: v128): f32 {
  const pairs = f32x4.pmax(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

export function minLanes(v: v128): f32 {
  const pairs = f32x4.pmin(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return min(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

/** The first `count` (1…3) floats at `x`, the other lanes `fill`. Touches no byte behind them. */
export function loadTail(x: usize, count: i32, fill: f32): v128 {
  let v = f32x4.replace_lane(f32x4.splat(fill), 0, load<f32>(x));
  if (count > 1) v = f32x4.replace_lane(v, 1, load<f32>(x, 4));
  if (count > 2) v = f32x4.replace_lane(v, 2, load<f32>(x, 8));
  return v;
}

/** Stores the first `count` (1…3) lanes at `y`. */
export function storeTail(y: usize, count: i32, v: v128): void {
  store<f32>(y, f32x4.extract_lane(v, 0));
  if (count > 1) store<f32>(y, f32x4.extract_lane(v, 1), 4);
  if (count > 2) store<f32>(y, f32x4.extract_lane(v, 2), 8);
}

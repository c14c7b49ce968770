/**
 * Layer normalization (Ba et al. 2016, arXiv:1607.06450) of each row, two passes for the variance. What a row takes is
 * mostly waiting, for its sums, its divisions and its square root; so rows go in pairs that wait at the same time, and
 * share the loads of weight and bias. A row comes out the same, to the bit, alone or in a pair.
 */
import { sumLanes } from "./lanes";

/**
 * y = (x − mean) / sqrt(var + epsilon) · weight + bias, biased variance.
 * Order of both sums: sixteen partial sums i mod 16, then as four vectors (v0 + v1) + (v2 + v3), then the lanes.
 * @param m rows
 * @param k channels, a multiple of 16
 * @param x [m, k] f32, in
 * @param weight [k] f32, in
 * @param bias [k] f32, in
 * @param y [m, k] f32, out
 */
export function f32_layer_norm(m: i32, k: i32, x: usize, weight: usize, bias: usize, epsilon: f32, y: usize): void {
  const rowBytes = (<usize>k) << 2;
  for (; m > 1; m -= 2) {
    normPair(k, x, weight, bias, epsilon, y);
    x += rowBytes << 1;
    y += rowBytes << 1;
  }
  if (m) normRow(k, x, weight, bias, epsilon, y);
}

function normRow(k: i32, x: usize, weight: usize, bias: usize, epsilon: f32, y: usize): void {
  const end = x + (k << 2);
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0;
  for (let p = x; p < end; p += 64) {
    s0 = f32x4.add(s0, v128.load(p));
    s1 = f32x4.add(s1, v128.load(p, 16));
    s2 = f32x4.add(s2, v128.load(p, 32));
    s3 = f32x4.add(s3, v128.load(p, 48));
  }
  const mean = meanOf(s0, s1, s2, s3, k);
  s0 = f32x4.splat(0);
  s1 = s0;
  s2 = s0;
  s3 = s0;
  for (let p = x; p < end; p += 64) {
    s0 = addSquare(s0, f32x4.sub(v128.load(p), mean));
    s1 = addSquare(s1, f32x4.sub(v128.load(p, 16), mean));
    s2 = addSquare(s2, f32x4.sub(v128.load(p, 32), mean));
    s3 = addSquare(s3, f32x4.sub(v128.load(p, 48), mean));
  }
  const factor = factorOf(meanOf(s0, s1, s2, s3, k), epsilon);
  for (; x < end; x += 16) {
    const normalized = f32x4.mul(f32x4.sub(v128.load(x), mean), factor);
    v128.store(y, f32x4.add(f32x4.mul(normalized, v128.load(weight)), v128.load(bias)));
    weight += 16;
    bias += 16;
    y += 16;
  }
}

/** The same of two rows, one behind the other. */
function normPair(k: i32, x: usize, weight: usize, bias: usize, epsilon: f32, y: usize): void {
  const rowBytes = (<usize>k) << 2;
  const end = x + rowBytes;
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    t0 = s0,
    t1 = s0,
    t2 = s0,
    t3 = s0;
  for (let p = x, r = end; p < end; p += 64, r += 64) {
    s0 = f32x4.add(s0, v128.load(p));
    s1 = f32x4.add(s1, v128.load(p, 16));
    s2 = f32x4.add(s2, v128.load(p, 32));
    s3 = f32x4.add(s3, v128.load(p, 48));
    t0 = f32x4.add(t0, v128.load(r));
    t1 = f32x4.add(t1, v128.load(r, 16));
    t2 = f32x4.add(t2, v128.load(r, 32));
    t3 = f32x4.add(t3, v128.load(r, 48));
  }
  const meanS = meanOf(s0, s1, s2, s3, k);
  const meanT = meanOf(t0, t1, t2, t3, k);
  s0 = f32x4.splat(0);
  s1 = s0;
  s2 = s0;
  s3 = s0;
  t0 = s0;
  t1 = s0;
  t2 = s0;
  t3 = s0;
  for (let p = x, r = end; p < end; p += 64, r += 64) {
    s0 = addSquare(s0, f32x4.sub(v128.load(p), meanS));
    s1 = addSquare(s1, f32x4.sub(v128.load(p, 16), meanS));
    s2 = addSquare(s2, f32x4.sub(v128.load(p, 32), meanS));
    s3 = addSquare(s3, f32x4.sub(v128.load(p, 48), meanS));
    t0 = addSquare(t0, f32x4.sub(v128.load(r), meanT));
    t1 = addSquare(t1, f32x4.sub(v128.load(r, 16), meanT));
    t2 = addSquare(t2, f32x4.sub(v128.load(r, 32), meanT));
    t3 = addSquare(t3, f32x4.sub(v128.load(r, 48), meanT));
  }
  const factorS = factorOf(meanOf(s0, s1, s2, s3, k), epsilon);
  const factorT = factorOf(meanOf(t0, t1, t2, t3, k), epsilon);
  for (let r = end, z = y + rowBytes; x < end; x += 16, r += 16) {
    const w = v128.load(weight);
    const b = v128.load(bias);
    v128.store(y, f32x4.add(f32x4.mul(f32x4.mul(f32x4.sub(v128.load(x), meanS), factorS), w), b));
    v128.store(z, f32x4.add(f32x4.mul(f32x4.mul(f32x4.sub(v128.load(r), meanT), factorT), w), b));
    weight += 16;
    bias += 16;
    y += 16;
    z += 16;
  }
}

function meanOf(s0: v128, s1: v128, s2: v128, s3: v128, k: i32): v128 {
  return f32x4.splat(sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3))) / <f32>k);
}

function addSquare(sum: v128, x: v128): v128 {
  return f32x4.add(sum, f32x4.mul(x, x));
}

/** 1 / sqrt(variance + epsilon) */
function factorOf(variance: v128, epsilon: f32): v128 {
  return f32x4.splat(1.0 / sqrt<f32>(f32x4.extract_lane(variance, 0) + epsilon));
}

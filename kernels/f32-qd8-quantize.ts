/**
 * Dynamic quantization of activations: each row to 7 bits, 0…127, with its own scale and zero point. Seven bits and
 * not eight, because then the int8 dot product is exact on every engine (2 · 128 · 127 < 2¹⁵).
 */
import { loadTail, maxLanes, minLanes } from "./lanes";

const LEVELS: f32 = 127.0;
/** A row flatter than this is taken for zeros, so that 1 / scale stays finite. */
const MIN_SCALE: f32 = 1e-30;

/**
 * q = clamp(round(x / scale) + zero_point, 0, 127), real = (q − zero_point) · scale; round half to even.
 * The range of a row includes 0: scale = (max − min) / 127, zero_point = round(−min / scale).
 * @param m rows
 * @param k channels, at least 1
 * @param x [m, k] f32, in; |x| ≤ 1e38
 * @param q [m, K] u8, out, K = k rounded up to a multiple of 4; the tail of a row is zeros
 * @param params [m] of (f32 scale, i32 zero_point), out
 */
export function f32_qd8_quantize(m: i32, k: i32, x: usize, q: usize, params: usize): void {
  const rowBytes = (<usize>k) << 2;
  const paddedK = (k + 3) & ~3;
  for (let row = 0; row < m; row++) {
    quantizeRow(k, x, q, params);
    x += rowBytes;
    q += paddedK;
    params += 8;
  }
}

function quantizeRow(k: i32, x: usize, q: usize, params: usize): void {
  const tail = k & 3;
  const end = x + ((k - tail) << 2);
  let low = f32x4.splat(0);
  let high = low;
  for (let p = x; p < end; p += 16) {
    const v = v128.load(p);
    low = f32x4.pmin(low, v);
    high = f32x4.pmax(high, v);
  }
  if (tail) {
    const v = loadTail(end, tail, 0);
    low = f32x4.pmin(low, v);
    high = f32x4.pmax(high, v);
  }
  const minimum = minLanes(low);
  let scale: f32 = (maxLanes(high) - minimum) / LEVELS;
  let inverse: f32 = 0;
  if (scale < MIN_SCALE) scale = 1;
  else inverse = <f32>1 / scale;
  const zeroPoint = i32(nearest<f32>(-minimum * inverse));
  store<f32>(params, scale);
  store<i32>(params, zeroPoint, 4);

  const factor = f32x4.splat(inverse);
  const shift = i32x4.splat(zeroPoint);
  const end16 = x + ((k & ~15) << 2);
  while (x < end16) {
    const low8 = i16x8.narrow_i32x4_s(toLevels(v128.load(x), factor, shift), toLevels(v128.load(x, 16), factor, shift));
    const high8 = i16x8.narrow_i32x4_s(
      toLevels(v128.load(x, 32), factor, shift),
      toLevels(v128.load(x, 48), factor, shift),
    );
    v128.store(q, i8x16.min_u(i8x16.narrow_i16x8_u(low8, high8), i8x16.splat(127)));
    x += 64;
    q += 16;
  }
  for (; x < end; x += 16, q += 4) store<i32>(q, fourLevels(v128.load(x), factor, shift));
  if (tail) {
    const live = (1 << (tail << 3)) - 1;
    store<i32>(q, fourLevels(loadTail(end, tail, 0), factor, shift) & live);
  }
}

function toLevels(v: v128, factor: v128, shift: v128): v128 {
  return i32x4.add(i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v, factor))), shift);
}

function fourLevels(v: v128, factor: v128, shift: v128): i32 {
  const levels = i16x8.narrow_i32x4_s(toLevels(v, factor, shift), i32x4.splat(0));
  return i32x4.extract_lane(i8x16.min_u(i8x16.narrow_i16x8_u(levels, levels), i8x16.splat(127)), 0);
}

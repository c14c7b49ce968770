/**
 * Dynamic quantization of activations: each row to 7 bits, 0…127, with its own scale and zero point. Seven bits and
 * not eight, because then the int8 dot product is exact on every engine (2 · 128 · 127 < 2¹⁵).
 */
import { constant } from "./constant";
import { gelu } from "./gelu";
import { loadTail, maxLanes, minLanes, storeTail } from "./lanes";

const LEVELS: f32 = 127.0;
/** A row flatter than this is taken for zeros, so that 1 / scale stays finite. */
const MIN_SCALE: f32 = 1e-30;
/** Adding it rounds to a whole number, half to even, which is left in the low bits. */
const round = memory.data<f32>([12582912.0]); // 1.5·2²³
const ROUND_BITS: i32 = 0x4b400000;

const RELU: i32 = 1;
const GELU: i32 = 2;

/**
 * q = clamp(round(act(x) / scale) + zero_point, 0, 127), real = (q − zero_point) · scale; round half to even.
 * The range of a row includes 0: scale = (max − min) / 127, zero_point = round(−min / scale).
 * @param m rows
 * @param k channels, at least 1
 * @param x [m, k] f32, in, |x| ≤ 1e38; overwritten with act(x)
 * @param q [m, K] u8, out, K = k rounded up to a multiple of 4; the tail of a row is zeros
 * @param params [m] of (f32 scale, i32 zero_point), out
 * @param activation 0 none, 1 ReLU, 2 GELU: here and not behind the product, because here x is read for its range anyway
 */
export function f32_qd8_quantize(m: i32, k: i32, x: usize, q: usize, params: usize, activation: i32): void {
  const rowBytes = (<usize>k) << 2;
  const paddedK = (k + 3) & ~3;
  for (let row = 0; row < m; row++) {
    if (activation === GELU) quantizeRow<v128>(k, x, q, params);
    else if (activation === RELU) quantizeRow<f32>(k, x, q, params);
    else quantizeRow<void>(k, x, q, params);
    x += rowBytes;
    q += paddedK;
    params += 8;
  }
}

/** @param Activation void none, f32 ReLU, v128 GELU */
function activate<Activation>(x: v128): v128 {
  if (isVoid<Activation>()) return x;
  return isVector<Activation>() ? gelu(x) : f32x4.pmax(f32x4.splat(0), x);
}

function quantizeRow<Activation>(k: i32, x: usize, q: usize, params: usize): void {
  const tail = k & 3;
  const end = x + ((k - tail) << 2);
  const end16 = x + ((k & ~15) << 2);
  let l0 = f32x4.splat(0),
    l1 = l0,
    h0 = l0,
    h1 = l0;
  let p = x;
  for (; p < end16; p += 64) {
    const v0 = activate<Activation>(v128.load(p));
    const v1 = activate<Activation>(v128.load(p, 16));
    const v2 = activate<Activation>(v128.load(p, 32));
    const v3 = activate<Activation>(v128.load(p, 48));
    if (!isVoid<Activation>()) {
      v128.store(p, v0);
      v128.store(p, v1, 16);
      v128.store(p, v2, 32);
      v128.store(p, v3, 48);
    }
    l0 = f32x4.pmin(l0, f32x4.pmin(v0, v1));
    h0 = f32x4.pmax(h0, f32x4.pmax(v0, v1));
    l1 = f32x4.pmin(l1, f32x4.pmin(v2, v3));
    h1 = f32x4.pmax(h1, f32x4.pmax(v2, v3));
  }
  for (; p < end; p += 16) {
    const v = activate<Activation>(v128.load(p));
    if (!isVoid<Activation>()) v128.store(p, v);
    l0 = f32x4.pmin(l0, v);
    h0 = f32x4.pmax(h0, v);
  }
  if (tail) {
    const v = activate<Activation>(loadTail(end, tail, 0));
    if (!isVoid<Activation>()) storeTail(end, tail, v);
    l0 = f32x4.pmin(l0, v);
    h0 = f32x4.pmax(h0, v);
  }
  const minimum = minLanes(f32x4.pmin(l0, l1));
  let scale: f32 = (maxLanes(f32x4.pmax(h0, h1)) - minimum) / LEVELS;
  let inverse: f32 = 0;
  if (scale < MIN_SCALE) scale = 1;
  else inverse = <f32>1 / scale;
  const zeroPoint = i32(nearest<f32>(-minimum * inverse));
  store<f32>(params, scale);
  store<i32>(params, zeroPoint, 4);

  const factor = f32x4.splat(inverse);
  const shift = i32x4.splat(zeroPoint - ROUND_BITS);
  for (; x < end16; x += 64, q += 16) {
    const low8 = i16x8.narrow_i32x4_s(toLevels(v128.load(x), factor, shift), toLevels(v128.load(x, 16), factor, shift));
    const high8 = i16x8.narrow_i32x4_s(
      toLevels(v128.load(x, 32), factor, shift),
      toLevels(v128.load(x, 48), factor, shift),
    );
    v128.store(q, i8x16.min_u(i8x16.narrow_i16x8_u(low8, high8), i8x16.splat(127)));
  }
  for (; x < end; x += 16, q += 4) store<i32>(q, fourLevels(v128.load(x), factor, shift));
  if (tail) {
    const live = (1 << (tail << 3)) - 1;
    store<i32>(q, fourLevels(loadTail(end, tail, 0), factor, shift) & live);
  }
}

function toLevels(v: v128, factor: v128, shift: v128): v128 {
  return i32x4.add(f32x4.add(f32x4.mul(v, factor), constant(round, 0)), shift);
}

function fourLevels(v: v128, factor: v128, shift: v128): i32 {
  const levels = i16x8.narrow_i32x4_s(toLevels(v, factor, shift), i32x4.splat(0));
  return i32x4.extract_lane(i8x16.min_u(i8x16.narrow_i16x8_u(levels, levels), i8x16.splat(127)), 0);
}

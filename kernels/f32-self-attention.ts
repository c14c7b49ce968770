/**
 * Scaled dot-product attention (Vaswani et al. 2017, section 3.2) of a whole text to itself, as in an encoder: query, key
 * and value of every token are there at once, so keys and values are repacked once for all queries.
 *
 * Both products are made of 16-bit integers (i32x4.dot_i16x8_s, which every engine has): eight multiply-adds an
 * instruction where f32 has four in two, and sums that are exact in any order. Queries, keys and values get one scale
 * each for a head, and the weights of a query, which sum up to 1, become 0…32767. The error is 2⁻¹³ of the largest value
 * for d_head = 32, a thirtieth of what the 7 bits of the next product leave.
 *
 * Eight queries go together and stand in the lanes, so that the softmax runs down the columns and needs no sum across
 * lanes. A pair of 16-bit numbers is one lane:
 *
 *   keys     [d_head/2, T] pairs of channels      scores [T, 8] = keysᵀ · queries        f32
 *   queries  [d_head/2, 8] pairs of channels      weights [T/2, 8] = softmax(scores)     pairs of positions
 *   values   [T/2, d_head] pairs of positions     out [8, d_head] = weightsᵀ · values
 */
import { exp2 } from "./exp";
import { maxLanes } from "./lanes";

/** Whole part of the largest weight, and of the largest value. */
const MAX_I16: f32 = 32767.0;
/** What is flatter than this is taken for zeros, so that 1 / scale stays finite. */
const MIN_LARGEST: f32 = 1e-30;
/** Adding it rounds to a whole number, half to even, which is left in the low bits. */
const ROUND: f32 = 12582912.0; // 1.5·2²³
const ROUND_BITS: i32 = 0x4b400000;

/**
 * out[r] = softmax(q[r] · keyᵀ / sqrt(d_head)) · value over all t rows, head by head.
 * Integers are round(x · (limit / max|x|)), max|x| over all rows of the head, limit = floor(sqrt((2³¹ − 1) / d_head)) for
 * queries and keys, and 32767 for values; half to even. Weights are round(e · (32767 / Σ e)), e = 2^(score − max score),
 * Σ e in the order of the positions.
 * @param t rows, at least 1
 * @param n_heads heads, contiguous slices of d_head channels
 * @param d_head channels of a head, a multiple of 4
 * @param q [t, n_heads · d_head] f32, in, |q| ≤ 1e15, rows `stride` bytes apart; k (alike) and v (≤ 1e30) are as q
 * @param scratch [t rounded up to 4, 8 + d_head / 2], [d_head, 4] and [(t + 1) / 2, d_head] i32, overwritten
 * @param out [t, n_heads · d_head] f32, out, rows out_stride bytes apart
 */
export function f32_self_attention(
  t: i32,
  n_heads: i32,
  d_head: i32,
  q: usize,
  k: usize,
  v: usize,
  stride: usize,
  scratch: usize,
  out: usize,
  out_stride: usize,
): void {
  const headBytes = (<usize>d_head) << 2;
  const keyStride = (<usize>((t + 3) & ~3)) << 2;
  const scores = scratch;
  const queries = scores + (keyStride << 3);
  const keys = queries + (headBytes << 2);
  const values = keys + keyStride * (d_head >> 1);
  const limit = <f32>floor<f64>(sqrt<f64>(<f64>i32.MAX_VALUE / <f64>d_head));
  // The softmax is one of powers of 2.
  const log2Factor = <f32>Math.LOG2E / sqrt<f32>(<f32>d_head);
  for (let head = 0; head < n_heads; head++) {
    let largestQ = f32x4.splat(0),
      largestK = largestQ,
      largestV = largestQ;
    for (let row = 0, offset: usize = 0; row < t; row++, offset += stride) {
      for (let i = offset; i < offset + headBytes; i += 16) {
        largestQ = f32x4.pmax(largestQ, f32x4.abs(v128.load(q + i)));
        largestK = f32x4.pmax(largestK, f32x4.abs(v128.load(k + i)));
        largestV = f32x4.pmax(largestV, f32x4.abs(v128.load(v + i)));
      }
    }
    const maxQ = maxLanes(largestQ);
    const maxK = maxLanes(largestK);
    const maxV = maxLanes(largestV);
    const scoreFactor = f32x4.splat((maxQ / limit) * (maxK / limit) * log2Factor);
    const outFactor = f32x4.splat(maxV / MAX_I16 / MAX_I16);
    const toQ = factorTo(limit, maxQ);
    pairChannels(t, k, stride, headBytes, factorTo(limit, maxK), keys, keyStride);
    pairRows(t, v, stride, headBytes, factorTo(MAX_I16, maxV), values);
    const lastOut = out + (t - 1) * out_stride;
    for (let row = 0; row < t; row += 8) {
      pairChannels(min(8, t - row), q + row * stride, stride, headBytes, toQ, queries, 32);
      for (let i: usize = 0; i < keyStride; i += 16) {
        const four = scores + (i << 3);
        tile<i64>(d_head >> 1, keys + i, keyStride, queries, 32, scoreFactor, four, 32, four + 96);
      }
      softmax(t, scores);
      for (let four = row; four < min(row + 8, t); four += 4) {
        const weights = scores + ((four & 4) << 2);
        const outRow = out + four * out_stride;
        let i: usize = 0;
        for (; i + 32 <= headBytes; i += 32) {
          tile<i64>((t + 1) >> 1, weights, 32, values + i, headBytes, outFactor, outRow + i, out_stride, lastOut + i);
        }
        if (i < headBytes) {
          tile<i32>((t + 1) >> 1, weights, 32, values + i, headBytes, outFactor, outRow + i, out_stride, lastOut + i);
        }
      }
    }
    q += headBytes;
    k += headBytes;
    v += headBytes;
    out += headBytes;
  }
}

function factorTo(limit: f32, largest: f32): v128 {
  return f32x4.splat(largest < MIN_LARGEST ? 0 : limit / largest);
}

/** Whole numbers that are right in their low 16 bits. */
function toLow16(x: v128, factor: v128): v128 {
  return f32x4.add(f32x4.mul(x, factor), f32x4.splat(ROUND));
}

function toI32(x: v128, factor: v128): v128 {
  return i32x4.sub(toLow16(x, factor), i32x4.splat(ROUND_BITS));
}

function pairOf(low: v128, high: v128): v128 {
  return v128.or(v128.and(low, i32x4.splat(0xffff)), i32x4.shl(high, 16));
}

/**
 * to [headBytes / 8, toStride / 4] = pairs of neighbouring channels of x [rows, headBytes / 4], transposed. Columns behind
 * the last row repeat it.
 */
function pairChannels(
  rows: i32,
  x: usize,
  stride: usize,
  headBytes: usize,
  factor: v128,
  to: usize,
  toStride: usize,
): void {
  const last = x + (rows - 1) * stride;
  for (let column: usize = 0; column < toStride; column += 16) {
    let x0 = min(x, last);
    let x1 = min(x + stride, last);
    let x2 = min(x + 2 * stride, last);
    let x3 = min(x + 3 * stride, last);
    const end = x0 + headBytes;
    for (let y = to + column; x0 < end; y += toStride << 1) {
      const a = i16x8.narrow_i32x4_s(toI32(v128.load(x0), factor), toI32(v128.load(x1), factor));
      const b = i16x8.narrow_i32x4_s(toI32(v128.load(x2), factor), toI32(v128.load(x3), factor));
      v128.store(y, v128.shuffle<i32>(a, b, 0, 2, 4, 6));
      v128.store(y + toStride, v128.shuffle<i32>(a, b, 1, 3, 5, 7));
      x0 += 16;
      x1 += 16;
      x2 += 16;
      x3 += 16;
    }
    x += stride << 2;
  }
}

/** to [(rows + 1) / 2, headBytes / 4] = pairs of neighbouring rows of x; an odd last one stands beside itself. */
function pairRows(rows: i32, x: usize, stride: usize, headBytes: usize, factor: v128, to: usize): void {
  const last = x + (rows - 1) * stride;
  for (; x <= last; x += stride << 1) {
    const next = min(x + stride, last);
    for (let i: usize = 0; i < headBytes; i += 16) {
      v128.store(to, pairOf(toLow16(v128.load(x + i), factor), toLow16(v128.load(next + i), factor)));
      to += 16;
    }
  }
}

/**
 * c [4, 8] = aᵀ [n, 4] · b [n, 8] · factor, a and b of pairs.
 * @param Columns i64: eight columns; i32: four
 * @param last where the last row of c is; rows behind it repeat it, so what they leave there is the same
 */
function tile<Columns>(
  n: i32,
  a: usize,
  aStride: usize,
  b: usize,
  bStride: usize,
  factor: v128,
  c: usize,
  cStride: usize,
  last: usize,
): void {
  let s0 = i32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    t0 = s0,
    t1 = s0,
    t2 = s0,
    t3 = s0;
  for (; n > 0; n--) {
    const a4 = v128.load(a);
    const a0 = v128.shuffle<i32>(a4, a4, 0, 0, 0, 0);
    const a1 = v128.shuffle<i32>(a4, a4, 1, 1, 1, 1);
    const a2 = v128.shuffle<i32>(a4, a4, 2, 2, 2, 2);
    const a3 = v128.shuffle<i32>(a4, a4, 3, 3, 3, 3);
    const b0 = v128.load(b);
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(a0, b0));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(a1, b0));
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(a2, b0));
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(a3, b0));
    if (sizeof<Columns>() === sizeof<i64>()) {
      const b1 = v128.load(b, 16);
      t0 = i32x4.add(t0, i32x4.dot_i16x8_s(a0, b1));
      t1 = i32x4.add(t1, i32x4.dot_i16x8_s(a1, b1));
      t2 = i32x4.add(t2, i32x4.dot_i16x8_s(a2, b1));
      t3 = i32x4.add(t3, i32x4.dot_i16x8_s(a3, b1));
    }
    a += aStride;
    b += bStride;
  }
  storeRow<Columns>(c, s0, t0, factor);
  storeRow<Columns>(min(c + cStride, last), s1, t1, factor);
  storeRow<Columns>(min(c + 2 * cStride, last), s2, t2, factor);
  storeRow<Columns>(min(c + 3 * cStride, last), s3, t3, factor);
}

function storeRow<Columns>(c: usize, s: v128, t: v128, factor: v128): void {
  v128.store(c, f32x4.mul(f32x4.convert_i32x4_s(s), factor));
  if (sizeof<Columns>() === sizeof<i64>()) v128.store(c, f32x4.mul(f32x4.convert_i32x4_s(t), factor), 16);
}

/** Scores [t, 8] f32 become weights [(t + 1) / 2, 8], pairs of neighbouring positions, in place. */
function softmax(t: i32, scores: usize): void {
  const end = scores + (t << 5);
  let max0 = v128.load(scores);
  let max1 = v128.load(scores, 16);
  for (let p = scores + 32; p < end; p += 32) {
    max0 = f32x4.pmax(max0, v128.load(p));
    max1 = f32x4.pmax(max1, v128.load(p, 16));
  }
  let sum0 = f32x4.splat(0);
  let sum1 = sum0;
  for (let p = scores; p < end; p += 64) {
    const e0 = exp2(f32x4.sub(v128.load(p), max0));
    const e1 = exp2(f32x4.sub(v128.load(p, 16), max1));
    let f0 = exp2(f32x4.sub(v128.load(p, 32), max0));
    let f1 = exp2(f32x4.sub(v128.load(p, 48), max1));
    if (p + 32 === end) {
      // An odd number of positions: nothing stands beside the last.
      f0 = f32x4.splat(0);
      f1 = f0;
    }
    v128.store(p, e0);
    v128.store(p, e1, 16);
    v128.store(p, f0, 32);
    v128.store(p, f1, 48);
    sum0 = f32x4.add(f32x4.add(sum0, e0), f0);
    sum1 = f32x4.add(f32x4.add(sum1, e1), f1);
  }
  const factor0 = f32x4.div(f32x4.splat(MAX_I16), sum0);
  const factor1 = f32x4.div(f32x4.splat(MAX_I16), sum1);
  for (let p = scores, to = scores; p < end; p += 64, to += 32) {
    const pair0 = pairOf(toLow16(v128.load(p), factor0), toLow16(v128.load(p, 32), factor0));
    const pair1 = pairOf(toLow16(v128.load(p, 16), factor1), toLow16(v128.load(p, 48), factor1));
    v128.store(to, pair0);
    v128.store(to, pair1, 16);
  }
}

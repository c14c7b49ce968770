/**
 * Scaled dot-product attention (Vaswani et al. 2017, section 3.2): query rows that look at the same positions, all heads.
 *
 * Keys and values are found through a table of addresses, one per position: so hypotheses of a beam share the rows of
 * their common past, and reordering a beam copies no row. Encoder, decoder and cross attention are this one kernel.
 *
 * What it costs is loads (each address is compared with the end of the memory). Two query rows go together and share
 * those of keys and values; four positions go together and share those of the query, and their four sums across the
 * lanes are one transposition. Each phase runs through all heads before the next begins, so that the long chains of a
 * head's softmax overlap with another's. A row comes out the same, to the bit, alone or in a pair.
 */
import { sumExp } from "./exp";
import { maxLanes, sumLanes } from "./lanes";

/**
 * out[r] = softmax(q[r] · keyᵀ · factor) · value, head by head.
 * Order of the sums: q · key and the sum under the softmax lane i mod 4, then (l0 + l2) + (l1 + l3); the weighted values
 * by position, multiplied with 1 / sum last.
 * @param m query rows
 * @param n_heads heads, contiguous slices of d_head channels
 * @param d_head channels of a head, a multiple of 4
 * @param q [m, n_heads · d_head] f32, in, rows q_stride bytes apart
 * @param rows [t] i32, in: address of each position's cache row
 * @param t positions, at least 1
 * @param key_offset bytes from a cache row to its key [n_heads · d_head] f32
 * @param value_offset the same for its value
 * @param factor 1 / sqrt(d_head)
 * @param scores [min(m, 2) · n_heads, t rounded up to 4, and 4 more] f32, overwritten: of each head, if m is 1, the
 * weights' e^(score − max) and behind them, four times, 1 / Σ
 * @param out [m, n_heads · d_head] f32, out, rows out_stride bytes apart; not q
 */
export function f32_attention(
  m: i32,
  n_heads: i32,
  d_head: i32,
  q: usize,
  q_stride: usize,
  rows: usize,
  t: i32,
  key_offset: usize,
  value_offset: usize,
  factor: f32,
  scores: usize,
  out: usize,
  out_stride: usize,
): void {
  const headBytes = (<usize>d_head) << 2;
  const end = <usize>n_heads * headBytes;
  const rowsEnd = rows + (t << 2);
  const scoreBytes = (<usize>((t + 3) & ~3)) << 2;
  const stride = scoreBytes + 16;
  for (; m > 0; m -= 2) {
    let s = scores;
    for (let i: usize = 0; i < end; i += headBytes) {
      if (m > 1) {
        scorePair(q + i, q + i + q_stride, headBytes, rows, rowsEnd, key_offset + i, factor, s, s + stride);
        s += stride;
      } else {
        scoreRow(q + i, headBytes, rows, rowsEnd, key_offset + i, factor, s);
      }
      s += stride;
    }
    for (let p = scores; p < s; p += stride) softmax(p, p + scoreBytes, t & 3);
    s = scores;
    for (let i: usize = 0; i < end; i += headBytes) {
      if (m > 1) {
        weighPair(s, s + stride, scoreBytes, headBytes, rows, rowsEnd, value_offset + i, out + i, out + i + out_stride);
        s += stride;
      } else {
        weighRow(s, scoreBytes, headBytes, rows, rowsEnd, value_offset + i, out + i);
      }
      s += stride;
    }
    q += q_stride << 1;
    out += out_stride << 1;
  }
}

/** Four sums over the lanes, each (l0 + l2) + (l1 + l3). */
function sumLanes4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 1, 4, 5), v128.shuffle<f32>(a, b, 2, 3, 6, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 1, 4, 5), v128.shuffle<f32>(c, d, 2, 3, 6, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 2, 4, 6), v128.shuffle<f32>(ab, cd, 1, 3, 5, 7));
}

/** scores [rowsEnd − rows, rounded up to a vector]; what is behind the last position repeats it. */
function scoreRow(
  q: usize,
  headBytes: usize,
  rows: usize,
  rowsEnd: usize,
  offset: usize,
  factor: f32,
  scores: usize,
): void {
  const last = rowsEnd - 4;
  const qEnd = q + headBytes;
  for (; rows < rowsEnd; rows += 16) {
    let k0 = <usize>load<i32>(rows) + offset;
    let k1 = <usize>load<i32>(min(rows + 4, last)) + offset;
    let k2 = <usize>load<i32>(min(rows + 8, last)) + offset;
    let k3 = <usize>load<i32>(min(rows + 12, last)) + offset;
    let s0 = f32x4.splat(0),
      s1 = s0,
      s2 = s0,
      s3 = s0;
    for (let i = q; i < qEnd; i += 16) {
      const x = v128.load(i);
      s0 = f32x4.add(s0, f32x4.mul(x, v128.load(k0)));
      s1 = f32x4.add(s1, f32x4.mul(x, v128.load(k1)));
      s2 = f32x4.add(s2, f32x4.mul(x, v128.load(k2)));
      s3 = f32x4.add(s3, f32x4.mul(x, v128.load(k3)));
      k0 += 16;
      k1 += 16;
      k2 += 16;
      k3 += 16;
    }
    v128.store(scores, f32x4.mul(sumLanes4(s0, s1, s2, s3), f32x4.splat(factor)));
    scores += 16;
  }
}

/** The same of two queries, q and r. */
function scorePair(
  q: usize,
  r: usize,
  headBytes: usize,
  rows: usize,
  rowsEnd: usize,
  offset: usize,
  factor: f32,
  scoresQ: usize,
  scoresR: usize,
): void {
  const last = rowsEnd - 4;
  const qEnd = q + headBytes;
  for (; rows < rowsEnd; rows += 16) {
    let k0 = <usize>load<i32>(rows) + offset;
    let k1 = <usize>load<i32>(min(rows + 4, last)) + offset;
    let k2 = <usize>load<i32>(min(rows + 8, last)) + offset;
    let k3 = <usize>load<i32>(min(rows + 12, last)) + offset;
    let s0 = f32x4.splat(0),
      s1 = s0,
      s2 = s0,
      s3 = s0,
      t0 = s0,
      t1 = s0,
      t2 = s0,
      t3 = s0;
    for (let i = q, j = r; i < qEnd; i += 16, j += 16) {
      const x = v128.load(i);
      const y = v128.load(j);
      let k = v128.load(k0);
      s0 = f32x4.add(s0, f32x4.mul(x, k));
      t0 = f32x4.add(t0, f32x4.mul(y, k));
      k = v128.load(k1);
      s1 = f32x4.add(s1, f32x4.mul(x, k));
      t1 = f32x4.add(t1, f32x4.mul(y, k));
      k = v128.load(k2);
      s2 = f32x4.add(s2, f32x4.mul(x, k));
      t2 = f32x4.add(t2, f32x4.mul(y, k));
      k = v128.load(k3);
      s3 = f32x4.add(s3, f32x4.mul(x, k));
      t3 = f32x4.add(t3, f32x4.mul(y, k));
      k0 += 16;
      k1 += 16;
      k2 += 16;
      k3 += 16;
    }
    v128.store(scoresQ, f32x4.mul(sumLanes4(s0, s1, s2, s3), f32x4.splat(factor)));
    v128.store(scoresR, f32x4.mul(sumLanes4(t0, t1, t2, t3), f32x4.splat(factor)));
    scoresQ += 16;
    scoresR += 16;
  }
}

/**
 * scores = e^(scores − max), and 1 / their sum in all four lanes of the vector behind them.
 * @param tail how many of the last vector are scores; 0 for all
 */
function softmax(scores: usize, end: usize, tail: i32): void {
  if (tail) {
    const isScore = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(tail));
    v128.store(end - 16, v128.bitselect(v128.load(end - 16), f32x4.splat(-Infinity), isScore));
  }
  let most = v128.load(scores);
  for (let p = scores + 16; p < end; p += 16) most = f32x4.pmax(most, v128.load(p));
  const sum = sumExp<i32>(scores, end, f32x4.splat(maxLanes(most)), f32x4.splat(0));
  v128.store(end, f32x4.splat(<f32>1 / sumLanes(sum)));
}

/** out = Σ e · value / Σ e of one head, 32 channels at a time. */
function weighRow(
  scores: usize,
  scoreBytes: usize,
  headBytes: usize,
  rows: usize,
  rowsEnd: usize,
  offset: usize,
  out: usize,
): void {
  const inverse = v128.load(scores + scoreBytes);
  const end = out + headBytes;
  for (; out + 128 <= end; out += 128) {
    let s0 = f32x4.splat(0),
      s1 = s0,
      s2 = s0,
      s3 = s0,
      s4 = s0,
      s5 = s0,
      s6 = s0,
      s7 = s0;
    for (let row = rows, score = scores; row < rowsEnd; row += 4, score += 4) {
      const value = <usize>load<i32>(row) + offset;
      const weight = v128.load32_splat(score);
      s0 = f32x4.add(s0, f32x4.mul(weight, v128.load(value)));
      s1 = f32x4.add(s1, f32x4.mul(weight, v128.load(value, 16)));
      s2 = f32x4.add(s2, f32x4.mul(weight, v128.load(value, 32)));
      s3 = f32x4.add(s3, f32x4.mul(weight, v128.load(value, 48)));
      s4 = f32x4.add(s4, f32x4.mul(weight, v128.load(value, 64)));
      s5 = f32x4.add(s5, f32x4.mul(weight, v128.load(value, 80)));
      s6 = f32x4.add(s6, f32x4.mul(weight, v128.load(value, 96)));
      s7 = f32x4.add(s7, f32x4.mul(weight, v128.load(value, 112)));
    }
    v128.store(out, f32x4.mul(s0, inverse));
    v128.store(out, f32x4.mul(s1, inverse), 16);
    v128.store(out, f32x4.mul(s2, inverse), 32);
    v128.store(out, f32x4.mul(s3, inverse), 48);
    v128.store(out, f32x4.mul(s4, inverse), 64);
    v128.store(out, f32x4.mul(s5, inverse), 80);
    v128.store(out, f32x4.mul(s6, inverse), 96);
    v128.store(out, f32x4.mul(s7, inverse), 112);
    offset += 128;
  }
  for (; out < end; out += 16) {
    let sum = f32x4.splat(0);
    for (let row = rows, score = scores; row < rowsEnd; row += 4, score += 4) {
      sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(score), v128.load(<usize>load<i32>(row) + offset)));
    }
    v128.store(out, f32x4.mul(sum, inverse));
    offset += 16;
  }
}

/** The same of two rows, q and r, 16 channels at a time. */
function weighPair(
  scoresQ: usize,
  scoresR: usize,
  scoreBytes: usize,
  headBytes: usize,
  rows: usize,
  rowsEnd: usize,
  offset: usize,
  outQ: usize,
  outR: usize,
): void {
  const inverseQ = v128.load(scoresQ + scoreBytes);
  const inverseR = v128.load(scoresR + scoreBytes);
  const end = outQ + headBytes;
  for (; outQ + 64 <= end; outQ += 64) {
    let s0 = f32x4.splat(0),
      s1 = s0,
      s2 = s0,
      s3 = s0,
      t0 = s0,
      t1 = s0,
      t2 = s0,
      t3 = s0;
    for (let row = rows, i: usize = 0; row < rowsEnd; row += 4, i += 4) {
      const value = <usize>load<i32>(row) + offset;
      const x = v128.load32_splat(scoresQ + i);
      const y = v128.load32_splat(scoresR + i);
      let v = v128.load(value);
      s0 = f32x4.add(s0, f32x4.mul(x, v));
      t0 = f32x4.add(t0, f32x4.mul(y, v));
      v = v128.load(value, 16);
      s1 = f32x4.add(s1, f32x4.mul(x, v));
      t1 = f32x4.add(t1, f32x4.mul(y, v));
      v = v128.load(value, 32);
      s2 = f32x4.add(s2, f32x4.mul(x, v));
      t2 = f32x4.add(t2, f32x4.mul(y, v));
      v = v128.load(value, 48);
      s3 = f32x4.add(s3, f32x4.mul(x, v));
      t3 = f32x4.add(t3, f32x4.mul(y, v));
    }
    v128.store(outQ, f32x4.mul(s0, inverseQ));
    v128.store(outQ, f32x4.mul(s1, inverseQ), 16);
    v128.store(outQ, f32x4.mul(s2, inverseQ), 32);
    v128.store(outQ, f32x4.mul(s3, inverseQ), 48);
    v128.store(outR, f32x4.mul(t0, inverseR));
    v128.store(outR, f32x4.mul(t1, inverseR), 16);
    v128.store(outR, f32x4.mul(t2, inverseR), 32);
    v128.store(outR, f32x4.mul(t3, inverseR), 48);
    outR += 64;
    offset += 64;
  }
  for (; outQ < end; outQ += 16) {
    let s = f32x4.splat(0),
      t = s;
    for (let row = rows, i: usize = 0; row < rowsEnd; row += 4, i += 4) {
      const v = v128.load(<usize>load<i32>(row) + offset);
      s = f32x4.add(s, f32x4.mul(v128.load32_splat(scoresQ + i), v));
      t = f32x4.add(t, f32x4.mul(v128.load32_splat(scoresR + i), v));
    }
    v128.store(outQ, f32x4.mul(s, inverseQ));
    v128.store(outR, f32x4.mul(t, inverseR));
    outR += 16;
    offset += 16;
  }
}

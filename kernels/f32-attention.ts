/**
 * Scaled dot-product attention of one query row over all heads (Vaswani et al. 2017, section 3.2).
 *
 * Keys and values are found through a table of addresses, one per position: so hypotheses of a beam share the rows of
 * their common past, and reordering a beam copies no row. Encoder, decoder and cross attention are this one kernel.
 */
import { f32_softmax } from "./f32-softmax";
import { sumLanes } from "./lanes";

/**
 * out = softmax(q · keyᵀ · factor) · value, head by head.
 * Order of the sums: q · key lane i mod 4, then (l0 + l2) + (l1 + l3); the weighted values by position, divided last.
 * @param n_heads heads, contiguous slices of d_head channels
 * @param d_head channels of a head, a multiple of 4
 * @param q [n_heads · d_head] f32, in
 * @param rows [t] i32, in: address of each position's cache row
 * @param t positions, at least 1
 * @param key_offset bytes from a cache row to its key [n_heads · d_head] f32
 * @param value_offset the same for its value
 * @param factor 1 / sqrt(d_head)
 * @param scores [t] f32, overwritten
 * @param out [n_heads · d_head] f32, out; not q
 */
export function f32_attention(
  n_heads: i32,
  d_head: i32,
  q: usize,
  rows: usize,
  t: i32,
  key_offset: usize,
  value_offset: usize,
  factor: f32,
  scores: usize,
  out: usize,
): void {
  const headBytes = (<usize>d_head) << 2;
  const rowsEnd = rows + (t << 2);
  for (let head = 0; head < n_heads; head++) {
    let score = scores;
    for (let row = rows; row < rowsEnd; row += 4) {
      const key = <usize>load<i32>(row) + key_offset;
      let sum = f32x4.splat(0);
      for (let i: usize = 0; i < headBytes; i += 16) {
        sum = f32x4.add(sum, f32x4.mul(v128.load(q + i), v128.load(key + i)));
      }
      store<f32>(score, sumLanes(sum) * factor);
      score += 4;
    }
    const inverse = f32x4.splat(<f32>1 / f32_softmax(t, scores));
    let i: usize = 0;
    for (; i + 64 <= headBytes; i += 64) {
      let s0 = f32x4.splat(0),
        s1 = s0,
        s2 = s0,
        s3 = s0;
      score = scores;
      for (let row = rows; row < rowsEnd; row += 4) {
        const value = <usize>load<i32>(row) + value_offset + i;
        const weight = v128.load32_splat(score);
        s0 = f32x4.add(s0, f32x4.mul(weight, v128.load(value)));
        s1 = f32x4.add(s1, f32x4.mul(weight, v128.load(value, 16)));
        s2 = f32x4.add(s2, f32x4.mul(weight, v128.load(value, 32)));
        s3 = f32x4.add(s3, f32x4.mul(weight, v128.load(value, 48)));
        score += 4;
      }
      v128.store(out + i, f32x4.mul(s0, inverse));
      v128.store(out + i, f32x4.mul(s1, inverse), 16);
      v128.store(out + i, f32x4.mul(s2, inverse), 32);
      v128.store(out + i, f32x4.mul(s3, inverse), 48);
    }
    for (; i < headBytes; i += 16) {
      let sum = f32x4.splat(0);
      score = scores;
      for (let row = rows; row < rowsEnd; row += 4) {
        sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(score), v128.load(<usize>load<i32>(row) + value_offset + i)));
        score += 4;
      }
      v128.store(out + i, f32x4.mul(sum, inverse));
    }
    q += headBytes;
    out += headBytes;
    key_offset += headBytes;
    value_offset += headBytes;
  }
}

/**
 * Attention of training, forward and backward, one segment (a text, a sentence pair) at a time: nothing is padded and no
 * mask is made. The probabilities of the forward pass are kept for the backward one.
 */
import { exp } from "../exp";
import { maxLanes, sumLanes } from "../lanes";
import { f32_gemm } from "./gemm";

/**
 * out = softmax(q · kᵀ · factor) · v, head by head.
 * @param tq, tk queries and keys of the segment
 * @param n_heads heads, contiguous slices of d_head channels
 * @param q [tq, n_heads · d_head] f32, in, rows q_row bytes apart; k and v alike, rows kv_row bytes apart
 * @param causal 1: query i sees keys 0…i
 * @param probs [n_heads, tq, tk rounded up to 4] f32, out
 * @param out [tq, n_heads · d_head] f32, out, rows one behind the other
 */
export function f32_attention_forward(
  tq: i32,
  tk: i32,
  n_heads: i32,
  d_head: i32,
  q: usize,
  q_row: usize,
  k: usize,
  v: usize,
  kv_row: usize,
  causal: i32,
  probs: usize,
  out: usize,
): void {
  const stride = probsStride(tk);
  const headBytes = (<usize>d_head) << 2;
  const outRow = n_heads * headBytes;
  const factor: f32 = <f32>1 / sqrt<f32>(<f32>d_head);
  for (let h = 0; h < n_heads; h++) {
    f32_gemm(tq, tk, d_head, q, q_row, 4, k, 4, kv_row, 0, probs, stride, 0);
    for (let i = 0; i < tq; i++) softmaxRow(probs + i * stride, causal ? i + 1 : tk, tk, factor);
    f32_gemm(tq, d_head, tk, probs, stride, 4, v, kv_row, 4, 0, out, outRow, 0);
    q += headBytes;
    k += headBytes;
    v += headBytes;
    out += headBytes;
    probs += tq * stride;
  }
}

/**
 * Adds to the gradients of q, k and v.
 * @param probs of the forward pass
 * @param d_out gradient of out, in
 * @param d_q, d_k, d_v as q, k and v, added to
 * @param scratch [tq, tk rounded up to 4] f32, overwritten
 */
export function f32_attention_backward(
  tq: i32,
  tk: i32,
  n_heads: i32,
  d_head: i32,
  q: usize,
  q_row: usize,
  k: usize,
  v: usize,
  kv_row: usize,
  probs: usize,
  d_out: usize,
  d_q: usize,
  d_k: usize,
  d_v: usize,
  scratch: usize,
): void {
  const stride = probsStride(tk);
  const headBytes = (<usize>d_head) << 2;
  const outRow = n_heads * headBytes;
  const factor: f32 = <f32>1 / sqrt<f32>(<f32>d_head);
  for (let h = 0; h < n_heads; h++) {
    f32_gemm(tk, d_head, tq, probs, 4, stride, d_out, outRow, 4, 0, d_v, kv_row, 1);
    f32_gemm(tq, tk, d_head, d_out, outRow, 4, v, 4, kv_row, 0, scratch, stride, 0);
    for (let i = 0; i < tq; i++) softmaxGradient(probs + i * stride, scratch + i * stride, tk, factor);
    f32_gemm(tq, d_head, tk, scratch, stride, 4, k, kv_row, 4, 0, d_q, q_row, 1);
    f32_gemm(tk, d_head, tq, scratch, 4, stride, q, q_row, 4, 0, d_k, kv_row, 1);
    q += headBytes;
    k += headBytes;
    v += headBytes;
    d_q += headBytes;
    d_k += headBytes;
    d_v += headBytes;
    d_out += headBytes;
    probs += tq * stride;
  }
}

/** Bytes of a row of probabilities, whole vectors. */
function probsStride(tk: i32): usize {
  return (<usize>((tk + 3) & ~3)) << 2;
}

/** The first `seen` of tk scores become probabilities, all behind them zeros. */
function softmaxRow(row: usize, seen: i32, tk: i32, factor: f32): void {
  const end = row + probsStride(tk);
  const seenEnd = row + ((<usize>seen) << 2);
  for (let p = seenEnd; p < end; p += 4) store<f32>(p, -Infinity);
  let most = f32x4.splat(-Infinity);
  for (let p = row; p < end; p += 16) most = f32x4.pmax(most, v128.load(p));
  const top = f32x4.splat(maxLanes(most));
  const scale = f32x4.splat(factor);
  let sum = f32x4.splat(0);
  for (let p = row; p < end; p += 16) {
    const e = exp(f32x4.mul(f32x4.sub(v128.load(p), top), scale));
    v128.store(p, e);
    sum = f32x4.add(sum, e);
  }
  const inverse = f32x4.splat(<f32>1 / sumLanes(sum));
  for (let p = row; p < end; p += 16) v128.store(p, f32x4.mul(v128.load(p), inverse));
}

/** g = factor · p ∘ (g − Σ p ∘ g) */
function softmaxGradient(p: usize, g: usize, tk: i32, factor: f32): void {
  const end = p + probsStride(tk);
  const tail = g + ((<usize>tk) << 2);
  for (let x = tail; x < g + (end - p); x += 4) store<f32>(x, 0);
  let sum = f32x4.splat(0);
  for (let x = p, y = g; x < end; x += 16, y += 16) sum = f32x4.relaxed_madd(v128.load(x), v128.load(y), sum);
  const mean = f32x4.splat(sumLanes(sum));
  const scale = f32x4.splat(factor);
  for (let x = p, y = g; x < end; x += 16, y += 16) {
    v128.store(y, f32x4.mul(f32x4.mul(v128.load(x), scale), f32x4.sub(v128.load(y), mean)));
  }
}

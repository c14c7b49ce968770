/** Training's element by element operations, forward and backward. Lengths are multiples of 4. */
import { exp } from "../exp";

/** y = max(x, 0) */
export function f32_relu(n: i32, x: usize, y: usize): void {
  const zero = f32x4.splat(0);
  for (const end = x + ((<usize>n) << 2); x < end; x += 16, y += 16) v128.store(y, f32x4.pmax(zero, v128.load(x)));
}

/** dx += dy where x > 0 */
export function f32_relu_backward(n: i32, x: usize, dy: usize, dx: usize): void {
  for (const end = x + ((<usize>n) << 2); x < end; x += 16, dy += 16, dx += 16) {
    const live = v128.and(v128.load(dy), f32x4.gt(v128.load(x), f32x4.splat(0)));
    v128.store(dx, f32x4.add(v128.load(dx), live));
  }
}

// GELU in its tanh form, written as x · sigmoid(2u) with u = SLOPE · (x + CUBE · x³), as ../tile.ts does.
const SLOPE: f32 = 0.7978845608028654; // sqrt(2/π)
const CUBE: f32 = 0.044715;

function gate(x: v128, square: v128): v128 {
  const u2 = f32x4.mul(x, f32x4.relaxed_madd(f32x4.splat(-2 * SLOPE * CUBE), square, f32x4.splat(-2 * SLOPE)));
  return f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), exp(f32x4.pmin(f32x4.splat(88), u2))));
}

/** y = gelu(x) */
export function f32_gelu(n: i32, x: usize, y: usize): void {
  for (const end = x + ((<usize>n) << 2); x < end; x += 16, y += 16) {
    const v = v128.load(x);
    v128.store(y, f32x4.mul(v, gate(v, f32x4.mul(v, v))));
  }
}

/** dx += dy · gelu′(x), gelu′ = s + x · s · (1 − s) · 2u′ */
export function f32_gelu_backward(n: i32, x: usize, dy: usize, dx: usize): void {
  const one = f32x4.splat(1);
  for (const end = x + ((<usize>n) << 2); x < end; x += 16, dy += 16, dx += 16) {
    const v = v128.load(x);
    const square = f32x4.mul(v, v);
    const s = gate(v, square);
    const slope = f32x4.relaxed_madd(f32x4.splat(6 * SLOPE * CUBE), square, f32x4.splat(2 * SLOPE));
    const inner = f32x4.mul(f32x4.mul(v, s), f32x4.mul(f32x4.sub(one, s), slope));
    v128.store(dx, f32x4.relaxed_madd(v128.load(dy), f32x4.add(s, inner), v128.load(dx)));
  }
}

/**
 * y += keep(i) · x / (1 − rate). An element is kept if a hash of its index and the seed says so (two rounds of multiply
 * and xor-shift as in MurmurHash3's finalizer), so the backward pass is the same call and no mask is stored.
 * @param keep_below of 2²⁴: (1 − rate) · 2²⁴
 */
export function f32_dropout_add(n: i32, x: usize, seed: i32, keep_below: i32, y: usize): void {
  const below = i32x4.splat(keep_below);
  const scale = f32x4.splat(<f32>16777216.0 / <f32>keep_below);
  let index = i32x4.add(i32x4(0, 1, 2, 3), i32x4.splat(seed));
  for (const end = x + ((<usize>n) << 2); x < end; x += 16, y += 16) {
    let h = i32x4.mul(index, i32x4.splat(<i32>0x85ebca6b));
    h = v128.xor(h, i32x4.shr_u(h, 13));
    h = i32x4.mul(h, i32x4.splat(<i32>0xc2b2ae35));
    h = i32x4.shr_u(v128.xor(h, i32x4.shr_u(h, 16)), 8);
    const kept = v128.and(f32x4.mul(v128.load(x), scale), i32x4.lt_s(h, below));
    v128.store(y, f32x4.add(v128.load(y), kept));
    index = i32x4.add(index, i32x4.splat(4));
  }
}

/** y += factor · x */
export function f32_axpy(n: i32, factor: f32, x: usize, y: usize): void {
  const f = f32x4.splat(factor);
  for (const end = x + ((<usize>n) << 2); x < end; x += 16, y += 16) {
    v128.store(y, f32x4.relaxed_madd(f, v128.load(x), v128.load(y)));
  }
}

/** sums[n] += Σ_m x[m, n]; n any number */
export function f32_add_rows(m: i32, n: i32, x: usize, sums: usize): void {
  const whole = (<usize>(n & ~3)) << 2;
  const bytes = (<usize>n) << 2;
  for (let row = 0; row < m; row++, x += bytes) {
    for (let i: usize = 0; i < whole; i += 16) {
      v128.store(sums + i, f32x4.add(v128.load(sums + i), v128.load(x + i)));
    }
    for (let i = whole; i < bytes; i += 4) store<f32>(sums + i, load<f32>(sums + i) + load<f32>(x + i));
  }
}

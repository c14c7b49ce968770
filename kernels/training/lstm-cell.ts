/** The backward pass of ../f32-lstm-cell.ts, which is the forward pass here, too. */
import { sigmoid, tanh } from "../f32-lstm-cell";

/**
 * @param m rows
 * @param k elements of a state, a multiple of 4
 * @param gates [m, 4, k] f32, in: pre-activations of input gate, forget gate, candidate and output gate
 * @param before [m, k] f32, in: c before the step
 * @param c [m, k] f32, in: c after it
 * @param dh [m, k] f32, in: the gradient of h after the step
 * @param dc [m, k] f32, in: the gradient of c after the step, out: before it
 * @param dgates [m, 4, k] f32, out
 */
export function f32_lstm_cell_backward(
  m: i32,
  k: i32,
  gates: usize,
  before: usize,
  c: usize,
  dh: usize,
  dc: usize,
  dgates: usize,
): void {
  const rowBytes = (<usize>k) << 2;
  const one = f32x4.splat(1);
  for (let row = 0; row < m; row++) {
    for (const end = c + rowBytes; c < end; c += 16) {
      const i = sigmoid(v128.load(gates));
      const f = sigmoid(v128.load(gates + rowBytes));
      const g = tanh(v128.load(gates + 2 * rowBytes));
      const o = sigmoid(v128.load(gates + 3 * rowBytes));
      const t = tanh(v128.load(c));
      const h = v128.load(dh);
      const cell = f32x4.add(v128.load(dc), f32x4.mul(f32x4.mul(h, o), f32x4.sub(one, f32x4.mul(t, t))));
      v128.store(dgates, f32x4.mul(f32x4.mul(cell, g), slope(i)));
      v128.store(dgates + rowBytes, f32x4.mul(f32x4.mul(cell, v128.load(before)), slope(f)));
      v128.store(dgates + 2 * rowBytes, f32x4.mul(f32x4.mul(cell, i), f32x4.sub(one, f32x4.mul(g, g))));
      v128.store(dgates + 3 * rowBytes, f32x4.mul(f32x4.mul(h, t), slope(o)));
      v128.store(dc, f32x4.mul(cell, f));
      gates += 16;
      before += 16;
      dh += 16;
      dc += 16;
      dgates += 16;
    }
    gates += 3 * rowBytes;
    dgates += 3 * rowBytes;
  }
}

/** The derivative of a sigmoid that is s: s · (1 − s) */
function slope(s: v128): v128 {
  return f32x4.mul(s, f32x4.sub(f32x4.splat(1), s));
}

/** The loss of training and its gradient, in one pass. */
import { exp, sumExp } from "../exp";
import { maxLanes, sumLanes } from "../lanes";

/**
 * Cross-entropy of one row of logits with label smoothing (Szegedy et al. 2015, arXiv:1512.00567).
 * @param n classes, any number
 * @param logits [n] f32, in; out: the gradient of the smoothed loss, softmax − (1 − s) · onehot − s / n
 * @param label 0…n − 1
 * @param smoothing s
 * @param losses [2] f32, out: smoothed and plain, nats
 */
export function f32_cross_entropy(n: i32, logits: usize, label: i32, smoothing: f32, losses: usize): void {
  const end = logits + ((<usize>n) << 2);
  const whole = logits + ((<usize>(n & ~3)) << 2);
  let most = f32x4.splat(-Infinity);
  let total = f32x4.splat(0);
  for (let p = logits; p < whole; p += 16) {
    most = f32x4.pmax(most, v128.load(p));
    total = f32x4.add(total, v128.load(p));
  }
  let top = maxLanes(most);
  let mean = sumLanes(total);
  for (let p = whole; p < end; p += 4) {
    top = max(top, load<f32>(p));
    mean += load<f32>(p);
  }
  mean /= <f32>n;
  const atLabel = logits + ((<usize>label) << 2);
  const labelLogit = load<f32>(atLabel);

  let sum = sumLanes(sumExp<i32>(logits, whole, f32x4.splat(top), f32x4.splat(0)));
  for (let p = whole; p < end; p += 4) {
    const e = f32x4.extract_lane(exp(f32x4.splat(load<f32>(p) - top)), 0);
    store<f32>(p, e);
    sum += e;
  }
  const logSum = top + <f32>Math.log(sum);
  const plain = logSum - labelLogit;
  store<f32>(losses, plain * (<f32>1 - smoothing) + (logSum - mean) * smoothing);
  store<f32>(losses, plain, 4);

  const inverse: f32 = <f32>1 / sum;
  const share: f32 = smoothing / <f32>n;
  for (let p = logits; p < whole; p += 16) {
    v128.store(p, f32x4.sub(f32x4.mul(v128.load(p), f32x4.splat(inverse)), f32x4.splat(share)));
  }
  for (let p = whole; p < end; p += 4) store<f32>(p, load<f32>(p) * inverse - share);
  store<f32>(atLabel, load<f32>(atLabel) - (<f32>1 - smoothing));
}

/**
 * AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with gradient clipping by global norm, over the flat parameter
 * array on the host. For models of this size one loop in the main thread costs less than the hundreds of small
 * kernels it would take on the device, and its whole state is two arrays.
 */
import type { Slice } from "./parameters.ts";

export interface AdamWOptions {
  beta1: number;
  beta2: number;
  eps: number;
  /** Decoupled, times the learning rate, on matrices only. */
  weightDecay: number;
  /** The gradient's L2 norm is scaled down to this. */
  maxNorm: number;
}

export class AdamW {
  /** First and second moment, as long as the parameters. */
  readonly m: Float32Array;
  readonly v: Float32Array;
  readonly #options: AdamWOptions;
  readonly #slices: Slice[];

  constructor(length: number, slices: Slice[], options: AdamWOptions) {
    this.m = new Float32Array(length);
    this.v = new Float32Array(length);
    this.#options = options;
    this.#slices = slices.filter((slice) => slice.trainable);
  }

  /**
   * One update in place.
   * @param gradients the replicas' sums; the mean gradient is their sum times `scale`
   * @param step counts from 1
   * @returns the norm of the mean gradient before clipping
   */
  update(
    parameters: Float32Array,
    gradients: Float32Array[],
    scale: number,
    learningRate: number,
    step: number,
  ): number {
    const { beta1, beta2, eps, weightDecay, maxNorm } = this.#options;
    const { m, v } = this;
    const total = gradients[0]!;
    let squares = 0;
    for (const { offset, length } of this.#slices) {
      for (let i = offset; i < offset + length; i++) {
        let g = total[i]!;
        for (let r = 1; r < gradients.length; r++) g += gradients[r]![i]!;
        g *= scale;
        total[i] = g;
        squares += g * g;
      }
    }
    const norm = Math.sqrt(squares);
    if (!Number.isFinite(norm)) return norm;
    const clip = norm > maxNorm ? maxNorm / norm : 1;
    const stepSize = (learningRate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step);
    for (const { offset, length, kind } of this.#slices) {
      const decay = kind === "matrix" ? 1 - learningRate * weightDecay : 1;
      for (let i = offset; i < offset + length; i++) {
        const g = total[i]! * clip;
        const mi = beta1 * m[i]! + (1 - beta1) * g;
        const vi = beta2 * v[i]! + (1 - beta2) * g * g;
        m[i] = mi;
        v[i] = vi;
        parameters[i] = parameters[i]! * decay - (stepSize * mi) / (Math.sqrt(vi) + eps);
      }
    }
    return norm;
  }
}

/**
 * The learning rate of a step: linear warm-up, constant, linear decay to zero over the last steps. As the constant
 * part does not depend on the total, a run can be made longer from any checkpoint before its decay (Hu et al. 2024,
 * arXiv:2404.06395, call it warmup-stable-decay).
 */
export function learningRateAt(
  step: number,
  {
    peak,
    warmupSteps,
    decaySteps,
    totalSteps,
  }: { peak: number; warmupSteps: number; decaySteps: number; totalSteps: number },
): number {
  const warmup = Math.min(1, step / Math.max(1, warmupSteps));
  const decay = Math.min(1, Math.max(0, totalSteps - step) / Math.max(1, decaySteps));
  return peak * Math.min(warmup, decay);
}

/** Compares a replica's gradients with finite differences. */
import { expect } from "vitest";
import type { HostBatch } from "../../scripts/training/batches.ts";
import type { Slice } from "../../scripts/training/parameters.ts";
import type { Replica } from "../../scripts/training/replica.ts";

/** @param slices the tensors to check; of each the element with the largest gradient, where rounding disturbs least */
export async function expectTrueGradients(
  replica: Replica,
  parameters: Float32Array,
  batch: HostBatch,
  slices: Slice[],
): Promise<void> {
  const gradients = new Float32Array(parameters.length);
  await replica.gradients(parameters, batch, 0, gradients);
  const idle = new Float32Array(parameters.length);
  const lossAt = async (index: number, value: number) => {
    const moved = parameters.slice();
    moved[index] = value;
    return (await replica.gradients(moved, batch, 0, idle)).smoothedLoss;
  };
  for (const { name, offset, length, trainable } of slices) {
    let index = offset;
    for (let i = offset; i < offset + length; i++) {
      if (Math.abs(gradients[i]!) > Math.abs(gradients[index]!)) index = i;
    }
    if (!trainable) {
      expect(gradients[index], name).toBe(0);
      continue;
    }
    const step = 2e-3;
    const value = parameters[index]!;
    const expected = ((await lossAt(index, value + step)) - (await lossAt(index, value - step))) / (2 * step);
    const message = `${name}: ${gradients[index]} for ${expected}`;
    expect(Math.abs(gradients[index]! - expected), message).toBeLessThan(0.02 * Math.abs(expected) + 0.05);
  }
}

/** Moves biases, norms and vectors of n-grams away from 0 and 1, so that a missing one shows. */
export function disturb(parameters: Float32Array, slices: Slice[], uniform: () => number): void {
  for (const { name, kind, offset, length } of slices) {
    if ((kind === "matrix" && name !== "n_grams.weight") || kind === "positions" || kind === "n_grams") continue;
    for (let i = offset; i < offset + length; i++) parameters[i]! += uniform() - 0.5;
  }
}

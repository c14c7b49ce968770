import { beforeAll, expect, test } from "vitest";
import { type BatchShape, epochBatches, type HostBatch, type TokenPair } from "../../scripts/training/batches.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { uniformStream } from "../../scripts/training/random.ts";
import { Replica } from "../../scripts/training/replica.ts";
import { reversals, TINY } from "./tiny.ts";

const shape: BatchShape = { rows: 2, sourceLength: 16, targetLength: 16 };
const slices = parameterSlices(TINY);
const parameters = new Float32Array(parameterCount(slices));
let replica: Replica;

beforeAll(async () => {
  initializeParameters(parameters, slices, TINY, 3);
  // Biases and norms away from 0 and 1, so that a missing one shows.
  const uniform = uniformStream(9);
  for (const { kind, offset, length } of slices) {
    if (kind === "matrix" || kind === "positions") continue;
    for (let i = offset; i < offset + length; i++) parameters[i]! += uniform() - 0.5;
  }
  replica = await Replica.create({
    device: "wasm",
    config: TINY,
    shape,
    regularization: { dropout: 0, labelSmoothing: 0.1 },
  });
});

function onlyBatch(pairs: TokenPair[]): HostBatch {
  const groups = [...epochBatches(pairs, shape, TINY, 1, 1)];
  expect(groups).toHaveLength(1);
  return groups[0]![0]!;
}

test("sentences that share a row do not see each other", async () => {
  const pairs = reversals(6, 11, 4);
  const together = await replica.loss(parameters, onlyBatch(pairs));
  let alone = 0;
  for (const pair of pairs) alone += (await replica.loss(parameters, onlyBatch([pair]))).loss;
  expect(together.tokens).toBe(pairs.reduce((sum, { target }) => sum + target.length + 1, 0));
  expect(together.loss).toBeCloseTo(alone, 3);
});

test("the decoder does not see what it has to predict", async () => {
  const batch = onlyBatch(reversals(1, 12));
  const first = batch.targetSegment.indexOf(1);
  // Every position stays in the segment, and only the first label counts: its loss is a difference of two sums.
  const lossAfter = async (secondInput: number) => {
    const target = batch.target.slice();
    target[first + 1] = secondInput;
    const onlyFirst = batch.targetSegment.map((segment, i) => (i > first ? 0 : segment));
    const visible = await replica.loss(parameters, { ...batch, target });
    const hidden = await replica.loss(parameters, { ...batch, target, targetSegment: onlyFirst });
    return { visible: visible.loss, first: hidden.loss };
  };
  const [one, other] = [await lossAfter(4), await lossAfter(5)];
  expect(one.first).toBe(other.first);
  expect(one.visible).not.toBe(other.visible);
});

test("gradients agree with finite differences", async () => {
  const batch = onlyBatch(reversals(4, 13));
  const gradients = new Float32Array(parameters.length);
  await replica.gradients(parameters, batch, 0, gradients);
  const smoothedAt = async (index: number, value: number) => {
    const moved = parameters.slice();
    moved[index] = value;
    return (await replica.gradients(moved, batch, 0, new Float32Array(parameters.length))).smoothedLoss;
  };
  for (const { name, offset, length, trainable } of slices) {
    const slice = gradients.subarray(offset, offset + length);
    if (!trainable) {
      expect(
        slice.every((g) => g === 0),
        name,
      ).toBe(true);
      continue;
    }
    // The element with the largest gradient of each tensor: there rounding disturbs the difference least.
    let index = offset;
    for (let i = offset; i < offset + length; i++) if (Math.abs(gradients[i]!) > Math.abs(gradients[index]!)) index = i;
    const step = 2e-3;
    const difference =
      (await smoothedAt(index, parameters[index]! + step)) - (await smoothedAt(index, parameters[index]! - step));
    const expected = difference / (2 * step);
    expect(Math.abs(gradients[index]! - expected), `${name}: ${gradients[index]} for ${expected}`).toBeLessThan(
      0.02 * Math.abs(expected) + 0.05,
    );
  }
});

test("dropout follows from its seed", async () => {
  const dropped = await Replica.create({
    device: "wasm",
    config: TINY,
    shape,
    regularization: { dropout: 0.3, labelSmoothing: 0.1 },
  });
  const batch = onlyBatch(reversals(4, 14));
  const gradients = new Float32Array(parameters.length);
  const loss = async (seed: number) => (await dropped.gradients(parameters, batch, seed, gradients)).smoothedLoss;
  expect(await loss(1)).toBe(await loss(1));
  expect(await loss(1)).not.toBe(await loss(2));
  // Without dropout at evaluation.
  expect((await dropped.loss(parameters, batch)).loss).toBe((await replica.loss(parameters, batch)).loss);
});

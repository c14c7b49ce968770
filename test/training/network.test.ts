import { beforeAll, describe, expect, test } from "vitest";
import type { HostBatch } from "../../scripts/training/batches.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { uniformStream } from "../../scripts/training/random.ts";
import type { Replica } from "../../scripts/training/replica.ts";
import { createReplica } from "../../scripts/training/replicas.ts";
import { type PairShape, type TokenPair, translationBatches } from "../../scripts/training/translation-batches.ts";
import { disturb, expectTrueGradients } from "./gradients.ts";
import { reversals, TINY } from "./tiny.ts";

const shape: PairShape = { rows: 2, sourceLength: 16, targetLength: 16 };
const slices = parameterSlices(TINY);
const parameters = new Float32Array(parameterCount(slices));
function onlyBatch(pairs: TokenPair[]): HostBatch {
  const groups = [...translationBatches(pairs, shape, TINY, 1, 1)];
  expect(groups).toHaveLength(1);
  return groups[0]![0]!;
}

describe.each(["cpu", "wasm"] as const)("on %s", (device) => {
  let replica: Replica;

  beforeAll(async () => {
    initializeParameters(parameters, slices, TINY, 3);
    disturb(parameters, slices, uniformStream(9));
    replica = await createReplica({
      device,
      objective: { kind: "translation", config: TINY },
      regularization: { dropout: 0, labelSmoothing: 0.1 },
    });
  });

  test("sentences that share a row do not see each other", async () => {
    const pairs = reversals(6, 11, 4);
    const together = await replica.loss(parameters, onlyBatch(pairs));
    let alone = 0;
    for (const pair of pairs) alone += (await replica.loss(parameters, onlyBatch([pair]))).loss;
    expect(together.count).toBe(pairs.reduce((sum, { target }) => sum + target.length + 1, 0));
    expect(together.loss).toBeCloseTo(alone, 3);
  });

  test("the decoder does not see what it has to predict", async () => {
    const batch = onlyBatch(reversals(1, 12));
    const { target, targetSegment } = batch.arrays as Required<HostBatch["arrays"]>;
    const first = targetSegment!.data.indexOf(1);
    const withArrays = (arrays: HostBatch["arrays"]) => ({ ...batch, arrays: { ...batch.arrays, ...arrays } });
    // Every input stays where it is; without its segment a position no longer counts.
    const lossAfter = async (secondInput: number) => {
      const changed = { shape: target!.shape, data: target!.data.slice() };
      changed.data[first + 1] = secondInput;
      const onlyFirst = { ...targetSegment!, data: targetSegment!.data.map((s, i) => (i > first ? 0 : s)) };
      const all = await replica.loss(parameters, withArrays({ target: changed }));
      const one = await replica.loss(parameters, withArrays({ target: changed, targetSegment: onlyFirst }));
      return { all: all.loss, first: one.loss };
    };
    const [one, other] = [await lossAfter(4), await lossAfter(5)];
    expect(one.first).toBe(other.first);
    expect(one.all).not.toBe(other.all);
  });

  test("gradients agree with finite differences", async () => {
    await expectTrueGradients(replica, parameters, onlyBatch(reversals(4, 13)), slices);
  });

  test("dropout follows from its seed", async () => {
    const dropped = await createReplica({
      device,
      objective: { kind: "translation", config: TINY },
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
});

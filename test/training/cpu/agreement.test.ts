/** Our own forward and backward pass beside jax-js's, which differentiates the same network by itself. */
import { expect, test } from "vitest";
import type { HostBatch } from "../../../scripts/training/batches.ts";
import { nextItemBatches } from "../../../scripts/training/item-batches.ts";
import { lstmBatches } from "../../../scripts/training/lstm-batches.ts";
import type { Objective } from "../../../scripts/training/objectives.ts";
import { pairBatches } from "../../../scripts/training/pair-batches.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../../scripts/training/parameters.ts";
import { uniformStream } from "../../../scripts/training/random.ts";
import { createReplica } from "../../../scripts/training/replicas.ts";
import { spanBatches } from "../../../scripts/training/span-batches.ts";
import { classificationBatches, maskedBatches } from "../../../scripts/training/text-batches.ts";
import { translationBatches } from "../../../scripts/training/translation-batches.ts";
import { NGrams } from "../../../worker/model/n-grams.ts";
import { disturb } from "../gradients.ts";
import {
  circles,
  countedTexts,
  numberedPairs,
  reversals,
  soughtWords,
  TINY,
  TINY_CLASSIFIER,
  TINY_EMBEDDER,
  TINY_LSTM,
  TINY_N_GRAM_CLASSIFIER,
  TINY_N_GRAMS,
  TINY_READER,
  TINY_RECOMMENDER,
} from "../tiny.ts";

const texts = { rows: 3, length: 40, slots: 5 };
const pairs = { rows: 3, sourceLength: 20, targetLength: 24 };

const cases: { objective: Objective; batch: HostBatch }[] = [
  {
    objective: { kind: "translation", config: TINY },
    batch: [...translationBatches(reversals(9, 21, 5), pairs, TINY, 1, 1)][0]![0]!,
  },
  {
    objective: { kind: "translation", config: { ...TINY, activation: "gelu" } },
    batch: [...translationBatches(reversals(3, 22, 15), pairs, TINY, 1, 1)][0]![0]!,
  },
  {
    objective: { kind: "classification", config: TINY_CLASSIFIER },
    batch: [...classificationBatches(countedTexts(11, 23, 7), texts, TINY_CLASSIFIER, 1, 1)][0]![0]!,
  },
  {
    objective: { kind: "classification", config: TINY_N_GRAM_CLASSIFIER },
    batch: [
      ...classificationBatches(
        countedTexts(60, 27, 7),
        { rows: 8, length: 40, slots: 8 },
        TINY_N_GRAM_CLASSIFIER,
        1,
        1,
        { nGrams: new NGrams(TINY_N_GRAMS, TINY_CLASSIFIER.vocab_size) },
      ),
    ][0]![0]!,
  },
  {
    objective: { kind: "masked-tokens", config: TINY_CLASSIFIER },
    batch: [...maskedBatches(countedTexts(11, 24, 7), texts, TINY_CLASSIFIER, 4, 1)][0]![0]!,
  },
  {
    objective: { kind: "question-answering", config: TINY_READER },
    batch: [...spanBatches(soughtWords(7, 26), texts, TINY_READER, 1, 1)][0]![0]!,
  },
  {
    objective: { kind: "classification", config: TINY_LSTM },
    batch: [...lstmBatches(countedTexts(11, 25, 11), { rows: 12, length: 12, slots: 1 }, TINY_LSTM, 1, 1)][0]![0]!,
  },
  {
    objective: { kind: "embedding", config: TINY_EMBEDDER, slots: 6 },
    batch: [...pairBatches([numberedPairs(8, 26)], { ...texts, slots: 6 }, TINY_EMBEDDER, 1, 1)][0]![0]!,
  },
  {
    objective: { kind: "next-item", config: TINY_RECOMMENDER },
    // More positions than the product of the output takes at a time.
    batch: [...nextItemBatches(circles(40, 26), { rows: 25, length: 10 }, 1, 1)][0]![0]!,
  },
];

test.each(cases)(
  "losses and gradients of $objective.config.model_type, $objective.kind, are jax-js's",
  async ({ objective, batch }) => {
    const slices = parameterSlices(objective.config);
    const parameters = new Float32Array(parameterCount(slices));
    initializeParameters(parameters, slices, objective.config, 5);
    disturb(parameters, slices, uniformStream(6));
    const [ours, jax] = await Promise.all(
      (["cpu", "wasm"] as const).map(async (device) => {
        const replica = await createReplica({ device, objective, regularization: { dropout: 0, labelSmoothing: 0.1 } });
        const gradients = new Float32Array(parameters.length);
        return { gradients, result: await replica.gradients(parameters, batch, 0, gradients) };
      }),
    );
    expect(ours!.result.count).toBe(jax!.result.count);
    expect(ours!.result.loss / jax!.result.loss).toBeCloseTo(1, 4);
    expect(ours!.result.smoothedLoss / jax!.result.smoothedLoss).toBeCloseTo(1, 4);
    for (const { name, offset, length } of slices) {
      const [a, b] = [ours!, jax!].map(({ gradients }) => gradients.subarray(offset, offset + length));
      const difference = Math.hypot(...a!.map((value, i) => value - b![i]!));
      expect(difference, name).toBeLessThan(2e-4 * Math.hypot(...b!) + 1e-4);
    }
  },
);

test("an empty batch has no loss and no gradient", async () => {
  const {
    objective,
    batch: { arrays },
  } = cases[2]!;
  const empty = Object.entries(arrays).map(([name, { shape, data }]) => {
    return [name, { shape, data: data.map(() => (name === "label" || name === "head" ? -1 : 0)) }] as const;
  });
  const replica = await createReplica({
    device: "cpu",
    objective,
    regularization: { dropout: 0.1, labelSmoothing: 0.1 },
  });
  const slices = parameterSlices(objective.config);
  const gradients = new Float32Array(parameterCount(slices)).fill(7);
  const batch: HostBatch = { arrays: Object.fromEntries(empty), count: 0, tokens: 0 };
  const result = await replica.gradients(new Float32Array(gradients.length), batch, 1, gradients);
  expect(result).toEqual({ smoothedLoss: 0, loss: 0, count: 0 });
  for (const { trainable, offset, length } of slices) {
    if (trainable) expect(gradients.subarray(offset, offset + length).every((g) => g === 0)).toBe(true);
  }
});

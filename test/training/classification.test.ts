import { beforeAll, describe, expect, test } from "vitest";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { uniformStream } from "../../scripts/training/random.ts";
import { createReplica } from "../../scripts/training/replicas.ts";
import { draw, shares } from "../../scripts/training/sampling.ts";
import { classificationBatches, type LabelledTokens, maskedBatches } from "../../scripts/training/text-batches.ts";
import { allWindows, randomWindows } from "../../scripts/training/texts.ts";
import { disturb, expectTrueGradients } from "./gradients.ts";
import { TINY_CLASSIFIER as config, countedTexts } from "./tiny.ts";

const shape = { rows: 2, length: 24, slots: 4 };
const slices = parameterSlices(config);
const parameters = new Float32Array(parameterCount(slices));
const regularization = { dropout: 0, labelSmoothing: 0.1 };

beforeAll(() => {
  initializeParameters(parameters, slices, config, 3);
  disturb(parameters, slices, uniformStream(9));
});

const onlyBatch = (texts: LabelledTokens[]) => [...classificationBatches(texts, shape, config, 1, 1)][0]![0]!;

describe.each(["cpu", "wasm"] as const)("on %s", (device) => {
  test("texts that share a row are classified as if alone", async () => {
    const replica = await createReplica({
      device,
      objective: { kind: "classification", config },
      regularization,
    });
    const texts = countedTexts(7, 5, 4);
    const together = await replica.loss(parameters, onlyBatch(texts));
    let alone = 0;
    for (const text of texts) alone += (await replica.loss(parameters, onlyBatch([text]))).loss;
    expect(together.count).toBe(7);
    expect(together.loss).toBeCloseTo(alone, 3);
  });

  test("a text's loss is over the labels of its own head", async () => {
    const replica = await createReplica({
      device,
      objective: { kind: "classification", config },
      regularization: { dropout: 0, labelSmoothing: 0 },
    });
    const [text] = countedTexts(1, 6) as [LabelledTokens];
    const probability = async (head: number, label: number) =>
      Math.exp(-(await replica.loss(parameters, onlyBatch([{ ...text, head, label }]))).loss);
    for (const [head, { labels }] of config.heads.entries()) {
      let sum = 0;
      for (const label of labels.keys()) sum += await probability(head, label);
      expect(sum).toBeCloseTo(1, 5);
    }
  });

  test("gradients of classification agree with finite differences", async () => {
    const replica = await createReplica({
      device,
      objective: { kind: "classification", config },
      regularization,
    });
    await expectTrueGradients(replica, parameters, onlyBatch(countedTexts(6, 7, 4)), slices);
  });

  test("gradients of pre-training agree with finite differences", async () => {
    const replica = await createReplica({
      device,
      objective: { kind: "masked-tokens", config },
      regularization,
    });
    const texts = countedTexts(8, 8, 5);
    const batch = [...maskedBatches(texts, shape, config, 4, 1)][0]![0]!;
    expect(batch.count).toBeGreaterThan(0);
    await expectTrueGradients(replica, parameters, batch, slices);
  });
});

test("hidden tokens are named by their place", () => {
  const texts = countedTexts(400, 9, 5);
  let hidden = 0;
  let unchanged = 0;
  let masked = 0;
  let words = 0;
  for (const [{ arrays }] of maskedBatches(texts, shape, config, 4, 1) as Iterable<
    [{ arrays: Record<string, { data: Int32Array }> }]
  >) {
    const { source, sourceSegment, place, label } = arrays as Record<
      "source" | "sourceSegment" | "place" | "label",
      { data: Int32Array }
    >;
    words += source.data.filter((token, i) => sourceSegment.data[i]! > 0 && token !== config.eos_token_id).length;
    for (const [i, token] of label.data.entries()) {
      if (token < 0) continue;
      hidden++;
      const now = source.data[place.data[i]!]!;
      expect(sourceSegment.data[place.data[i]!]).toBeGreaterThan(0);
      if (now === config.pad_token_id) masked++;
      if (now === token) unchanged++;
    }
  }
  expect(hidden / words).toBeGreaterThan(0.1);
  expect(hidden / words).toBeLessThan(0.2);
  expect(masked / hidden).toBeGreaterThan(0.7);
  expect(unchanged / hidden).toBeLessThan(0.25);
});

test("heads share an epoch by the power of their size", () => {
  expect(shares([100, 10_000], 1, 1010)).toEqual([10, 1000]);
  expect(shares([100, 10_000], 0.5, 1100)).toEqual([100, 1000]);
  expect(shares([100, 10_000], 0, 10)).toEqual([5, 5]);
});

test("a draw takes every item equally often before it takes one twice", () => {
  const items = [..."abcde"];
  expect(draw(items, 5, 1).sort()).toEqual(items);
  const twelve = draw(items, 12, 1);
  for (const item of items) expect(twelve.filter((x) => x === item).length).toBeGreaterThanOrEqual(2);
  expect(new Set(draw(items, 3, 2)).size).toBe(3);
  expect(draw(items, 3, 2)).toEqual(draw(items, 3, 2));
});

test("windows", () => {
  const tokens = [...Array(10).keys()];
  expect(allWindows(tokens, 4)).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ]);
  const [window] = randomWindows([{ tokens }], 4, 3);
  expect(window!.tokens).toHaveLength(4);
  expect(tokens.slice(window!.tokens[0]!, window!.tokens[0]! + 4)).toEqual(window!.tokens);
  expect(randomWindows([{ tokens }], 10, 3)[0]!.tokens).toEqual(tokens);
});

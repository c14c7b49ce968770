/** Long short-term memories in training: batches, gradients, and the same arithmetic as the engine's. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { quantizeModel } from "../../scripts/export/quantize.ts";
import { FloatClassifier } from "../../scripts/float/classifier.ts";
import { loadKernels } from "../../scripts/kernels.ts";
import { writeCheckpoint } from "../../scripts/training/checkpoint.ts";
import { lstmBatches, lstmSteps } from "../../scripts/training/lstm-batches.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { uniformStream } from "../../scripts/training/random.ts";
import { createReplica } from "../../scripts/training/replicas.ts";
import type { LabelledTokens } from "../../scripts/training/text-batches.ts";
import { classify } from "../../worker/engine/heads.ts";
import { loadClassifier } from "../../worker/engine/load.ts";
import { disturb, expectTrueGradients } from "./gradients.ts";
import { TINY_LSTM as config, countedTexts } from "./tiny.ts";

const shape = { rows: 8, length: 12, slots: 1 };
const slices = parameterSlices(config);
const parameters = new Float32Array(parameterCount(slices));
const replicaOf = (labelSmoothing: number, device: "cpu" | "wasm" = "wasm") =>
  createReplica({
    device,
    objective: { kind: "classification", config },
    regularization: { dropout: 0, labelSmoothing },
  });

beforeAll(() => {
  initializeParameters(parameters, slices, config, 3);
  disturb(parameters, slices, uniformStream(9));
});

const onlyBatch = (texts: LabelledTokens[]) => [...lstmBatches(texts, shape, config, 1, 1)][0]![0]!;

test("a forget gate begins open", () => {
  const fresh = new Float32Array(parameters.length);
  initializeParameters(fresh, slices, config, 3);
  const { offset, length } = slices.find(({ name }) => name === "decoder.input.bias")!;
  const bias = fresh.subarray(offset, offset + length);
  expect([...bias].map((value, i) => value === Number(i >= length / 4 && i < length / 2)).every(Boolean)).toBe(true);
});

test.each(["cpu", "wasm"] as const)("texts that share a batch are classified as if alone, %s", async (device) => {
  const replica = await replicaOf(0.1, device);
  const texts = countedTexts(7, 5, 11);
  const together = await replica.loss(parameters, onlyBatch(texts));
  let alone = 0;
  for (const text of texts) alone += (await replica.loss(parameters, onlyBatch([text]))).loss;
  expect(together.count).toBe(7);
  expect(together.loss).toBeCloseTo(alone, 3);
});

test.each(["cpu", "wasm"] as const)("gradients agree with finite differences, %s", async (device) => {
  await expectTrueGradients(await replicaOf(0.1, device), parameters, onlyBatch(countedTexts(8, 7, 8)), slices);
});

test("the engine says what was trained, within the error of quantization", async () => {
  const replica = await replicaOf(0);
  const directory = await mkdtemp(join(tmpdir(), "edge-slm-lstm-"));
  const checkpoint = join(directory, "best.safetensors");
  const progress = { step: 0, epoch: 0, group: 0, bestScore: 0, bestStep: 0, elapsedS: 0 };
  await writeCheckpoint(checkpoint, config, parameters, progress);
  const float = await FloatClassifier.load([checkpoint], config);
  await rm(directory, { recursive: true });
  const { file } = quantizeModel(config, parameters);
  const engine = await loadClassifier(config, new Blob([file]).stream(), await loadKernels());
  const texts = countedTexts(12, 4, 11);
  const tokens = texts.map((text) => text.tokens);
  const answers = await classify(engine, tokens);
  const floats = await float.classify(tokens, [0, 1]);
  let decided = 0;
  for (const [i, text] of texts.entries()) {
    const { loss } = await replica.loss(parameters, onlyBatch([text]));
    expect(floats[i]![text.head]![text.label]).toBeCloseTo(-loss, 4);
    const said = answers[i]![text.head]!;
    expect(Math.abs(Math.exp(said[text.label]!) - Math.exp(-loss))).toBeLessThan(0.01);
    decided = Math.max(decided, Math.abs(Math.exp(said[text.label]!) - 1 / said.length));
  }
  // Labels as likely as one another would prove nothing.
  expect(decided).toBeGreaterThan(0.1);
});

test("an epoch's batches hold every text once, in the shortest bucket that it fits into", () => {
  const texts = countedTexts(300, 3, 39).map((text, label) => ({ ...text, head: 0, label }));
  const wide = { rows: 8, length: 40, slots: 1 };
  const groups = [...lstmBatches(texts, wide, config, 5, 2)];
  expect(groups).toHaveLength(lstmSteps(texts, wide, 2));
  const seen: number[] = [];
  for (const batch of groups.flat()) {
    const { source, length, label } = batch.arrays as Required<typeof batch.arrays>;
    const [steps, rows] = source!.shape as [number, number];
    expect([16, 32, 40]).toContain(steps);
    for (let row = 0; row < rows; row++) {
      const tokens = length!.data[row]!;
      if (tokens === 0) continue;
      const text = texts[label!.data[row]!]!;
      const column = Array.from({ length: tokens }, (_, t) => source!.data[t * rows + row]);
      expect(column).toEqual([...text.tokens, config.eos_token_id]);
      expect(tokens).toBeGreaterThan(steps === 16 ? 0 : steps === 32 ? 16 : 32);
      seen.push(label!.data[row]!);
    }
  }
  expect(seen.sort((a, b) => a - b)).toEqual([...texts.keys()]);
  expect(() => lstmSteps([{ tokens: new Array<number>(40).fill(3) }], wide, 2)).toThrow(
    "expected fewer than 40 tokens",
  );
});

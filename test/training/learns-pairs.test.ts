/** Contrastive training end to end on the CPU: texts of one group come together, those of others part. */
import { expect, test } from "vitest";
import { quantizeModel } from "../../scripts/export/quantize.ts";
import { embedAll, nearest } from "../../scripts/metrics/retrieval.ts";
import { AdamW } from "../../scripts/training/optimizer.ts";
import { cutPair, pairBatches } from "../../scripts/training/pair-batches.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { createReplica } from "../../scripts/training/replicas.ts";
import { loadEmbedder } from "../../worker/engine/load.ts";
import { kernelsOf } from "../engine/models.ts";
import { numberedPairs, TINY_EMBEDDER } from "./tiny.ts";

const SLOTS = 8;
const shape = { rows: 8, length: 40, slots: SLOTS };

test("the nearest text becomes one of the same group", async () => {
  const slices = parameterSlices(TINY_EMBEDDER);
  const parameters = new Float32Array(parameterCount(slices));
  initializeParameters(parameters, slices, TINY_EMBEDDER, 3);
  const recall = async () => {
    const { file } = quantizeModel(TINY_EMBEDDER, parameters);
    const model = await loadEmbedder(TINY_EMBEDDER, new Blob([file]).stream(), kernelsOf("relaxed"));
    const pairs = numberedPairs(100, 99);
    const [queries, documents] = [pairs.map(({ first }) => first), numberedPairs(100, 98)];
    const found = nearest(
      await embedAll(model, queries),
      await embedAll(
        model,
        documents.map(({ first }) => first),
      ),
    );
    return found.filter((document, i) => documents[document]!.group === pairs[i]!.group).length;
  };
  const replica = await createReplica({
    device: "cpu",
    objective: { kind: "embedding", config: TINY_EMBEDDER, slots: SLOTS },
    regularization: { dropout: 0.1, labelSmoothing: 0 },
  });
  const optimizer = new AdamW(parameters.length, slices, {
    beta1: 0.9,
    beta2: 0.98,
    eps: 1e-9,
    weightDecay: 0.01,
    maxNorm: 1,
  });
  const gradients = new Float32Array(parameters.length);
  const before = await recall();
  let step = 0;
  for (let epoch = 0; epoch < 6; epoch++) {
    for (const [batch] of pairBatches([numberedPairs(200, epoch)], shape, TINY_EMBEDDER, epoch, 1)) {
      const { count } = await replica.gradients(parameters, batch!, ++step, gradients);
      optimizer.update(parameters, [gradients], 1 / count, 5e-3, step);
    }
  }
  expect(await recall()).toBeGreaterThan(Math.max(before, 95));
});

test("a pair is cut to what a row holds", () => {
  const long = Array.from({ length: 100 }, (_, i) => i);
  const { first, second } = cutPair({ first: long, second: long, group: 0 }, 40);
  expect([first.length, second.length]).toEqual([18, 20]);
  expect(cutPair({ first: [1], second: long, group: 0 }, 40).second.length).toBe(37);
});

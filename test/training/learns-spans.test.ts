/** The whole street of question answering on a task small enough for a test: train, quantize, load, find spans. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { quantizeModel } from "../../scripts/export/quantize.ts";
import { loadKernels } from "../../scripts/kernels.ts";
import { createReplicas } from "../../scripts/training/replicas.ts";
import { spanBatches } from "../../scripts/training/span-batches.ts";
import { train } from "../../scripts/training/trainer.ts";
import { loadReader } from "../../worker/engine/load.ts";
import { readAll } from "../../worker/engine/reader.ts";
import { rankSpans } from "../../worker/engine/spans.ts";
import { soughtWords, TINY_READER, TINY_RECIPE } from "./tiny.ts";

test("a reader learns to find the word behind the one that is asked for, and that it is not there", async () => {
  const runDir = await mkdtemp(join(tmpdir(), "edge-slm-spans-"));
  const config = TINY_READER;
  const training = { ...TINY_RECIPE.training, warmupSteps: 20, peakLearningRate: 1e-2, evaluateEvery: 100, dropout: 0 };
  const replicas = await createReplicas(
    {
      device: "cpu",
      objective: { kind: "question-answering", config },
      regularization: { dropout: 0, labelSmoothing: 0 },
    },
    1,
  );
  const shape = { rows: 32, length: 40, slots: 6 };
  const batches = (count: number, seed: number) => spanBatches(soughtWords(count, seed), shape, config, seed, 1);
  let frozen: Float32Array | undefined;
  try {
    await train({
      training,
      config,
      task: {
        epoch: (epoch) => batches(2000, epoch),
        stepsPerEpoch: [...batches(2000, 0)].length,
        dev: () => batches(40, 98),
        score: async () => 0,
      },
      runDir,
      replicas,
      epochs: 8,
      frozen: ["embedding.weight"],
      initialize: (parameters) => {
        frozen = parameters.slice(0, config.vocab_size * config.d_model);
      },
    });
    expect(replicas.parameters.subarray(0, frozen!.length)).toEqual(frozen);

    const { file } = quantizeModel(config, replicas.parameters);
    const reader = await loadReader(config, new Blob([file]).stream(), await loadKernels());
    const examples = soughtWords(300, 99);
    const logits = await readAll(reader, examples);
    const right = examples.filter((example, i) => {
      const [best] = rankSpans([example], [logits[i]!], config, 1, new Set());
      const [gold] = example.golds;
      return gold
        ? best!.confidence > 0.5 && best!.first === gold[0] && best!.last === gold[1]
        : best!.confidence < 0.5;
    });
    // To say that there is nothing is right for a quarter.
    expect(right.length / examples.length).toBeGreaterThan(0.9);
  } finally {
    await replicas.close();
    await rm(runDir, { recursive: true, force: true });
  }
}, 120_000);

/** The whole street on a task small enough for a test: train, quantize, load, decode. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { quantizeModel } from "../../scripts/export/quantize.ts";
import { loadKernels } from "../../scripts/kernels.ts";
import { createReplicas } from "../../scripts/training/replicas.ts";
import { train } from "../../scripts/training/trainer.ts";
import { translationTask } from "../../scripts/training/translation-task.ts";
import { generate } from "../../worker/engine/generate.ts";
import { loadTransformer } from "../../worker/engine/load.ts";
import { reversals, TINY, TINY_RECIPE } from "./tiny.ts";

test("a network trained to turn sequences around does so in the Worker's engine", async () => {
  const runDir = await mkdtemp(join(tmpdir(), "edge-slm-learns-"));
  const training = { ...TINY_RECIPE.training, dropout: 0, warmupSteps: 20, peakLearningRate: 1e-2, evaluateEvery: 100 };
  const shape = { rows: 32, sourceLength: 24, targetLength: 24 };
  const replicas = await createReplicas(
    {
      device: "cpu",
      objective: { kind: "translation", config: TINY },
      regularization: { dropout: 0, labelSmoothing: 0.05 },
    },
    1,
  );
  try {
    // Fresh pairs in every epoch would be a better task for a network, and no better a test.
    await train({
      training,
      config: TINY,
      task: translationTask({
        config: TINY,
        shape,
        count: 1,
        train: reversals(3000, 1, 4),
        dev: reversals(20, 2, 4),
        seed: training.seed,
        score: async () => 0,
      }),
      runDir,
      replicas,
      epochs: 14,
    });
    const { file } = quantizeModel(TINY, replicas.parameters);
    const model = await loadTransformer(TINY, new Blob([file]).stream(), await loadKernels());
    const unseen = reversals(50, 3, 4);
    const hypotheses = await generate(
      model,
      unseen.map(({ source }) => source),
      { beamSize: 1 },
    );
    const right = unseen.filter(({ target }, i) => hypotheses[i]![0]!.tokens.join() === target.join()).length;
    expect(right).toBeGreaterThanOrEqual(45);
  } finally {
    await replicas.close();
    await rm(runDir, { recursive: true, force: true });
  }
}, 120_000);

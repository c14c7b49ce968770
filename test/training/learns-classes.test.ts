/** The whole street of classification on a task small enough for a test: train, quantize, load, classify. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { classificationTask } from "../../scripts/training/classification-task.ts";
import { createAccuracyScore } from "../../scripts/training/dev-score.ts";
import { createReplicas } from "../../scripts/training/replicas.ts";
import { train } from "../../scripts/training/trainer.ts";
import { countedTexts, TINY_CLASSIFIER, TINY_LSTM, TINY_RECIPE } from "./tiny.ts";

test.each([TINY_CLASSIFIER, TINY_LSTM])(
  "two heads learn their questions from one $model_type",
  async (config) => {
    const runDir = await mkdtemp(join(tmpdir(), "edge-slm-classes-"));
    const training = {
      ...TINY_RECIPE.training,
      warmupSteps: 20,
      peakLearningRate: 1e-2,
      evaluateEvery: 100,
      dropout: 0,
    };
    const replicas = await createReplicas(
      {
        device: "cpu",
        objective: { kind: "classification", config },
        regularization: { dropout: 0, labelSmoothing: 0 },
      },
      1,
    );
    const byHead = (count: number, seed: number) => {
      const texts = countedTexts(count, seed);
      return config.heads.map((_, head) => texts.filter((text) => text.head === head));
    };
    try {
      await train({
        training,
        config,
        task: classificationTask({
          config,
          shape: { rows: 32, length: 24, slots: 6 },
          count: 1,
          train: byHead(2000, 1),
          dev: byHead(40, 2),
          epochTexts: 2000,
          samplingExponent: 0.5,
          tokenDropout: 0,
          nGramDropout: 0,
          seed: training.seed,
          score: async () => 0,
        }),
        runDir,
        replicas,
        epochs: 8,
      });
      const score = await createAccuracyScore(config, byHead(400, 3));
      // Guessing gives 42 %.
      expect(await score(replicas.parameters)).toBeGreaterThan(90);
    } finally {
      await replicas.close();
      await rm(runDir, { recursive: true, force: true });
    }
  },
  120_000,
);

/** The whole street of recommendation on a pattern small enough for a test: train, quantize, load, rank. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createRankingScore } from "../../scripts/training/dev-score.ts";
import { type History, nextItemBatches } from "../../scripts/training/item-batches.ts";
import { recommendationTask } from "../../scripts/training/recommendation-task.ts";
import { createReplicas } from "../../scripts/training/replicas.ts";
import { train } from "../../scripts/training/trainer.ts";
import { circles, TINY_RECIPE, TINY_RECOMMENDER } from "./tiny.ts";

test("what comes next in a circle is learned, through what comes between", async () => {
  const config = TINY_RECOMMENDER;
  const runDir = await mkdtemp(join(tmpdir(), "edge-slm-items-"));
  const replicas = await createReplicas(
    { device: "cpu", objective: { kind: "next-item", config }, regularization: { dropout: 0, labelSmoothing: 0 } },
    1,
  );
  const training = { ...TINY_RECIPE.training, warmupSteps: 20, peakLearningRate: 1e-2, evaluateEvery: 100, dropout: 0 };
  // The circle's own item that is next; three of them are three different ones, which leaving out what was seen keeps.
  const questions = circles(300, 3)
    .map((history) => history.slice(-4))
    .filter((history) => history.at(-1)! < 10)
    .map((history) => ({ history, next: (history.at(-1)! + 3) % 10 }));
  try {
    await train({
      training,
      config,
      task: recommendationTask({
        config,
        shape: { rows: 16, length: config.max_seq_len },
        count: 1,
        train: circles(1500, 1),
        seed: training.seed,
        score: async () => 0,
      }),
      runDir,
      replicas,
      epochs: 6,
    });
    const score = await createRankingScore(config, questions);
    // Guessing gives 15 %: ten of the thirty items are listed.
    expect(await score(replicas.parameters)).toBeGreaterThan(95);
  } finally {
    await replicas.close();
    await rm(runDir, { recursive: true, force: true });
  }
}, 120_000);

test("a batch has each item after the first of its history once as a label, and positions from the latest back", () => {
  const histories: History[] = [
    [1, 2, 3],
    [4, 5],
    [6, 7, 8, 9, 10],
  ];
  const groups = [...nextItemBatches(histories, { rows: 1, length: 4 }, 1, 2)];
  const batches = groups.flat();
  const labels = batches.flatMap(({ arrays }) => [...arrays.label!.data].filter((label) => label >= 0));
  expect(labels.sort((a, b) => a - b)).toEqual([2, 3, 5, 7, 8, 9, 10]);
  expect(batches.reduce((sum, { count }) => sum + count, 0)).toBe(7);
  for (const { arrays } of batches) {
    const { source, sourceSegment, sourcePosition, label } = arrays;
    for (let i = 0; i < source!.data.length; i++) {
      if (sourceSegment!.data[i] === 0) continue;
      const history = histories.find((one) => one.includes(source!.data[i]!))!;
      const at = history.indexOf(source!.data[i]!);
      expect(label!.data[i]).toBe(history[at + 1]);
      expect(sourcePosition!.data[i]).toBe(history.length - 2 - at);
    }
  }
});

import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readCheckpoint } from "../../scripts/training/checkpoint.ts";
import { createReplicas } from "../../scripts/training/replicas.ts";
import { type DevMetrics, type StepMetrics, type TrainerOptions, train } from "../../scripts/training/trainer.ts";
import { translationTask } from "../../scripts/training/translation-task.ts";
import { reversals, TINY, TINY_RECIPE } from "./tiny.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-slm-trainer-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A run in its own folder, as a process of its own would do it. */
async function run(name: string, replicaCount: number, more: Partial<TrainerOptions> = {}) {
  const runDir = join(folder, name);
  await mkdir(runDir, { recursive: true });
  const training = more.training ?? TINY_RECIPE.training;
  const shape = { rows: 8 / replicaCount, sourceLength: 16, targetLength: 16 };
  const { dropout, labelSmoothing } = training;
  const replicas = await createReplicas(
    { device: "cpu", objective: { kind: "translation", config: TINY }, regularization: { dropout, labelSmoothing } },
    replicaCount,
  );
  try {
    return await train({
      training,
      config: TINY,
      task: translationTask({
        config: TINY,
        shape,
        count: replicaCount,
        train: reversals(80, 1),
        dev: reversals(10, 2),
        seed: training.seed,
        score: async (parameters) => 100 - Math.abs(parameters[0]!),
      }),
      runDir,
      replicas,
      epochs: training.epochs,
      ...more,
    });
  } finally {
    await replicas.close();
  }
}

/** What a run wrote, without what depends on the clock. */
async function metricsOf(name: string) {
  const lines = (await readFile(join(folder, name, "metrics.jsonl"), "utf8")).trim().split("\n");
  const rows = lines.map((line) => {
    const { tokens_per_s: _rate, elapsed_s: _elapsed, ...metrics } = JSON.parse(line) as StepMetrics & DevMetrics;
    return metrics;
  });
  return { steps: rows.filter(({ loss }) => loss !== undefined), evaluations: rows.filter((row) => "dev_loss" in row) };
}

test("a run that is stopped and started again has the loss curve of an unbroken one", async () => {
  await run("unbroken", 1);
  const expected = await metricsOf("unbroken");
  expect(expected.steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(expected.evaluations.map(({ epoch }) => epoch)).toEqual([1, 2]);

  for (const stopAfter of [3, 4, 6]) {
    const stop = new AbortController();
    const onStep = ({ step }: StepMetrics) => step >= stopAfter && stop.abort();
    const { step } = await run("broken", 1, { onStep, signal: stop.signal });
    expect(step).toBe(stopAfter);
  }
  // What a killed process wrote after its last checkpoint comes again.
  const metricsPath = join(folder, "broken", "metrics.jsonl");
  const rows = await readFile(metricsPath, "utf8");
  await writeFile(metricsPath, `${rows}${JSON.stringify({ ...expected.steps[7], loss: 123 })}\n`);
  await run("broken", 1);
  expect(await metricsOf("broken")).toEqual(expected);

  const final = (name: string) => readCheckpoint(join(folder, name, "last.safetensors"), TINY);
  expect((await final("broken")).parameters).toEqual((await final("unbroken")).parameters);
});

test("two replicas of half a batch do what one does", async () => {
  const training = { ...TINY_RECIPE.training, dropout: 0 };
  await run("one", 1, { training, epochs: 1 });
  await run("two", 2, { training, epochs: 1 });
  const [one, two] = [await metricsOf("one"), await metricsOf("two")];
  expect(two.steps).toHaveLength(one.steps.length);
  for (const [i, { loss }] of two.steps.entries()) expect(loss).toBeCloseTo(one.steps[i]!.loss, 3);
});

test("a broken checkpoint ends in one line", async () => {
  await run("corrupt", 1, { epochs: 1 });
  const path = join(folder, "corrupt", "last.safetensors");
  await truncate(path, 50_000);
  await expect(run("corrupt", 1)).rejects.toThrow(
    /last\.safetensors is not a checkpoint of this recipe: expected \d+ bytes, got 50000/,
  );
  await writeFile(path, "not a checkpoint");
  await expect(run("corrupt", 1)).rejects.toThrow(/is not a checkpoint of this recipe/);
});

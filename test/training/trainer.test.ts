import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readCheckpoint } from "../../scripts/training/checkpoint.ts";
import { createReplicas } from "../../scripts/training/replicas.ts";
import { type StepMetrics, type TrainerOptions, train } from "../../scripts/training/trainer.ts";
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
  const recipe = more.recipe ?? TINY_RECIPE;
  const shape = { rows: 8 / replicaCount, sourceLength: 16, targetLength: 16 };
  const { dropout, labelSmoothing, epochs } = recipe.training;
  const replicas = await createReplicas(
    { device: "wasm", config: TINY, shape, regularization: { dropout, labelSmoothing } },
    replicaCount,
  );
  try {
    return await train({
      recipe,
      config: TINY,
      runDir,
      replicas,
      shape,
      train: reversals(80, 1),
      dev: reversals(10, 2),
      epochs,
      scoreDev: async (parameters) => 100 - Math.abs(parameters[0]!),
      ...more,
    });
  } finally {
    await replicas.close();
  }
}

async function metricsOf(name: string): Promise<Omit<StepMetrics, "tokens_per_s" | "elapsed_s">[]> {
  const lines = (await readFile(join(folder, name, "metrics.jsonl"), "utf8")).trim().split("\n");
  return lines.map((line) => {
    const { tokens_per_s: _rate, elapsed_s: _elapsed, ...metrics } = JSON.parse(line) as StepMetrics;
    return metrics;
  });
}

test("a run that is stopped and started again has the loss curve of an unbroken one", async () => {
  await run("unbroken", 1);
  const expected = await metricsOf("unbroken");
  expect(expected.length).toBe(8);
  expect(expected.at(-1)!.dev_loss).toBeGreaterThan(0);

  for (const stopAfter of [3, 6]) {
    const stop = new AbortController();
    const onStep = ({ step }: StepMetrics) => step >= stopAfter && stop.abort();
    const { step } = await run("broken", 1, { onStep, signal: stop.signal });
    expect(step).toBe(stopAfter);
  }
  // What a killed process wrote after its last checkpoint comes again.
  const metricsPath = join(folder, "broken", "metrics.jsonl");
  const rows = await readFile(metricsPath, "utf8");
  await writeFile(metricsPath, `${rows}${JSON.stringify({ ...expected[7], loss: 123 })}\n`);
  await run("broken", 1);
  expect(await metricsOf("broken")).toEqual(expected);

  const final = (name: string) => readCheckpoint(join(folder, name, "last.safetensors"), TINY);
  expect((await final("broken")).parameters).toEqual((await final("unbroken")).parameters);
});

test("two replicas of half a batch do what one does", async () => {
  const recipe = { ...TINY_RECIPE, training: { ...TINY_RECIPE.training, dropout: 0 } };
  await run("one", 1, { recipe, epochs: 1 });
  await run("two", 2, { recipe, epochs: 1 });
  const [one, two] = [await metricsOf("one"), await metricsOf("two")];
  expect(two).toHaveLength(one.length);
  for (const [i, { loss }] of two.entries()) expect(loss).toBeCloseTo(one[i]!.loss, 3);
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

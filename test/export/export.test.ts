import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readModelFolder } from "../../scripts/publish/model-folder.ts";
import { multi30kEnDe } from "../../scripts/recipes/multi30k-en-de.ts";
import { writeCheckpoint } from "../../scripts/training/checkpoint.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { openConfig, openTokenizer } from "../../scripts/training/prepare.ts";
import { modelConfigSchema } from "../../worker/model/config.ts";

const id = "multi30k-en-de";
const script = fileURLToPath(new URL("../../scripts/export.ts", import.meta.url));
let folder: string;
let runDir: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-slm-export-"));
  runDir = join(folder, "run");
  await openTokenizer(runDir, () => ["a man rides", "ein mann reitet"], { vocabSize: 300 });
  const card = { ...multi30kEnDe.config.card, quality: {} };
  const config = await openConfig(runDir, modelConfigSchema, { ...multi30kEnDe.config, card });
  const slices = parameterSlices(config);
  const parameters = new Float32Array(parameterCount(slices));
  initializeParameters(parameters, slices, config, 1);
  const progress = { step: 3, epoch: 1, group: 0, bestScore: 1.5, bestStep: 3, elapsedS: 1 };
  await writeCheckpoint(join(runDir, "best.safetensors"), config, parameters, progress);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function runExport(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return promisify(execFile)(process.execPath, [script, ...args]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

test("writes a model that the upload takes, and each matrix's error", async () => {
  const out = join(folder, "models", id);
  const json = join(folder, "figures.json");
  const { code, stdout } = await runExport(id, "--run", runDir, "--out", out, "--json", json);
  expect(code).toBe(0);
  expect(stdout).toMatch(/decoder\.1\.ffn_down\.weight +\[128, 256\] +\d\.\d+ %/);
  const { manifest } = await readModelFolder(out);
  expect(manifest.id).toBe(id);
  expect(JSON.parse(await readFile(json, "utf8"))).toMatchObject({ id, progress: { step: 3 } });
  expect(await readFile(join(out, "card.md"), "utf8")).toContain("research and non-commercial use only");
});

test.each([
  { name: "an unknown recipe", args: ["french"], error: /^unknown recipe french; expected one of: multi30k-en-de/ },
  {
    name: "no run folder",
    args: [id, "--run", "/nonexistent"],
    error: /^export: expected .*config\.json; run npm run train/,
  },
])("$name ends with one line and exit code 1", async ({ args, error }) => {
  const { code, stderr } = await runExport(...args);
  expect(code).toBe(1);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toMatch(error);
});

test("a broken checkpoint leaves the old model alone", async () => {
  const broken = join(folder, "broken.safetensors");
  await writeFile(broken, await readFile(join(runDir, "best.safetensors")));
  await truncate(broken, 100_000);
  const out = join(folder, "kept");
  await mkdir(out, { recursive: true });
  await writeFile(join(out, "config.json"), "old");
  const { code, stderr } = await runExport(id, "--run", runDir, "--checkpoint", broken, "--out", out);
  expect(code).toBe(1);
  expect(stderr.trim()).toMatch(
    /^[^\n]*broken\.safetensors is not a checkpoint of this recipe: expected \d+ bytes, got 100000$/,
  );
  expect(await readFile(join(out, "config.json"), "utf8")).toBe("old");
  expect(existsSync(`${out}.part`)).toBe(false);
});

test("a place that cannot be written to leaves nothing behind", async () => {
  const file = join(folder, "a-file");
  await writeFile(file, "");
  const { code, stderr } = await runExport(id, "--run", runDir, "--out", join(file, "model"));
  expect(code).toBe(1);
  expect(stderr).toMatch(/^export: cannot write .*a-file.model/);
  expect(stderr.trim().split("\n")).toHaveLength(1);
});

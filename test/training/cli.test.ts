import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";

const script = fileURLToPath(new URL("../../scripts/train.ts", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-slm-train-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function runTrain(...args: string[]): Promise<{ code: number; stderr: string }> {
  return promisify(execFile)(process.execPath, [script, ...args], { cwd: folder }).then(
    ({ stderr }) => ({ code: 0, stderr }),
    (error: { code: number; stderr: string }) => error,
  );
}

test.each([
  { name: "an unknown recipe", args: ["french"], error: /^unknown recipe french; expected one of: multi30k-en-de,/ },
  {
    name: "a mirror without the data",
    args: ["multi30k-en-de", "--device", "cpu", "--data", "nowhere"],
    error: /^multi30k: expected the file nowhere.*train\.tsv\.gz; check --data or EDGE_SLM_DATA$/,
  },
  { name: "no number", args: ["multi30k-en-de", "--epochs", "many"], error: /expected a whole number from 1 on/ },
  {
    name: "an unknown device",
    args: ["multi30k-en-de", "--device", "tpu"],
    error: /Allowed choices are auto, cpu, webgpu, wasm/,
  },
])("$name ends with one line and exit code 1", async ({ args, error }) => {
  const { code, stderr } = await runTrain(...args);
  expect(code).toBe(1);
  expect(stderr.trim()).toMatch(error);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(existsSync(join(folder, "runs"))).toBe(false);
});

test("data with another content than the recipe's are refused", async () => {
  await mkdir(join(folder, "mirror", "mt_multi30k"), { recursive: true });
  await writeFile(join(folder, "mirror", "mt_multi30k", "train.tsv.gz"), gzipSync("a man\tein Mann\tun homme\n"));
  const { code, stderr } = await runTrain("multi30k-en-de", "--device", "cpu", "--data", "mirror");
  expect(code).toBe(1);
  expect(stderr.trim()).toMatch(/train\.tsv\.gz, column \S+: expected content with sha256 \w+, got \w+ \(1 lines\)$/);
});

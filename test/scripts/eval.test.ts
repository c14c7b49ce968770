import { execFile } from "node:child_process";
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { quantizeModel } from "../../scripts/export/quantize.ts";
import { loadKernels } from "../../scripts/kernels.ts";
import { translateAll } from "../../scripts/metrics/translate.ts";
import { writeCheckpoint } from "../../scripts/training/checkpoint.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { generate } from "../../worker/engine/generate.ts";
import { loadTransformer } from "../../worker/engine/load.ts";
import { parseConfigOf } from "../../worker/model/config.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const tiny = join(root, "test/fixtures/tiny");
const mirror = process.env.EDGE_SLM_DATA;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-slm-eval-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the command line; never rejects. */
function evaluate(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1" };
  delete env.EDGE_SLM_DATA;
  return new Promise((resolve) => {
    execFile(process.execPath, ["scripts/eval.ts", ...args], { cwd: root, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

/** A model of the tiny fixture's size with room for whole captions, as int8 in a folder and as a float checkpoint. */
async function writeRandomModel(modelDir: string, checkpoint: string): Promise<string> {
  const config = {
    ...parseConfigOf("translation", await readFile(join(tiny, "config.json"), "utf8")),
    max_seq_len: 256,
  };
  const slices = parameterSlices(config);
  const parameters = new Float32Array(parameterCount(slices));
  initializeParameters(parameters, slices, config, 1);
  await mkdir(modelDir);
  await writeFile(join(modelDir, "config.json"), JSON.stringify(config));
  await copyFile(join(tiny, "tokenizer.json"), join(modelDir, "tokenizer.json"));
  await writeFile(join(modelDir, "model.safetensors"), quantizeModel(config, parameters).file);
  const progress = { step: 0, epoch: 0, group: 0, bestScore: 0, bestStep: 0, elapsedS: 0 };
  await writeCheckpoint(checkpoint, config, parameters, progress);
  return modelDir;
}

describe("translateAll", () => {
  test("keeps the order of the sentences, whatever their length, and counts", async () => {
    const config = parseConfigOf("translation", await readFile(join(tiny, "config.json"), "utf8"));
    const tokenizer = Tokenizer.fromJson(await readFile(join(tiny, "tokenizer.json"), "utf8"));
    const weights = new Blob([await readFile(join(tiny, "model.safetensors"))]).stream();
    const model = await loadTransformer(config, weights, await loadKernels());
    const search = (sources: number[][]) => generate(model, sources, { beamSize: 2 });
    const sentences = Array.from({ length: 40 }, (_, i) => "the men ".repeat(1 + ((i * 7) % 3)) + i);
    const done: number[] = [];
    const run = await translateAll(search, tokenizer, sentences, (count) => done.push(count));
    expect(done).toEqual([32, 40]);
    let tokens = 0;
    for (const [i, sentence] of sentences.entries()) {
      const [hypotheses] = await search([tokenizer.encode(sentence)]);
      const best = hypotheses![0]!.tokens;
      expect(run.translations[i]).toBe(tokenizer.decode(best).trim());
      tokens += best.length;
    }
    expect(run.targetTokens).toBe(tokens);
    expect(run.seconds).toBeGreaterThan(0);
  });

  test("no sentences, no translations", async () => {
    const tokenizer = Tokenizer.fromJson(await readFile(join(tiny, "tokenizer.json"), "utf8"));
    const run = await translateAll(async () => [], tokenizer, []);
    expect(run).toEqual({ translations: [], seconds: 0, targetTokens: 0, cut: 0 });
  });
});

describe("npm run eval", () => {
  const recipe = ["--recipe", "multi30k-en-de"];
  const refused: [string, () => Promise<string[]> | string[], RegExp][] = [
    [
      "an unknown model",
      () => ["nothing"],
      /^nothing: expected a model's folder or its name in .*models or runs, there is none/,
    ],
    ["an unknown recipe", () => [tiny], /^unknown recipe tiny; expected one of: multi30k-en-de/],
    [
      "an unknown split",
      () => [tiny, ...recipe, "--split", "x"],
      /^eval: expected --split out of train, dev, .*, got x$/,
    ],
    [
      "a beam of none",
      () => [tiny, ...recipe, "--beam", "0"],
      /'--beam <n>' argument '0' is invalid\. expected a whole/,
    ],
    [
      "a length penalty that is no number",
      () => [tiny, "--length-penalty", "x"],
      /expected a number from 0 on, got "x"/,
    ],
    ["other kernels", () => [tiny, "--kernels", "avx"], /Allowed choices are relaxed, simd/],
    ["no data", () => [tiny, ...recipe, "--data", folder], /^multi30k: expected the file .*val\.tsv\.gz; check --data/],
    [
      "a broken config",
      async () => {
        await cp(tiny, join(folder, "broken"), { recursive: true });
        await writeFile(join(folder, "broken/config.json"), "{");
        return [join(folder, "broken"), ...recipe];
      },
      /broken: config\.json: expected JSON, got "\{"/,
    ],
    [
      "a recipe of another kind",
      () => [tiny, "--recipe", "multitask-en"],
      /^eval: expected a recipe of translation as tiny is, got multitask-en of classification$/,
    ],
    [
      "an option of the other kind",
      () => [join(root, "test/fixtures/tiny-classifier"), "--recipe", "multitask-en", "--beam", "2"],
      /^eval: --beam has no meaning for tiny-classifier, a model of classification$/,
    ],
    [
      "an unknown task",
      () => [join(root, "test/fixtures/tiny-classifier"), "--recipe", "multitask-en", "--task", "spam,weather"],
      /^eval: expected --task out of topic, .*, issue_type of multitask-en, got weather$/,
    ],
    [
      "a part of the data to record",
      () => [tiny, ...recipe, "--limit", "2", "--record"],
      /^eval: expected the whole split with --record, got --limit$/,
    ],
  ];
  test.each(refused)("%s ends with one line and exit code 1", async (_, args, message) => {
    const { code, stdout, stderr } = await evaluate(...(await args()));
    expect(stderr.trimEnd()).toMatch(message);
    expect(stderr.trimEnd()).not.toContain("\n");
    expect(stdout).toBe("");
    expect(code).toBe(1);
  });

  test.skipIf(!mirror)("prints the figures of both decoders and writes them", async () => {
    const [json, lines, float] = ["figures.json", "translations.txt", "best.safetensors"].map((f) => join(folder, f));
    const model = await writeRandomModel(join(folder, "random"), float!);
    const args = [model, ...recipe, "--data", mirror!, "--limit", "3", "--beam", "2", "--kernels", "simd"];
    const files = ["--float", float!, "--json", json!, "--translations", lines!];
    const { code, stdout, stderr } = await evaluate(...args, ...files);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toContain("random on dev: the first 3 of 1014 sentences, beam 2, length penalty 1");
    expect(stdout).toMatch(/^int8, simd kernels( +[\d.]+){7}$/m);
    expect(stdout).toMatch(/^float reference( +[\d.]+){7}$/m);
    expect(stdout).toMatch(/^float minus int8: -?[\d.]+ BLEU, -?[\d.]+ lowercased, -?[\d.]+ chrF$/m);
    const figures = JSON.parse(await readFile(json!, "utf8"));
    expect(figures).toMatchObject({ model: "random", split: "dev", sentences: 3, beam_size: 2, kernels: "simd" });
    for (const decoder of ["int8", "float"]) {
      expect(figures[decoder]).toMatchObject({ sentences: 3, bleu: expect.any(Number), seconds: expect.any(Number) });
    }
    expect((await readFile(lines!, "utf8")).split("\n")).toHaveLength(4);
  });

  test.skipIf(!mirror)("refuses weights cut short and a checkpoint of another model", async () => {
    const cut = join(folder, "cut");
    await mkdir(cut);
    for (const name of ["config.json", "tokenizer.json"]) await copyFile(join(tiny, name), join(cut, name));
    const whole = await readFile(join(tiny, "model.safetensors"));
    await writeFile(join(cut, "model.safetensors"), whole.subarray(0, whole.length - 64));
    const data = [...recipe, "--data", mirror!, "--limit", "1"];
    const broken = await evaluate(cut, ...data);
    expect(broken).toMatchObject({ code: 1, stdout: "" });
    expect(broken.stderr).toMatch(/cut: model\.safetensors: expected \d+ bytes, got \d+; export/);
    const float = await evaluate(tiny, ...data, "--float", join(tiny, "model.safetensors"));
    expect(float).toMatchObject({ code: 1, stdout: "" });
    expect(float.stderr).toMatch(/model\.safetensors: expected a float checkpoint of this model; embedding\.weight: /);
  });
});

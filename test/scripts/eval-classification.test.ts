/** Evaluation and calibration of a classifier with random weights, on texts made up here. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { ClassificationSet, LabelledText } from "../../scripts/data/classification.ts";
import { evaluateClassification } from "../../scripts/eval/classification.ts";
import { calibrate, calibratedConfig, calibrateHead, checkHeads } from "../../scripts/export/calibrate.ts";
import { quantizeModel } from "../../scripts/export/quantize.ts";
import { FloatClassifier } from "../../scripts/float/classifier.ts";
import { loadKernels } from "../../scripts/kernels.ts";
import { softmax } from "../../scripts/metrics/calibration.ts";
import { answerOf, classifyAll } from "../../scripts/metrics/classify.ts";
import { readModelFolder, tokenizerOf, weightsOf } from "../../scripts/publish/model-folder.ts";
import { multitaskEn } from "../../scripts/recipes/multitask-en.ts";
import type { ClassificationRecipe } from "../../scripts/recipes/recipe.ts";
import { writeCheckpoint } from "../../scripts/training/checkpoint.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { uniformStream } from "../../scripts/training/random.ts";
import { loadHeads } from "../../scripts/training/texts.ts";
import { classify, combineWindows, logSoftmax } from "../../worker/engine/heads.ts";
import { loadClassifier } from "../../worker/engine/load.ts";
import { type ClassificationConfig, parseConfigOf } from "../../worker/model/config.ts";
import { textWindows } from "../../worker/text/windows.ts";

const fixture = fileURLToPath(new URL("../fixtures/tiny-classifier", import.meta.url));

/** A mood that words give away, and questions of which some are out of scope. */
function makeTexts(kind: "mood" | "intent", count: number, seed: number): LabelledText[] {
  const uniform = uniformStream(seed);
  const pick = (words: string[]) => words[Math.floor(uniform() * words.length)]!;
  const words = { bad: ["bad", "awful", "sad"], good: ["good", "fine", "glad"], order: ["buy"], refund: ["money"] };
  return Array.from({ length: count }, (_, i) => {
    const labels = kind === "mood" ? (["bad", "good"] as const) : (["order", "refund", null] as const);
    const label = labels[i % labels.length]!;
    const filler = `the ${pick(["stone", "dentist", "sand"])} is ${pick(["there", "rare", "other"])} ${i}`;
    return { text: label === null ? filler : `${filler}, ${pick(words[label])}`, label };
  });
}

function makeSet(kind: "mood" | "intent"): ClassificationSet {
  return {
    id: kind,
    language: "en",
    splits: "made up",
    card: { name: kind, url: "", licence: "" },
    load: async () => ({
      train: makeTexts(kind, 120, 1),
      dev: makeTexts(kind, 30, 2),
      test: makeTexts(kind, 36, 3),
      leftOut: { train: 0, dev: 0 },
    }),
  };
}

const recipe: ClassificationRecipe = {
  ...multitaskEn,
  id: "made-up",
  heads: [
    { name: "mood", sets: [makeSet("mood")] },
    { name: "intent", sets: [makeSet("intent")] },
  ],
};

let folder: string;
let modelDir: string;
let checkpoint: string;
let config: ClassificationConfig;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-slm-eval-"));
  modelDir = join(folder, "made-up");
  checkpoint = join(folder, "best.safetensors");
  await cp(fixture, modelDir, { recursive: true });
  config = {
    ...parseConfigOf("classification", await readFile(join(fixture, "config.json"), "utf8")),
    heads: [
      { name: "mood", labels: ["bad", "good"], temperature: 1, out_of_scope: null },
      { name: "intent", labels: ["order", "refund", "out_of_scope"], temperature: 1, out_of_scope: "out_of_scope" },
    ],
  };
  const slices = parameterSlices(config);
  const parameters = new Float32Array(parameterCount(slices));
  initializeParameters(parameters, slices, config, 5);
  await writeFile(join(modelDir, "config.json"), JSON.stringify(config));
  await writeFile(join(modelDir, "model.safetensors"), quantizeModel(config, parameters).file);
  const progress = { step: 0, epoch: 0, group: 0, bestScore: 0, bestStep: 0, elapsedS: 0 };
  await writeCheckpoint(checkpoint, config, parameters, progress);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function openModel() {
  const model = await readModelFolder(modelDir);
  const engine = await loadClassifier(config, weightsOf(model), await loadKernels());
  const int8 = {
    config,
    classify: (texts: number[][], heads: number[]) => classify(engine, texts, { heads }),
  };
  return { model, int8, engine, tokenizer: tokenizerOf(model) };
}

describe("evaluateClassification", () => {
  test("measures every task of every model, prints, writes and records", async () => {
    const printed: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((line: string) => void printed.push(line));
    const json = join(folder, "figures.json");
    const model = await readModelFolder(modelDir);
    await evaluateClassification(model, config, recipe, {
      kernels: "relaxed",
      float: [checkpoint],
      json,
      record: true,
      explain: 5,
    }).finally(() => log.mockRestore());
    const text = printed.join("\n");
    expect(text).toContain("made-up on test");
    expect(text).toMatch(/^mood \(36, 2\) +int8 +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$/m);
    expect(text).toMatch(/^intent \(36, 3\) +int8( +[\d.]+){7}$/m);
    expect(text).toMatch(/^points of accuracy lost by int8: mood -?[\d.]+, intent -?[\d.]+$/m);

    const { models, tasks } = JSON.parse(await readFile(json, "utf8"));
    expect(models.map(({ name }: { name: string }) => name)).toEqual(["int8", "float", "linear"]);
    expect(models[0]).toMatchObject({ bytes: model.manifest.files["model.safetensors"].bytes });
    const [mood, intent] = tasks;
    // The words give the mood away; random weights do not see it.
    expect(mood.models.linear.accuracy).toBe(1);
    expect(mood).toMatchObject({ texts: 36, deletion: { texts: 5 } });
    expect(intent.models.int8.out_of_scope.in_scope_accuracy).toEqual(expect.any(Number));
    expect(mood.models.int8).not.toHaveProperty("out_of_scope");
    expect(Math.abs(mood.models.float.accuracy - mood.models.int8.accuracy)).toBeLessThan(0.1);

    const recorded = JSON.parse(await readFile(join(modelDir, "config.json"), "utf8"));
    expect(recorded.card.quality["mood: test accuracy, %"]).toBeCloseTo(100 * mood.models.int8.accuracy, 1);
    expect(await readFile(join(modelDir, "card.md"), "utf8")).toContain("| intent: test out-of-scope recall, % |");
  });

  test.each([
    ["an unknown split", { split: "test2016" }, /^eval: expected --split out of dev, test, got test2016$/],
    ["an unknown task", { task: "mood,weather" }, /expected --task out of mood, intent of made-up, got weather$/],
  ])("refuses %s", async (_, options, message) => {
    const model = await readModelFolder(modelDir);
    const evaluation = evaluateClassification(model, config, recipe, { kernels: "relaxed", ...options });
    await expect(evaluation).rejects.toThrow(message);
  });

  test("refuses a model that was trained for other labels", async () => {
    const model = await readModelFolder(modelDir);
    const [mood, intent] = config.heads;
    const other = { ...config, heads: [{ ...mood!, labels: ["good", "bad"] }, intent!] };
    await expect(evaluateClassification(model, other, recipe, { kernels: "relaxed" })).rejects.toThrow(
      /^eval: made-up: expected a head mood with the 2 labels of the data, got 2 labels: good, bad; train it again/,
    );
  });
});

describe("classifyAll", () => {
  test("reads long texts in windows, as the Worker does, and takes a text without words", async () => {
    const { int8, engine, tokenizer } = await openModel();
    const long = Array.from({ length: 60 }, (_, i) => `The sand is rare ${i}.`).join(" ");
    const [short, windowed, empty] = await classifyAll(int8, tokenizer, 1, ["the dentist", long, " \u200b"]);
    const windows = textWindows(long, "en", tokenizer, engine.maxTokens);
    expect(windows.length).toBeGreaterThan(1);
    const parts = await classify(
      engine,
      windows.map(({ tokens }) => tokens),
      { heads: [1] },
    );
    const expected = combineWindows(
      parts.map(([only]) => only!),
      windows.map(({ tokens }) => tokens.length),
    );
    expect(windowed).toEqual(expected);
    expect(short).toEqual((await classify(engine, [tokenizer.encode("the dentist")], { heads: [1] }))[0]![0]);
    expect([...empty!].map(Math.exp)).toEqual([1 / 3, 1 / 3, 1 / 3].map((share) => expect.closeTo(share)));
  });

  test("an answer that is not probable enough is out of scope", () => {
    const logProbs = Float64Array.of(0.6, 0.3, 0.1).map(Math.log);
    const head = config.heads[1]!;
    expect(answerOf(head, logProbs)).toMatchObject({ predicted: 0, best: 0 });
    expect(answerOf({ ...head, out_of_scope_below: 0.5 }, logProbs)).toMatchObject({ predicted: 0, best: 0 });
    expect(answerOf({ ...head, out_of_scope_below: 0.7 }, logProbs)).toMatchObject({ predicted: 2, best: 0 });
  });
});

test("the float checkpoint answers as the int8 engine, whatever shares a row", async () => {
  const { int8, tokenizer } = await openModel();
  const float = await FloatClassifier.load([checkpoint], config);
  const texts = [...makeTexts("mood", 40, 4), ...makeTexts("intent", 20, 5)].map(({ text }) => tokenizer.encode(text));
  const [expected, together] = [await int8.classify(texts, [1, 0]), await float.classify(texts, [1, 0])];
  const alone = await float.classify(texts.slice(50, 51), [1, 0]);
  let furthest = 0;
  for (const [i, heads] of together.entries()) {
    for (const [h, logProbs] of heads.entries()) {
      for (const [l, value] of logProbs.entries()) {
        furthest = Math.max(furthest, Math.abs(value - expected[i]![h]![l]!));
      }
    }
  }
  expect(furthest).toBeLessThan(0.1);
  for (const [h, logProbs] of alone[0]!.entries()) {
    for (const [l, value] of logProbs.entries()) expect(value).toBeCloseTo(together[50]![h]![l]!, 4);
  }
});

describe("calibration", () => {
  const head = { name: "x", labels: ["a", "b", "none"], temperature: 1, out_of_scope: "none" };
  /** Logits whose softmax is right as often as it says, times `sharpness`. */
  function makeScored(count: number, sharpness: number, seed: number) {
    const uniform = uniformStream(seed);
    return Array.from({ length: count }, () => {
      const logits = Float64Array.from({ length: 3 }, () => 4 * uniform());
      const probabilities = softmax(logits);
      let draw = uniform();
      let expected = 0;
      while (expected < 2 && draw >= probabilities[expected]!) draw -= probabilities[expected++]!;
      return { logits: logits.map((logit) => logit * sharpness), expected };
    });
  }

  test.each([0.5, 1, 3])("finds the temperature of logits that are %s times too sharp", (sharpness) => {
    const { head: calibrated } = calibrateHead(head, makeScored(20_000, sharpness, 7));
    expect(calibrated.temperature).toBeCloseTo(sharpness, 1);
  });

  test("a small dev that is all right is not taken for certainty", () => {
    const texts = Array.from({ length: 20 }, (_, i) => ({
      logits: Float64Array.of(i % 2 ? 3 : 0, i % 2 ? 0 : 3, -3),
      expected: i % 2 ? 0 : 1,
    }));
    const { head: calibrated, devAccuracy } = calibrateHead({ ...head, out_of_scope: null }, texts);
    expect(devAccuracy).toBe(1);
    expect(calibrated).not.toHaveProperty("out_of_scope_below");
    const confidence = Math.exp(logSoftmax(texts[0]!.logits, calibrated.temperature)[1]!);
    // 20 of 21.
    expect(confidence).toBeCloseTo(20 / 21, 2);
  });

  test("the threshold costs at most one in-scope text in two hundred", () => {
    // In scope 400 right answers, ever surer; out of scope 50 unsure ones.
    const inScope = Array.from({ length: 400 }, (_, i) => ({
      logits: Float64Array.of(0.5 + i / 80, 0, -4),
      expected: 0,
    }));
    const outOfScope = Array.from({ length: 50 }, () => ({ logits: Float64Array.of(0.5, 0, -4), expected: 2 }));
    const { head: calibrated } = calibrateHead(head, [...inScope, ...outOfScope]);
    const given = (texts: { logits: Float64Array }[]) =>
      texts.map(({ logits }) => answerOf(calibrated, logSoftmax(logits, calibrated.temperature)).predicted);
    expect(given(inScope).filter((label) => label === 2)).toHaveLength(2);
    expect(given(outOfScope).filter((label) => label === 2)).toHaveLength(50);
  });

  test("of a model through its engine; the card says what dev gives", async () => {
    const { model, tokenizer } = await openModel();
    const loaded = await loadHeads(recipe, {});
    checkHeads(config, loaded);
    const file = model.contents.get("model.safetensors")! as Uint8Array<ArrayBuffer>;
    const calibrated = calibratedConfig(config, await calibrate(config, file, tokenizer, loaded));
    expect(calibrated.heads.map(({ name }) => name)).toEqual(["mood", "intent"]);
    expect(calibrated.heads[0]).not.toHaveProperty("out_of_scope_below");
    expect(calibrated.heads[1]).toHaveProperty("out_of_scope_below");
    expect(Object.keys(calibrated.card.quality)).toEqual(["mood: dev accuracy, %", "intent: dev accuracy, %"]);
    expect(() => checkHeads(config, loaded.slice(1))).toThrow(
      "expected the heads and labels that the run was trained with, mood (2), intent (3), got intent (3)",
    );
  });
});

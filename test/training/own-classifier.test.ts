/** `npm run train -- classify`: from a table to a model that answers, for real and in seconds. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { dequantizeModel } from "../../scripts/export/dequantize.ts";
import { quantizeModel } from "../../scripts/export/quantize.ts";
import { writeModelFolder } from "../../scripts/export/write-model.ts";
import { answerOf, classifyAll, openClassifier } from "../../scripts/metrics/classify.ts";
import { openLocalBucket } from "../../scripts/publish/bucket.ts";
import { readModelFolder, tokenizerOf } from "../../scripts/publish/model-folder.ts";
import { type PretrainedEncoder, parametersFrom, readEncoder } from "../../scripts/train/encoder.ts";
import { type OwnOptions, trainOwn } from "../../scripts/train/own-classifier.ts";
import { guessLanguage, ownRecipe, rowLengthFor, vocabSizeFor } from "../../scripts/train/own-recipe.ts";
import { trainSplits } from "../../scripts/train/train-splits.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { expectTask, expectTransformer } from "../../worker/model/config.ts";
import { parseManifest } from "../../worker/model/manifest.ts";
import { NO_TOKEN } from "../../worker/model/n-grams.ts";
import { TINY_CLASSIFIER } from "./tiny.ts";

const script = fileURLToPath(new URL("../../scripts/train.ts", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-slm-own-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function trainClassify(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const device = ["--device", "cpu", "--threads", "1", "--persist-to", join(folder, "state")];
  return promisify(execFile)(process.execPath, [script, "classify", ...args, ...device], { cwd: folder }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

const ASK = {
  billing: ["My invoice is wrong", "Where is my refund?", "I was charged twice", "The invoice says 12 €"],
  support: ["The app crashes", "It crashes on start", "I see an error", "An error, then nothing"],
};

type Refused = Partial<OwnOptions> & { content?: string };

/** Rows of two teams as a spreadsheet writes them: byte order mark, quotes, a line break in a field. */
function tableOf(rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const team = i % 2 === 0 ? "billing" : "support";
    return `${i},${team},"${ASK[team][i % 4 === i % 2 ? 0 : (i >> 1) % 4]}, ""case"" ${i},\r\nplease look."`;
  });
  return `\ufeffid,Team,body\r\n${lines.join("\r\n")}\r\n`;
}

async function write(name: string, content: string): Promise<string> {
  await writeFile(join(folder, name), content);
  return name;
}

describe("npm run train -- classify", () => {
  test("trains, measures, exports and uploads; then anew with other data from that encoder", async () => {
    const data = await write("Support Tickets.csv", tableOf(120));
    const { code, stdout, stderr } = await trainClassify("--data", data, "--epochs", "6");
    expect({ code, stderr: stderr.replace(/^.*tokens\/s.*$/gm, "").trim() }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain('labels from column "Team": 2 different values');
    expect(stdout).toMatch(/96 rows to train on, 12 to choose by, 12 to test with/);
    expect(stdout).toMatch(/accuracy \d+\.\d\d %, macro-F1 \d+\.\d\d %, 12 texts/);
    expect(stdout).toMatch(/a linear model on bags of words: accuracy \d/);

    const run = join(folder, "runs", "support-tickets");
    expect(await readFile(join(run, "confusion.svg"), "utf8")).toContain("test rows right");
    const model = await readModelFolder(join(run, "model"));
    const config = expectTask("classification", model.manifest.config);
    expect(model.manifest.id).toBe("support-tickets");
    expect(config.heads).toMatchObject([{ name: "team", labels: ["billing", "support"] }]);
    expect(config.card.quality).toHaveProperty(["test accuracy, %"]);
    const card = new TextDecoder().decode(model.contents.get("card.md"));
    expect(card).toContain('npm run train -- classify --data "Support Tickets.csv" --epochs 6');

    const file = model.contents.get("model.safetensors")! as Uint8Array<ArrayBuffer>;
    const texts = ["My invoice is wrong, case 7", "The app crashes, case 9"];
    const answers = await classifyAll(await openClassifier(config, file), tokenizerOf(model), 0, texts);
    expect(answers.map((logProbs) => config.heads[0]!.labels[answerOf(config.heads[0]!, logProbs).predicted])).toEqual([
      "billing",
      "support",
    ]);
    const bucket = await openLocalBucket(join(folder, "state"));
    const key = "models/support-tickets/manifest.json";
    const text = await bucket.getText(key).finally(() => bucket.close());
    expect(parseManifest(key, text!)).toEqual(model.manifest);

    await write(data, tableOf(80));
    const again = await trainClassify("--data", data, "--from", "support-tickets", "--epochs", "1", "--no-upload");
    expect(again.code).toBe(0);
    expect(again.stdout).toContain("was of other data or options; it begins anew");
    expect(again.stdout).toMatch(/64 rows to train on/);
    const second = await readModelFolder(join(run, "model"));
    expect(second.contents.get("tokenizer.json")).toEqual(model.contents.get("tokenizer.json"));
    expect(second.manifest.config.card).toMatchObject({
      licence: "your own data; the encoder is that of support-tickets: your own data",
      training_data: [
        { name: data, rows: 64 },
        { name: data, rows: 96 },
      ],
    });
  }, 240_000);

  const good = ["team,body", ...Array.from({ length: 24 }, (_, i) => `${i % 2},"What about\nnumber ${i}?"`)].join("\n");
  const rare = good.replace('0,"What about\nnumber 4?"', 'rare,"What about\nnumber 4?"');
  test.each([
    ["no table", [], /^error: required option '--data <file>' not specified$/],
    [
      "a class with one row",
      ["--data", "rare.csv"],
      /^rare\.csv, line 10: expected two or more rows of each class, got o/,
    ],
    [
      "a run folder of another training",
      ["--data", "good.csv", "--name", "taken"],
      /^runs.taken is there and not of npm run train -- classify; choose another --name, or delete it$/,
    ],
  ])("%s ends with one line and exit code 1", async (_, args, error) => {
    await mkdir(join(folder, "runs", "taken"), { recursive: true });
    await write("good.csv", good);
    await write("rare.csv", rare);
    const { code, stderr } = await trainClassify(...args);
    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(error);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  test.each([
    ["a table that is not there", { data: "y.csv" }, /^readTable: cannot read .*y\.csv: ENOENT/],
    ["one class only", { content: good.replaceAll(/^1,/gm, "0,"), label: "team" }, /got only "0"$/],
    [
      "a missing label",
      { content: good.replace('0,"What about\nnumber 4?"', ',"What about\nnumber 4?"') },
      /^x\.csv, line 10: expected a label in column "team", got none/,
    ],
    [
      "broken JSON",
      { data: "x.jsonl", content: '{"a": 1}\n{"a"' },
      /^x\.jsonl, line 2: expected a JSON object, got "\{\\"a\\""$/,
    ],
    [
      "the name of a shipped model",
      { name: "multi30k-en-de" },
      /^--name multi30k-en-de: there is a model of this name/,
    ],
    ["a name that is none", { name: "A b" }, /^--name "A b": expected a model id/],
    [
      "an encoder that is not there",
      { content: good, from: "none" },
      /^none: expected a model's folder or its name in/,
    ],
    [
      "an encoder of a translation model",
      { content: good, from: "multi30k-en-de" },
      /expected a model for classification, got one for translation$/,
    ],
  ])("refuses %s", async (_, { content, data = "x.csv", ...options }: Refused, error) => {
    if (content) await write(data, content);
    const given = { data: join(folder, data), upload: false, device: "cpu" as const, persistTo: folder };
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    await expect(trainOwn({ ...given, ...options }).finally(() => log.mockRestore())).rejects.toThrow(error);
  });
});

describe("the encoder to begin with", () => {
  test("int8 weights become float again, within half a step of their channel", () => {
    const slices = parameterSlices(TINY_CLASSIFIER);
    const parameters = new Float32Array(parameterCount(slices));
    initializeParameters(parameters, slices, TINY_CLASSIFIER, 4);
    const tensors = dequantizeModel(TINY_CLASSIFIER, quantizeModel(TINY_CLASSIFIER, parameters).file);
    for (const { name, shape, kind, offset, length } of slices) {
      const tensor = tensors.get(name)!;
      expect(tensor.length).toBe(length);
      const k = shape[1] ?? 1;
      for (let row = 0; row < length / k; row++) {
        const original = parameters.subarray(offset + row * k, offset + (row + 1) * k);
        const step = kind === "matrix" ? Math.max(...original.map(Math.abs)) / 127 : 0;
        for (const [i, value] of original.entries()) {
          expect(Math.abs(tensor[row * k + i]! - value)).toBeLessThanOrEqual(0.5001 * step + 1e-7);
        }
      }
    }
  });

  test("is taken over whole, with new heads and only the positions that are needed", async () => {
    const encoder = await readEncoder(fileURLToPath(new URL("../fixtures/tiny-classifier", import.meta.url)));
    const heads = [{ name: "intent", labels: ["x", "y"], temperature: 1, out_of_scope: null }];
    const config = { ...encoder.config, max_seq_len: 8, heads };
    const flat = parametersFrom(encoder, config, 1);
    for (const { name, kind, offset, length } of parameterSlices(config)) {
      if (name.startsWith("heads.")) continue;
      const expected = encoder.tensors.get(name)!;
      if (kind !== "positions") expect(expected.length).toBe(length);
      expect(flat.slice(offset, offset + length)).toEqual(expected.slice(0, length));
    }
    expect(() => parametersFrom(encoder, { ...config, d_ff: 2 * config.d_ff }, 1)).toThrow(/weights in the encoder/);
  });

  test("on request with the heads that have the same labels", async () => {
    const encoder = await readEncoder(fileURLToPath(new URL("../fixtures/tiny-classifier", import.meta.url)));
    const [first, ...others] = encoder.config.heads;
    const config = { ...encoder.config, heads: [first!, ...others.map((head) => ({ ...head, labels: ["x", "y"] }))] };
    const same = parametersFrom(encoder, config, 1, "same");
    const fresh = parametersFrom(encoder, config, 1);
    for (const { name, offset, length } of parameterSlices(config)) {
      const kept = !name.startsWith("heads.") || name.startsWith(`heads.${first!.name}.`);
      const expected = kept ? encoder.tensors.get(name)!.slice(0, length) : fresh.slice(offset, offset + length);
      expect(same.slice(offset, offset + length)).toEqual(expected);
    }
  });
});

describe("an encoder with n-grams", () => {
  const tokens = [NO_TOKEN, 100, 101, 99, 100, 101, NO_TOKEN, 101, 102];

  async function nGramEncoder(): Promise<PretrainedEncoder> {
    const encoder = await readEncoder(fileURLToPath(new URL("../fixtures/tiny-classifier", import.meta.url)));
    const { d_model } = encoder.config;
    const tensors = new Map(encoder.tensors)
      .set("n_grams.tokens", Float32Array.from(tokens))
      .set("n_grams.weight", new Float32Array(3 * d_model).fill(0.1));
    return { ...encoder, config: { ...encoder.config, n_grams: 3 }, tensors };
  }

  test("hands them on to a classifier that begins with it", async () => {
    const encoder = await nGramEncoder();
    const labels = ["order", "refund"];
    const texts = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ text: `${labels[i % 2]} number ${i}`, label: labels[i % 2]! }));
    const splits = { train: texts(16), dev: texts(4), test: texts(4) };
    const data = { id: "own", file: "own.csv", labelColumn: "label", splits };
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    const runDir = join(folder, "n-grams");
    const options = { runDir, device: "cpu" as const, count: 1, epochs: 1, language: "en", encoder };
    const trained = await trainSplits(data, options).finally(() => log.mockRestore());
    const config = expectTransformer(trained!.config);
    expect(config.n_grams).toBe(3);
    const tensors = dequantizeModel(config, trained!.file);
    expect([...tensors.get("n_grams.tokens")!]).toEqual(tokens);
    const { file, parameters } = trained!;
    await writeModelFolder(join(runDir, "model"), {
      id: "own",
      config,
      vocabulary: encoder.tokenizer,
      file,
      parameters,
    });
    expect((await readModelFolder(join(runDir, "model"))).manifest.config).toEqual(config);
    await expect(openClassifier(config, file)).resolves.toBeDefined();
  });

  test("gives a network without any its other weights, and one with some begins with zeros where it has none", async () => {
    const encoder = await nGramEncoder();
    const { n_grams: _, ...without } = encoder.config;
    expect(parametersFrom(encoder, without, 1).length).toBe(parameterCount(parameterSlices(without)));
    const plain = { ...encoder, config: without };
    const flat = parametersFrom(plain, encoder.config, 1);
    const { offset, length } = parameterSlices(encoder.config).find(({ name }) => name === "n_grams.weight")!;
    expect(flat.subarray(offset, offset + length).every((weight) => weight === 0)).toBe(true);
  });
});

describe("ownRecipe", () => {
  const textsOf = (count: number, text: string) =>
    Array.from({ length: count }, (_, i) => ({ text: `${text} ${i}`, label: i % 2 ? "a" : "b" }));
  const recipeOf = (count: number, tokens = 5) =>
    ownRecipe(
      {
        id: "x",
        file: "x.csv",
        labelColumn: "Wer ist's?",
        splits: { train: textsOf(count, "Wo?"), dev: [], test: [] },
      },
      { vocabSize: 600, rowLength: 64, tokenCounts: Array(count).fill(tokens), language: "de" },
    );

  test("few rows get a small network and many epochs", () => {
    const [small, large] = [recipeOf(400), recipeOf(8_000)];
    expect(small.config.n_enc_layers * small.config.d_model).toBeLessThan(
      large.config.n_enc_layers * large.config.d_model,
    );
    expect(small.training.epochs).toBeGreaterThan(large.training.epochs);
    expect(recipeOf(8_000, 300).training.epochs).toBeLessThan(large.training.epochs);
    expect(recipeOf(100_000, 300).training.epochs).toBe(3);
    expect(small.heads[0]!.name).toBe("wer_ist_s");
    expect(small.config.source_languages).toEqual(["de"]);
  });

  test("the vocabulary grows with the words, the rows with the texts", () => {
    expect(vocabSizeFor(textsOf(20, "two words"))).toBe(516);
    expect(vocabSizeFor(textsOf(10_000, "about four of them"))).toBeGreaterThan(3_000);
    expect(rowLengthFor([1, 2, 63])).toBe(64);
    expect(rowLengthFor([10, 400])).toBe(128);
  });

  test.each([
    ["Where is it?", "en"],
    ["房间很干净", "zh"],
    ["部屋はとてもきれいです", "ja"],
    ["Где мой заказ?", "ru"],
    ["42", "en"],
  ])("%s looks like %s", (text, language) => {
    expect(guessLanguage([{ text, label: "x" }])).toBe(language);
  });
});

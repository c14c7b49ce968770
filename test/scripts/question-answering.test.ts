/** Data, examples, metrics, calibration and evaluation of question answering. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { bestSentence, sentencesOf } from "../../scripts/baselines/best-sentence.ts";
import { askElsewhere, type Paragraph, type QuestionSet } from "../../scripts/data/question-answering.ts";
import { qamr } from "../../scripts/data/sets/qamr.ts";
import { newWiki } from "../../scripts/data/sets/squad-shifts.ts";
import { evaluateQuestionAnswering } from "../../scripts/eval/question-answering.ts";
import { calibrateReader } from "../../scripts/export/calibrate-reader.ts";
import { answerableAuc, f1WithThreshold } from "../../scripts/metrics/reading.ts";
import { spanScores, wordF1 } from "../../scripts/metrics/span-f1.ts";
import { readModelFolder, tokenizerOf } from "../../scripts/publish/model-folder.ts";
import { readerEn } from "../../scripts/recipes/reader-en.ts";
import { amongOthers, askedWords, epochExamples, spanExamples } from "../../scripts/training/question-examples.ts";
import { parseConfigOf, type QuestionAnsweringConfig } from "../../worker/model/config.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";

const fixture = fileURLToPath(new URL("../fixtures/tiny-reader", import.meta.url));
const config: QuestionAnsweringConfig = parseConfigOf(
  "question-answering",
  await readFile(join(fixture, "config.json"), "utf8"),
);
const tokenizer = Tokenizer.fromJson(await readFile(join(fixture, "tokenizer.json"), "utf8"));

/** A paragraph of some sentences, each with a question. */
function paragraph(i: number, sentences = 4): Paragraph {
  const context = Array.from({ length: sentences }, (_, s) => `The stone ${i}.${s} lies in place ${i}${s}.`).join(" ");
  const questions = Array.from({ length: sentences }, (_, s) => {
    const answer = `place ${i}${s}`;
    const start = context.indexOf(answer);
    return { question: `Where is the stone ${i}.${s}?`, answers: [{ start, end: start + answer.length }] };
  });
  return { title: `title ${i % 3}`, context, questions };
}
const paragraphs = Array.from({ length: 8 }, (_, i) => paragraph(i));
const set: QuestionSet = {
  id: "made-up",
  splits: "made up",
  card: { name: "made up", url: "", licence: "" },
  load: async () => ({ train: paragraphs, dev: paragraphs.slice(0, 3), test: paragraphs.slice(3) }),
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-slm-reading-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("word F1", () => {
  test.each([
    ["The dog!", "a dog", 1, 1],
    ["two in the afternoon", "at two", 0.4, 0],
    ["dog dog", "dog", 2 / 3, 0],
    ["cat", "dog", 0, 0],
    ["", "dog", 0, 0],
    ["the", "a", 1, 1],
  ])("of %j for %j", (answer, right, f1, exact) => {
    expect(wordF1(answer, right)).toBeCloseTo(f1);
    expect(spanScores(answer, ["no such thing", right])).toEqual({ f1: expect.closeTo(f1), exact });
  });
});

test("the best sentence is the one with the rare words of the question", () => {
  const sentences = sentencesOf("The dog is old. The cat sleeps on the sofa! Is it Dr. Brown's?  No.");
  expect(sentences[1]).toBe("The cat sleeps on the sofa!");
  expect(bestSentence("Where does the cat sleep?", sentences)).toBe(sentences[1]);
  expect(bestSentence("What?", sentences)).toBe(sentences[0]);
});

describe("the data sets", () => {
  const lineOf = (value: object) => `${JSON.stringify(value)}\n`;

  test("are told from files that were changed", async () => {
    await mkdir(join(folder, "qa_squadshifts"), { recursive: true });
    await mkdir(join(folder, "qa_qamr"), { recursive: true });
    const line = lineOf({ title: "t", context: "c", qas: [] });
    await writeFile(join(folder, "qa_squadshifts/new_wiki.jsonl.gz"), gzipSync(line));
    await expect(newWiki.load({ dataDir: folder })).rejects.toThrow(/expected content with sha256 cdd4e3a8/);
    await writeFile(join(folder, "qa_qamr/dev.jsonl.gz"), gzipSync("\n"));
    await expect(qamr.load({ dataDir: folder })).rejects.toThrow(/expected content with sha256 4470fa12/);
    await expect(newWiki.load({ dataDir: join(folder, "nowhere") })).rejects.toThrow(/expected the file/);
  });

  test.skipIf(!process.env.EDGE_SLM_DATA)("hold the odd paragraphs out, and answers stand where they say", async () => {
    const { train, dev, test: held } = await newWiki.load();
    expect([train.length, dev.length, held.length]).toEqual([711, 80, 790]);
    const contexts = new Set(held.map(({ context }) => context));
    expect(train.some(({ context }) => contexts.has(context))).toBe(false);
    const [first] = dev;
    const [answer] = first!.questions[0]!.answers;
    expect(first!.context.slice(answer!.start, answer!.end)).toMatch(/two delegates/);
    expect((await qamr.load()).train.length).toBeGreaterThan(400);
  });
});

describe("examples", () => {
  const asked = askedWords(paragraphs, tokenizer, config.max_answer_words);

  test("have their answers as words", () => {
    expect(asked).toHaveLength(32);
    for (const { context, golds } of asked) {
      for (const [first, last] of golds) expect([context[first]!.form, last - first]).toEqual(["place", 1]);
    }
    const [{ title, context, questions }] = [paragraphs[0]!];
    const cut = [{ question: "What?", answers: [{ start: 1, end: 6 }] }];
    const [covered] = askedWords([{ title, context, questions: cut }], tokenizer, 6);
    expect(covered!.golds).toEqual([[0, 1]]);
    expect(askedWords([{ title, context, questions }], tokenizer, 1)).toEqual([]);
  });

  test("know in each window which answers stand in it whole", () => {
    const long = askedWords([paragraph(1, 12)], tokenizer, config.max_answer_words);
    for (const one of long) {
      const windows = spanExamples(one, config);
      expect(windows.length).toBeGreaterThan(1);
      expect(windows.some(({ golds }) => golds.length > 0)).toBe(true);
      for (const { golds, firstWord } of windows) {
        for (const [first] of golds) expect(one.context[firstWord + first]!.form).toBe("place");
      }
    }
  });

  test("of an epoch are the same for the same seed, and some have no answer", () => {
    const options = { config, wordDropout: 0.2, cropped: 0.5, unanswerable: 0.5, seed: 3 };
    const examples = epochExamples(asked, options);
    expect(epochExamples(asked, options)).toEqual(examples);
    expect(epochExamples(asked, { ...options, seed: 4 })).not.toEqual(examples);
    const none = examples.filter(({ golds }) => golds.length === 0).length;
    expect(none).toBeGreaterThan(4);
    expect(examples.length - none).toBeGreaterThan(20);
    for (const { tokens, golds, starts } of examples) {
      expect(tokens.length).toBeLessThanOrEqual(config.max_seq_len);
      for (const [first, last] of golds) {
        expect(first).toBeLessThanOrEqual(last);
        expect(last).toBeLessThan(starts.length);
      }
    }
  });

  test("of sentences among others keep their answers", () => {
    for (const { context, golds } of amongOthers(asked, 3, 5)) {
      for (const [first] of golds) expect(context[first]!.form).toBe("place");
    }
  });
});

describe("answers that may be none", () => {
  const answers = [
    { confidence: 0.9, f1: 1, exact: 1, isAnswerable: true },
    { confidence: 0.6, f1: 0.5, exact: 0, isAnswerable: true },
    { confidence: 0.6, f1: 0, exact: 0, isAnswerable: false },
    { confidence: 0.1, f1: 0, exact: 0, isAnswerable: false },
  ];
  test("count one where none is said and none is there", () => {
    expect(f1WithThreshold(answers, 0)).toBeCloseTo(1.5 / 4);
    expect(f1WithThreshold(answers, 0.7)).toBeCloseTo(3 / 4);
    expect(f1WithThreshold(answers, 1)).toBeCloseTo(2 / 4);
  });
  test("are told apart by their confidence, ties by half", () => {
    expect(answerableAuc(answers)).toBeCloseTo(3.5 / 4);
  });
  test("stand in another paragraph's context", () => {
    const elsewhere = askElsewhere(paragraphs);
    expect(elsewhere[0]).toMatchObject({ context: paragraphs[4]!.context });
    expect(elsewhere[0]!.questions[0]).toEqual({ question: paragraphs[0]!.questions[0]!.question, answers: [] });
  });
});

describe("a model with random weights", () => {
  const recipe = { ...readerEn, id: "made-up", sets: [{ set }] };

  test("is calibrated on dev", async () => {
    const model = await readModelFolder(fixture);
    const file = model.contents.get("model.safetensors")! as Uint8Array<ArrayBuffer>;
    const calibrated = await calibrateReader(config, file, tokenizerOf(model), paragraphs.slice(0, 3));
    expect(calibrated.temperature).toBeGreaterThanOrEqual(0.5);
    expect(calibrated.no_answer_below).toBeGreaterThanOrEqual(0);
    expect(calibrated.no_answer_below).toBeLessThanOrEqual(1);
    expect(calibrated.card.quality["dev F1, %"]).toEqual(expect.any(Number));
  });

  test("is measured beside the best sentence, printed, written and recorded", async () => {
    const modelDir = join(folder, "made-up");
    await cp(fixture, modelDir, { recursive: true });
    const printed: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((line: string) => void printed.push(line));
    const json = join(folder, "figures.json");
    const model = await readModelFolder(modelDir);
    await evaluateQuestionAnswering(model, config, recipe, {
      kernels: "relaxed",
      json,
      record: true,
      beside: fixture,
    }).finally(() => log.mockRestore());
    const text = printed.join("\n");
    expect(text).toMatch(/^made-up \(20\) +int8 +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$/m);
    expect(text).toMatch(/^all \(20\) +int8/m);
    expect(text).toMatch(/^ +BM25's best sentence +[\d.]+ +0\.00$/m);
    const { sets } = JSON.parse(await readFile(json, "utf8"));
    const { int8, "tiny-reader": beside } = sets[1].answers;
    expect(beside.f1).toBe(int8.f1);
    // The sentence with the stone's number is the right one, and two of its seven words are the answer.
    expect(sets[1].answers["BM25's best sentence"].f1).toBeCloseTo(0.5, 1);
    const recorded = JSON.parse(await readFile(join(modelDir, "config.json"), "utf8"));
    expect(recorded.card.quality["test F1, %"]).toBeCloseTo(100 * int8.f1, 1);
    expect(await readFile(join(modelDir, "card.md"), "utf8")).toContain("| test F1 of BM25's best sentence, % |");
  });

  test("is measured on a split that there is, and recorded on all of it", async () => {
    const model = await readModelFolder(fixture);
    const evaluate = (options: object) =>
      evaluateQuestionAnswering(model, config, recipe, { kernels: "relaxed", ...options });
    await expect(evaluate({ split: "train" })).rejects.toThrow("expected --split out of dev, test, got train");
    await expect(evaluate({ record: true, limit: 3 })).rejects.toThrow("expected the whole split with --record");
  });
});

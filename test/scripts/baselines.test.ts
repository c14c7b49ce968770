import { describe, expect, test } from "vitest";
import { parametersOf, testBaseline, trainBaseline } from "../../scripts/baselines/classifier.ts";
import { Vectorizer } from "../../scripts/baselines/features.ts";
import { scoreLinear, trainLinear } from "../../scripts/baselines/linear.ts";
import { answerOf } from "../../scripts/metrics/calibration.ts";
import { shuffle, uniformStream } from "../../scripts/training/random.ts";

describe("Vectorizer", () => {
  const words = { unit: "word", maxOrder: 1, minCount: 1 } as const;

  test("weighs by tf-idf as scikit-learn does", () => {
    const texts = ["the cat", "the dog", "the the bird"];
    const vectorizer = new Vectorizer(texts, words);
    expect(vectorizer.features).toBe(4);
    const { offsets, values } = vectorizer.transform(texts);
    expect([...offsets]).toEqual([0, 2, 4, 6]);
    // idf: the ln(4/4) + 1 = 1, the others ln(4/2) + 1; "the the" has tf 1 + ln 2.
    const rare = Math.log(2) + 1;
    const [length, longer] = [Math.hypot(1, rare), Math.hypot(1 + Math.log(2), rare)];
    const sorted = (from: number, to: number) => [...values.subarray(from, to)].sort((a, b) => a - b);
    expect(sorted(0, 2)).toEqual([expect.closeTo(1 / length, 6), expect.closeTo(rare / length, 6)]);
    // Both of the last text weigh 1 + ln 2.
    expect(sorted(4, 6)).toEqual([expect.closeTo(rare / longer, 6), expect.closeTo((1 + Math.log(2)) / longer, 6)]);
  });

  test("n-grams, rare ones left out, unseen words break them", () => {
    const texts = ["a b c", "a b d", "A, b!"];
    expect(new Vectorizer(texts, { ...words, maxOrder: 2 }).features).toBe(5 + 4);
    const vectorizer = new Vectorizer(texts, { unit: "word", maxOrder: 2, minCount: 3 });
    // a, b and "a b".
    expect(vectorizer.features).toBe(3);
    expect([...vectorizer.transform(["a x b", "a b", "x", ""]).offsets]).toEqual([0, 2, 5, 5, 5]);
  });

  test("characters without spaces", () => {
    const vectorizer = new Vectorizer(["不 错", "不好𠮷"], { unit: "character", maxOrder: 2, minCount: 1 });
    // 不 错 好 𠮷 不错 不好 好𠮷
    expect(vectorizer.features).toBe(7);
  });
});

describe("trainLinear", () => {
  /** One feature of value 1 a text. */
  const oneHot = (columns: number[]) => ({
    offsets: Uint32Array.from({ length: columns.length + 1 }, (_, i) => i),
    columns: Uint32Array.from(columns),
    values: new Float32Array(columns.length).fill(1),
  });

  test("without penalty finds the shares of the labels", () => {
    // Feature 0: three of four are class 0; feature 1: all class 1.
    const columns = [0, 0, 0, 0, 1, 1, 1, 1];
    const labels = [0, 0, 0, 1, 1, 1, 1, 1];
    const options = { epochs: 500, learningRate: 0.5, l2: 0, seed: 1 };
    const model = trainLinear(oneHot(columns), labels, { features: 2, classes: 2 }, options);
    const [first, second] = scoreLinear(model, oneHot([0, 1])).map((logits) => answerOf(logits));
    expect(first).toEqual({ predicted: 0, confidence: expect.closeTo(0.75, 1) });
    expect(second!.predicted).toBe(1);
    expect(second!.confidence).toBeGreaterThan(0.97);
  });

  test("the penalty ends where its gradient and the loss's are equal", () => {
    // One feature that is in half of the texts and always class 0; the other half has none and is half class 1, so
    // that the bias stays near zero. At the optimum p₁ · 1/2 = λ · w₀ for the mean loss.
    const rows = {
      offsets: Uint32Array.of(0, 1, 2, 2, 2),
      columns: Uint32Array.of(0, 0),
      values: Float32Array.of(1, 1),
    };
    const l2 = 0.05;
    const model = trainLinear(
      rows,
      [0, 0, 1, 1],
      { features: 1, classes: 2 },
      { epochs: 4000, learningRate: 0.2, l2, seed: 1 },
    );
    const [logits] = scoreLinear(model, rows);
    const wrong = 1 - answerOf(logits!).confidence;
    expect(model.weights[0]).toBeCloseTo(-model.weights[1]!, 4);
    expect((wrong * 0.5) / model.weights[0]!).toBeCloseTo(l2, 2);
  });

  test("follows from the seed", () => {
    const train = (seed: number) =>
      trainLinear(
        oneHot([0, 1, 2, 0]),
        [0, 1, 0, 1],
        { features: 3, classes: 2 },
        { epochs: 2, learningRate: 0.5, l2: 1e-4, seed },
      );
    expect(train(1)).toEqual(train(1));
    expect(train(1).weights).not.toEqual(train(2).weights);
    expect(() =>
      trainLinear(oneHot([0]), [], { features: 1, classes: 2 }, { epochs: 1, learningRate: 1, l2: 0, seed: 1 }),
    ).toThrow("trainLinear: expected 1 labels, one a text, got 0");
  });
});

test("a baseline learns a rule from words, and says so when a label is new", () => {
  const uniform = uniformStream(5);
  const filler = ["please", "the", "order", "account", "number", "today", "with"];
  const make = (i: number) => {
    const word = i % 3 === 0 ? "refund" : i % 3 === 1 ? "crash" : "hello";
    return { text: shuffle([word, ...filler], uniform).join(" "), label: ["billing", "bug", null][i % 3]! };
  };
  const texts = Array.from({ length: 300 }, (_, i) => make(i));
  const baseline = trainBaseline({ train: texts.slice(0, 200), dev: texts.slice(200, 250) }, "en");
  const { quality, calibrationError } = testBaseline(baseline, texts.slice(250));
  expect(quality.accuracy).toBe(1);
  expect(quality.out_of_scope).toEqual({ in_scope_accuracy: 1, out_of_scope_recall: 1, out_of_scope_precision: 1 });
  expect(calibrationError.calibrated).toBeLessThan(0.05);
  expect(parametersOf(baseline)).toBe(baseline.vectorizer.features * 3 + 3);
  expect(() => testBaseline(baseline, [{ text: "x", label: "sales" }])).toThrow(
    'baseline: expected the labels of train, got "sales"',
  );
});

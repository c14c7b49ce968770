import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  answerOf,
  calibrationBins,
  calibrationErrorByChance,
  expectedCalibrationError,
  fitTemperature,
  negativeLogLikelihood,
  type ScoredText,
  softmax,
} from "../../scripts/metrics/calibration.ts";
import {
  confusionMatrix,
  formatQuality,
  measureClassification,
  mostConfused,
} from "../../scripts/metrics/classification.ts";
import { uniformStream } from "../../scripts/training/random.ts";

describe("measureClassification", () => {
  // scikit-learn's example of classification_report: y_true = [0, 1, 2, 2, 2], y_pred = [0, 0, 2, 2, 1].
  test("agrees with scikit-learn's documented example", () => {
    const { accuracy, macro_f1, classes } = measureClassification(["a", "b", "c"], [0, 1, 2, 2, 2], [0, 0, 2, 2, 1]);
    expect(accuracy).toBeCloseTo(0.6, 12);
    expect(classes.map(({ precision }) => precision)).toEqual([0.5, 0, 1]);
    expect(classes.map(({ recall }) => recall)).toEqual([1, 0, 2 / 3]);
    const f1 = [2 / 3, 0, 0.8];
    for (const [i, value] of f1.entries()) expect(classes[i]!.f1).toBeCloseTo(value, 12);
    expect(macro_f1).toBeCloseTo((f1[0]! + f1[1]! + f1[2]!) / 3, 12);
    expect(classes.map(({ texts }) => texts)).toEqual([1, 1, 3]);
  });

  test("a class that is neither labelled nor answered does not count in macro-F1", () => {
    const { macro_f1, classes } = measureClassification(["a", "b", "none"], [0, 0, 1], [0, 0, 1]);
    expect(macro_f1).toBe(1);
    expect(classes[2]).toEqual({ label: "none", precision: 0, recall: 0, f1: 0, texts: 0 });
  });

  test("in scope and out of scope as CLINC150 counts them", () => {
    // Four in scope: one right, one wrong, one called out of scope, one right; four out of scope, one found.
    const expected = [0, 0, 1, 1, 2, 2, 2, 2];
    const predicted = [0, 1, 2, 1, 2, 0, 0, 1];
    const { out_of_scope, accuracy } = measureClassification(["a", "b", null], expected, predicted);
    expect(out_of_scope).toEqual({ in_scope_accuracy: 0.5, out_of_scope_recall: 0.25, out_of_scope_precision: 0.5 });
    expect(accuracy).toBe(3 / 8);
    expect(measureClassification(["a", "b"], [0], [0]).out_of_scope).toBeUndefined();
  });

  test("a confusion matrix has the labels as rows and the answers as columns", () => {
    expect(confusionMatrix(["a", "b"], [0, 0, 1], [1, 1, 1])).toEqual([
      [0, 2],
      [0, 1],
    ]);
  });

  test("lengths and classes have to fit", () => {
    expect(() => confusionMatrix(["a"], [0, 0], [0])).toThrow(
      "expected one answer a text and at least one text, got 1 answers and 2 texts",
    );
    expect(() => confusionMatrix(["a"], [], [])).toThrow("got 0 answers and 0 texts");
    expect(() => confusionMatrix(["a", "b"], [0, 1], [0, 2])).toThrow(
      "expected classes from 0 to 1, got 1 and 2 of text 2",
    );
    expect(() => confusionMatrix(["a", "b"], [-1], [0])).toThrow("got -1 and 0 of text 1");
  });

  test("the pairs confused most, with the surest mistakes as examples", () => {
    const expected = [0, 0, 0, 0, 1, 1, 2];
    const predicted = [1, 1, 1, 2, 0, 1, 2];
    const texts = ["t0", "t1", "t2", "t3", "t4", "t5", "t6"];
    const confidences = [0.5, 0.9, 0.7, 0.6, 0.8, 1, 1];
    const pairs = mostConfused(["a", "b", null], expected, predicted, { texts, confidences, pairs: 2, examples: 2 });
    expect(pairs).toEqual([
      { expected: "a", predicted: "b", count: 3, share: 0.75, examples: ["t1", "t2"] },
      { expected: "b", predicted: "a", count: 1, share: 0.5, examples: ["t4"] },
    ]);
    expect(mostConfused(["a", "b", null], expected, predicted)[2]).toMatchObject({
      expected: "a",
      predicted: null,
      examples: [],
    });
  });

  test("people see the worst classes first", () => {
    const text = formatQuality(measureClassification(["good", null], [0, 0, 1, 1], [0, 0, 0, 1]), { classes: 1 });
    expect(text.split("\n")).toEqual([
      "accuracy 75.00 %, macro-F1 73.33 %, 4 texts",
      "in-scope accuracy 100.00 %, out-of-scope recall 50.00 %, precision 100.00 %",
      "class           precision  recall      F1   texts",
      "(out of scope)     100.00   50.00   66.67       2",
      "and 1 more classes",
    ]);
  });
});

describe("expected calibration error", () => {
  test("of answers that are as good as they say is zero", () => {
    const confidences = Array.from({ length: 100 }, () => 0.8);
    const right = confidences.map((_, i) => i < 80);
    expect(expectedCalibrationError(confidences, right)).toBeCloseTo(0, 12);
    expect(
      expectedCalibrationError(
        confidences,
        confidences.map(() => true),
      ),
    ).toBeCloseTo(0.2, 12);
  });

  test("weighs the bins by their texts", () => {
    // 0.95 and 0.97 lie in the last of 15 bins, 0.50 in the eighth: (2 · |0.96 − 0.5| + 1 · |0.5 − 0|) / 3.
    expect(expectedCalibrationError([0.95, 0.97, 0.5], [true, false, false])).toBeCloseTo((2 * 0.46 + 0.5) / 3, 12);
    // In one bin too high and too low cancel: |(0.96 + 0.98) / 2 − 0.5|.
    expect(expectedCalibrationError([0.96, 0.98], [true, false])).toBeCloseTo(0.47, 12);
  });

  test("exactly right probabilities are a little off by chance, fewer of them more", () => {
    const of = (texts: number, confidence: number) =>
      calibrationErrorByChance(Array(texts).fill(confidence), uniformStream(1));
    expect(of(50, 1)).toBe(0);
    // One bin: the mean distance of a share from 1/2, sqrt(2 / π) standard deviations.
    expect(of(400, 0.5)).toBeCloseTo(Math.sqrt(2 / Math.PI) * Math.sqrt(0.25 / 400), 2);
    expect(of(100, 0.8)).toBeGreaterThan(1.5 * of(900, 0.8));
  });

  test("a bin has its upper end", () => {
    const texts = (confidence: number) => calibrationBins([confidence], [true], 5).map((bin) => bin.texts);
    expect(texts(0)).toEqual([1, 0, 0, 0, 0]);
    expect(texts(0.2)).toEqual([1, 0, 0, 0, 0]);
    expect(texts(0.200001)).toEqual([0, 1, 0, 0, 0]);
    expect(texts(1)).toEqual([0, 0, 0, 0, 1]);
    expect(texts(1.0000001)).toEqual([0, 0, 0, 0, 1]);
  });

  test("refuses what is no probability", () => {
    expect(() => expectedCalibrationError([0.5, 1.1], [true, true])).toThrow(
      "expected a probability, got 1.1 of text 2",
    );
    expect(() => expectedCalibrationError([Number.NaN], [true])).toThrow("got NaN of text 1");
    expect(() => expectedCalibrationError([0.5], [])).toThrow("expected 1 verdicts, one a confidence, got 0");
  });
});

describe("fitTemperature", () => {
  test("of two classes with one margin is the margin by the log-odds of being right", () => {
    // 75 of 100 right with logits 3 and 0: σ(3 / T) = 0.75, so T = 3 / ln 3.
    const texts = Array.from({ length: 100 }, (_, i): ScoredText => ({ logits: [3, 0], expected: i < 75 ? 0 : 1 }));
    expect(fitTemperature(texts)).toBeCloseTo(3 / Math.log(3), 8);
    // Unsure and nearly always right: below one.
    const unsure = Array.from({ length: 100 }, (_, i): ScoredText => ({ logits: [0.1, 0], expected: i < 99 ? 0 : 1 }));
    expect(fitTemperature(unsure)).toBeCloseTo(0.1 / Math.log(99), 8);
  });

  test("finds again by what logits were multiplied", () => {
    // The labels' shares are exactly softmax([ln 1, ln 2, ln 5]).
    const logits = [0, Math.log(2), Math.log(5)].map((logit) => 4 * logit);
    const texts = [0, 1, 1, 2, 2, 2, 2, 2].map((expected) => ({ logits, expected }));
    expect(fitTemperature(texts)).toBeCloseTo(4, 8);
  });

  test("is nowhere worse than its neighbours", () => {
    const logit = fc.double({ min: -8, max: 8, noNaN: true });
    const text = fc.record({ logits: fc.tuple(logit, logit, logit), expected: fc.integer({ min: 0, max: 2 }) });
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 12 }), (texts) => {
        const temperature = fitTemperature(texts);
        const loss = negativeLogLikelihood(texts, temperature);
        for (const factor of [0.9, 1.1]) {
          const other = Math.min(100, Math.max(0.01, factor * temperature));
          expect(loss).toBeLessThanOrEqual(negativeLogLikelihood(texts, other) + 1e-9);
        }
      }),
    );
  });

  test("stays in bounds where there is no optimum", () => {
    expect(fitTemperature([{ logits: [1, 0], expected: 0 }])).toBe(0.01);
    expect(fitTemperature([{ logits: [1, 0], expected: 1 }])).toBe(100);
  });

  test("refuses nothing and a class there is not", () => {
    expect(() => fitTemperature([])).toThrow("expected texts of dev, got none");
    expect(() => fitTemperature([{ logits: [1, 0], expected: 2 }])).toThrow(
      "expected a class from 0 to 1, got 2 of text 1",
    );
  });
});

test("softmax of large logits and the answer's probability", () => {
  expect([...softmax([1000, 1000 + Math.log(3)])]).toEqual([expect.closeTo(0.25, 9), expect.closeTo(0.75, 9)]);
  expect(answerOf([0, 2 * Math.log(3), 0], 2)).toEqual({ predicted: 1, confidence: expect.closeTo(0.6, 9) });
  expect(answerOf([1, 1]).predicted).toBe(0);
});

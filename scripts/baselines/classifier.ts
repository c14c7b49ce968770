/**
 * The linear baseline of a data set: a few settings tried, the one that is best on dev kept, its probabilities
 * calibrated there, and only then measured on test.
 */
import { classesOf, type LabelledText, type Splits } from "../data/classification.ts";
import { answerOf, expectedCalibrationError, fitTemperature } from "../metrics/calibration.ts";
import { type ClassificationQuality, type Labels, measureClassification } from "../metrics/classification.ts";
import { type FeatureOptions, type SparseRows, Vectorizer } from "./features.ts";
import { type LinearModel, type LinearOptions, scoreLinear, trainLinear } from "./linear.ts";

export interface BaselineSettings {
  features: FeatureOptions;
  linear: LinearOptions;
}

export interface Baseline {
  labels: Labels;
  vectorizer: Vectorizer;
  model: LinearModel;
  settings: BaselineSettings;
  /** Divides the logits; fitted on dev. */
  temperature: number;
  /** Share of dev that is right with these settings. */
  devAccuracy: number;
  /** Of training with these settings, features and all, without the other settings that were tried. */
  trainSeconds: number;
}

export interface BaselineTest {
  quality: ClassificationQuality;
  /** 15 bins, before and after the temperature. */
  calibrationError: { raw: number; calibrated: number };
  microsecondsPerText: number;
  /** By text: index of the answer and its calibrated probability. */
  answers: { predicted: number; confidence: number }[];
}

const SEED = 1;
const LEARNING_RATE = 0.5;
const EPOCHS = 10;
const L2 = [1e-6, 3e-6, 1e-5, 3e-5];

/** Words and their pairs, or up to two or three Chinese characters. */
function featureOptions(language: "en" | "zh"): FeatureOptions[] {
  const unit = language === "zh" ? "character" : "word";
  const orders = language === "zh" ? [2, 3] : [1, 2];
  return orders.map((maxOrder) => ({ unit, maxOrder, minCount: 2 }));
}

/** Trains on train and chooses on dev; test is not looked at. */
export function trainBaseline(splits: Omit<Splits, "test">, language: "en" | "zh"): Baseline {
  const labels = classesOf(splits.train);
  const expected = { train: indicesOf(labels, splits.train), dev: indicesOf(labels, splits.dev) };
  let best: (Baseline & { devLogits: Float64Array[] }) | undefined;
  for (const features of featureOptions(language)) {
    const featuresStart = performance.now();
    const vectorizer = new Vectorizer(textsOf(splits.train), features);
    const rows = { train: vectorizer.transform(textsOf(splits.train)), dev: vectorizer.transform(textsOf(splits.dev)) };
    const featuresMs = performance.now() - featuresStart;
    for (const l2 of L2) {
      const linear = { epochs: EPOCHS, learningRate: LEARNING_RATE, l2, seed: SEED };
      const startMs = performance.now();
      const size = { features: vectorizer.features, classes: labels.length };
      const model = trainLinear(rows.train, expected.train, size, linear);
      const trainSeconds = (performance.now() - startMs + featuresMs) / 1000;
      const devLogits = scoreLinear(model, rows.dev);
      const devAccuracy =
        devLogits.filter((logits, i) => answerOf(logits).predicted === expected.dev[i]).length / devLogits.length;
      if (best === undefined || devAccuracy > best.devAccuracy) {
        const settings = { features, linear };
        best = { labels, vectorizer, model, settings, temperature: 1, devAccuracy, trainSeconds, devLogits };
      }
    }
  }
  const { devLogits, ...baseline } = best!;
  const temperature = fitTemperature(devLogits.map((logits, i) => ({ logits, expected: expected.dev[i]! })));
  return { ...baseline, temperature };
}

/** Figures on texts that were neither trained nor chosen on. */
export function testBaseline(baseline: Baseline, test: LabelledText[]): BaselineTest {
  const { labels, vectorizer, model, temperature } = baseline;
  const expected = indicesOf(labels, test);
  const startMs = performance.now();
  const rows: SparseRows = vectorizer.transform(textsOf(test));
  const answers = scoreLinear(model, rows).map((logits) => ({ logits, ...answerOf(logits, temperature) }));
  const elapsedMs = performance.now() - startMs;
  const right = answers.map(({ predicted }, i) => predicted === expected[i]);
  const raw = answers.map(({ logits }) => answerOf(logits).confidence);
  return {
    quality: measureClassification(
      labels,
      expected,
      answers.map(({ predicted }) => predicted),
    ),
    calibrationError: {
      raw: expectedCalibrationError(raw, right),
      calibrated: expectedCalibrationError(
        answers.map(({ confidence }) => confidence),
        right,
      ),
    },
    microsecondsPerText: (1000 * elapsedMs) / test.length,
    answers: answers.map(({ predicted, confidence }) => ({ predicted, confidence })),
  };
}

/** Weights and biases. */
export function parametersOf({ model }: Baseline): number {
  return model.weights.length + model.bias.length;
}

const textsOf = (items: LabelledText[]) => items.map(({ text }) => text);

/** @throws Error naming a label that training did not see */
function indicesOf(labels: Labels, items: LabelledText[]): number[] {
  const numbers = new Map(labels.map((label, i) => [label, i]));
  return items.map(({ label }) => {
    const index = numbers.get(label);
    if (index === undefined) {
      throw new Error(`baseline: expected the labels of train, got ${JSON.stringify(label)}`);
    }
    return index;
  });
}

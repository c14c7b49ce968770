/**
 * The linear baseline of a data set: a few settings tried, the one that is best on dev kept, its probabilities
 * calibrated there, and only then measured on test.
 */
import { logSoftmax } from "../../worker/engine/heads.ts";
import { classesOf, type LabelledText, type Splits } from "../data/classification.ts";
import { answerOf, expectedCalibrationError, fitTemperature } from "../metrics/calibration.ts";
import { type ClassificationQuality, type Labels, measureClassification } from "../metrics/classification.ts";
import { cpuMs } from "../metrics/cpu-time.ts";
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
  /** Processor time of training with these settings, features and all, without the other settings that were tried. */
  trainSeconds: number;
}

export interface BaselineTest {
  quality: ClassificationQuality;
  /** 15 bins, before and after the temperature. */
  calibrationError: { raw: number; calibrated: number };
  /** Processor time, features and all. */
  microsecondsPerText: number;
  /** By text: index of the answer and its calibrated probability. */
  answers: { predicted: number; confidence: number }[];
}

const SEED = 1;
const LEARNING_RATE = 0.5;
/** Few passes over many texts, more over few. */
const epochsFor = (texts: number) => Math.min(20, Math.max(5, Math.round(200_000 / texts)));
/** The n-grams are chosen with the first, then the others are tried with these n-grams. */
const L2 = [1e-5, 1e-6, 3e-6, 3e-5];

/** Words, their pairs and triples, or up to two or three Chinese characters. */
function featureOptions(language: "en" | "zh"): FeatureOptions[] {
  const unit = language === "zh" ? "character" : "word";
  const orders = language === "zh" ? [2, 3] : [1, 2, 3];
  return orders.map((maxOrder) => ({ unit, maxOrder, minCount: 2 }));
}

/** Trains on train and chooses on dev; test is not looked at. */
export function trainBaseline(splits: Omit<Splits, "test">, language: "en" | "zh"): Baseline {
  const labels = classesOf(splits.train);
  const expected = { train: indicesOf(labels, splits.train), dev: indicesOf(labels, splits.dev) };
  const epochs = epochsFor(splits.train.length);
  const candidates = featureOptions(language).map((features) => {
    const encoded = encode(splits, features);
    return {
      encoded,
      baseline: trainWith(encoded, labels, expected, { features, linear: linearOptions(epochs, L2[0]!) }),
    };
  });
  const { encoded, baseline } = candidates.reduce((a, b) => (b.baseline.devAccuracy > a.baseline.devAccuracy ? b : a));
  const { features } = baseline.settings;
  const others = L2.slice(1).map((l2) =>
    trainWith(encoded, labels, expected, { features, linear: linearOptions(epochs, l2) }),
  );
  const best = others.reduce((a, b) => (b.devAccuracy > a.devAccuracy ? b : a), baseline);
  const scored = scoreLinear(best.model, encoded.dev).map((logits, i) => ({ logits, expected: expected.dev[i]! }));
  return { ...best, temperature: fitTemperature(scored) };
}

interface Encoded {
  vectorizer: Vectorizer;
  train: SparseRows;
  dev: SparseRows;
  cpuMs: number;
}

function encode(splits: Omit<Splits, "test">, features: FeatureOptions): Encoded {
  const startMs = cpuMs();
  const vectorizer = new Vectorizer(textsOf(splits.train), features);
  const train = vectorizer.transform(textsOf(splits.train));
  const elapsedMs = cpuMs() - startMs;
  return { vectorizer, train, dev: vectorizer.transform(textsOf(splits.dev)), cpuMs: elapsedMs };
}

function trainWith(
  encoded: Encoded,
  labels: Labels,
  expected: { train: number[]; dev: number[] },
  settings: BaselineSettings,
): Omit<Baseline, "temperature"> {
  const { vectorizer } = encoded;
  const size = { features: vectorizer.features, classes: labels.length };
  const startMs = cpuMs();
  const model = trainLinear(encoded.train, expected.train, size, settings.linear);
  const trainSeconds = (cpuMs() - startMs + encoded.cpuMs) / 1000;
  const answers = scoreLinear(model, encoded.dev).map((logits) => answerOf(logits).predicted);
  const right = answers.filter((predicted, i) => predicted === expected.dev[i]).length;
  return { labels, vectorizer, model, settings, devAccuracy: right / answers.length, trainSeconds };
}

const linearOptions = (epochs: number, l2: number): LinearOptions => ({
  epochs,
  learningRate: LEARNING_RATE,
  l2,
  seed: SEED,
});

/** Figures on texts that were neither trained nor chosen on. */
export function testBaseline(baseline: Baseline, test: LabelledText[]): BaselineTest {
  const { labels, temperature } = baseline;
  const expected = indicesOf(labels, test);
  const startMs = cpuMs();
  const scores = scoreTexts(baseline, textsOf(test));
  const answers = scores.map((logits) => ({ logits, ...answerOf(logits, temperature) }));
  const elapsedMs = cpuMs() - startMs;
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

/** Index of the most probable label of each text, and its calibrated probability. */
export function answerTexts(baseline: Baseline, texts: string[]): { predicted: number; confidence: number }[] {
  return scoreTexts(baseline, texts).map((logits) => answerOf(logits, baseline.temperature));
}

/** Calibrated log_probs [classes] of each text. */
export function logProbsOf(baseline: Baseline, texts: string[]): Float64Array[] {
  return scoreTexts(baseline, texts).map((logits) => logSoftmax(logits, baseline.temperature));
}

/** Logits [classes] of each text. */
function scoreTexts({ vectorizer, model }: Baseline, texts: string[]): Float64Array[] {
  const rows: SparseRows = vectorizer.transform(texts);
  return scoreLinear(model, rows);
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

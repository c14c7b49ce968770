/**
 * Multinomial logistic regression over sparse features, the classic to beat: AdaGrad (Duchi et al. 2011) with a
 * learning rate that falls to zero, one text a step in a seeded order, and an L2 penalty applied lazily as its
 * proximal step (Duchi and Singer 2009), to a feature's weights when the feature is met next.
 */
import { shuffle, uniformStream } from "../training/random.ts";
import type { SparseRows } from "./features.ts";

export interface LinearOptions {
  epochs: number;
  learningRate: number;
  /** λ of the mean loss + λ/2 · the weights' sum of squares. The bias is free. */
  l2: number;
  seed: number;
}

export interface LinearModel {
  classes: number;
  /** [features, classes] */
  weights: Float32Array;
  /** [classes] */
  bias: Float32Array;
}

/** AdaGrad divides by the root of this sum of squared gradients; it starts above zero. */
const FIRST_SQUARE = 1e-8;

/**
 * @param rows [texts, features]
 * @param labels index of each text's class
 * @throws Error if the lengths differ
 */
export function trainLinear(
  rows: SparseRows,
  labels: ArrayLike<number>,
  size: { features: number; classes: number },
  options: LinearOptions,
): LinearModel {
  const { features, classes } = size;
  const { epochs, learningRate, l2, seed } = options;
  const texts = rows.offsets.length - 1;
  if (labels.length !== texts)
    throw new Error(`trainLinear: expected ${texts} labels, one a text, got ${labels.length}`);
  const model = { classes, weights: new Float32Array(features * classes), bias: new Float32Array(classes) };
  const { weights, bias } = model;
  const squares = new Float32Array(features * classes).fill(FIRST_SQUARE);
  /** Their inverse roots, by which steps are scaled: kept, as they are read more often than they change. */
  const scales = new Float32Array(features * classes).fill(FIRST_SQUARE ** -0.5);
  const biasSquares = new Float32Array(classes).fill(FIRST_SQUARE);
  /** [features]: the sum of learning rates up to the step at which the penalty was applied last. */
  const applied = new Float64Array(features);
  let rates = 0;
  const penalize = (feature: number) => {
    const due = l2 * (rates - applied[feature]!);
    applied[feature] = rates;
    if (due === 0) return;
    for (let i = feature * classes, end = i + classes; i < end; i++) {
      weights[i] = weights[i]! / (1 + due * scales[i]!);
    }
  };

  const order = shuffle(
    Array.from({ length: texts }, (_, i) => i),
    uniformStream(seed),
  );
  const probabilities = new Float64Array(classes);
  const uniform = uniformStream(seed + 1);
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffle(order, uniform);
    for (let step = 0; step < texts; step++) {
      const text = order[step]!;
      const rate = learningRate * (1 - (epoch * texts + step) / (epochs * texts));
      const start = rows.offsets[text]!;
      const end = rows.offsets[text + 1]!;
      for (let entry = start; entry < end; entry++) penalize(rows.columns[entry]!);
      logitsOf(model, rows, text, probabilities);
      toGradient(probabilities, labels[text]!);
      for (let entry = start; entry < end; entry++) {
        const at = rows.columns[entry]! * classes;
        const value = rows.values[entry]!;
        for (let c = 0; c < classes; c++) {
          const gradient = probabilities[c]! * value;
          const square = squares[at + c]! + gradient * gradient;
          const scale = 1 / Math.sqrt(square);
          squares[at + c] = square;
          scales[at + c] = scale;
          weights[at + c] = weights[at + c]! - rate * gradient * scale;
        }
      }
      for (let c = 0; c < classes; c++) {
        biasSquares[c] = biasSquares[c]! + probabilities[c]! ** 2;
        bias[c] = bias[c]! - (rate * probabilities[c]!) / Math.sqrt(biasSquares[c]!);
      }
      rates += rate;
    }
  }
  for (let feature = 0; feature < features; feature++) penalize(feature);
  return model;
}

/** Logits of every row, [rows][classes]. */
export function scoreLinear(model: LinearModel, rows: SparseRows): Float64Array[] {
  return Array.from({ length: rows.offsets.length - 1 }, (_, row) =>
    logitsOf(model, rows, row, new Float64Array(model.classes)),
  );
}

function logitsOf({ classes, weights, bias }: LinearModel, rows: SparseRows, row: number, into: Float64Array) {
  into.set(bias);
  for (let entry = rows.offsets[row]!; entry < rows.offsets[row + 1]!; entry++) {
    const at = rows.columns[entry]! * classes;
    const value = rows.values[entry]!;
    for (let c = 0; c < classes; c++) into[c] = into[c]! + value * weights[at + c]!;
  }
  return into;
}

/** Logits become the gradient of the cross-entropy by them: softmax less one at the label. */
function toGradient(logits: Float64Array, label: number): void {
  let largest = -Infinity;
  for (let c = 0; c < logits.length; c++) largest = Math.max(largest, logits[c]!);
  let total = 0;
  for (let c = 0; c < logits.length; c++) {
    logits[c] = Math.exp(logits[c]! - largest);
    total += logits[c]!;
  }
  for (let c = 0; c < logits.length; c++) logits[c] = logits[c]! / total;
  logits[label] = logits[label]! - 1;
}

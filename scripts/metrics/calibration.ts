/**
 * Whether "80 % sure" is right in 80 of 100 cases: expected calibration error over 15 bins of equal width, and the one
 * temperature that mends it, fitted on dev (Guo et al. 2017, arXiv:1706.04599, sections 2 and 4.2).
 */

/** As in the paper's tables. */
const BINS = 15;

export interface CalibrationBin {
  /** Confidences in (low, high]; the first bin has 0, too. */
  low: number;
  high: number;
  texts: number;
  /** Mean over the texts of the bin, 0…1; NaN without one. */
  confidence: number;
  accuracy: number;
}

/**
 * Texts by how sure the model was of its answer.
 * @param confidences probability of each text's answer, 0…1
 * @param right whether that answer is right
 * @throws Error if the lengths differ or a confidence is no probability
 */
export function calibrationBins(
  confidences: ArrayLike<number>,
  right: ArrayLike<boolean>,
  bins: number = BINS,
): CalibrationBin[] {
  if (confidences.length !== right.length) {
    throw new Error(`calibrationBins: expected ${confidences.length} verdicts, one a confidence, got ${right.length}`);
  }
  const sums = Array.from({ length: bins }, () => ({ texts: 0, confidence: 0, right: 0 }));
  for (let i = 0; i < confidences.length; i++) {
    const confidence = confidences[i]!;
    // A sum of rounded probabilities may lie a little above one.
    if (!(confidence >= 0 && confidence <= 1 + 1e-6)) {
      throw new Error(`calibrationBins: expected a probability, got ${confidence} of text ${i + 1}`);
    }
    const bin = sums[Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1))]!;
    bin.texts++;
    bin.confidence += confidence;
    if (right[i]) bin.right++;
  }
  return sums.map((bin, i) => ({
    low: i / bins,
    high: (i + 1) / bins,
    texts: bin.texts,
    confidence: bin.confidence / bin.texts,
    accuracy: bin.right / bin.texts,
  }));
}

/**
 * Mean distance between confidence and accuracy over the texts' bins, 0…1; NaN without a text.
 * Arguments and errors as of `calibrationBins`.
 */
export function expectedCalibrationError(
  confidences: ArrayLike<number>,
  right: ArrayLike<boolean>,
  bins: number = BINS,
): number {
  let error = 0;
  for (const { texts, confidence, accuracy } of calibrationBins(confidences, right, bins)) {
    if (texts > 0) error += texts * Math.abs(confidence - accuracy);
  }
  return error / confidences.length;
}

const CHANCE_RUNS = 200;

/**
 * The error that probabilities as these would show on average if they were exactly right: so many texts fall a little off
 * by chance, few texts more than many. What is measured is good if it is near.
 * @param uniform 0…1, for what is drawn
 */
export function calibrationErrorByChance(confidences: ArrayLike<number>, uniform: () => number): number {
  let total = 0;
  for (let run = 0; run < CHANCE_RUNS; run++) {
    const right = Array.from(confidences, (confidence) => uniform() < confidence);
    total += expectedCalibrationError(confidences, right);
  }
  return total / CHANCE_RUNS;
}

/** One text's logits, [classes], and the index of its class. */
export interface ScoredText {
  logits: ArrayLike<number>;
  expected: number;
}

/** Beyond these no text's answer changes any more in what can be told: the fit is a bound, not an optimum. */
const MIN_TEMPERATURE = 0.01;
const MAX_TEMPERATURE = 100;
const MAX_STEPS = 60;

/**
 * The temperature T that makes softmax(logits / T) the likeliest, in nats: Newton's method on 1/T, in which the loss is
 * convex, within a bracket that halves wherever a Newton step would leave it. Accuracy does not change.
 * @throws Error without texts, or if a class is out of range
 */
export function fitTemperature(texts: ScoredText[]): number {
  if (texts.length === 0) throw new Error("fitTemperature: expected texts of dev, got none");
  for (const [i, { logits, expected }] of texts.entries()) {
    if (logits[expected] === undefined) {
      throw new Error(
        `fitTemperature: expected a class from 0 to ${logits.length - 1}, got ${expected} of text ${i + 1}`,
      );
    }
  }
  let low = 1 / MAX_TEMPERATURE;
  let high = 1 / MIN_TEMPERATURE;
  if (slope(texts, low).first >= 0) return 1 / low;
  if (slope(texts, high).first <= 0) return 1 / high;
  let inverse = 1;
  for (let step = 0; step < MAX_STEPS && high - low > 1e-9 * high; step++) {
    const { first, second } = slope(texts, inverse);
    if (first > 0) high = inverse;
    else low = inverse;
    const newton = inverse - first / second;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - inverse) <= 1e-10 * inverse) break;
    inverse = next;
  }
  return 1 / inverse;
}

/** First and second derivative of the mean negative log-likelihood by 1/T: the logits' mean less the right one, and their variance. */
function slope(texts: ScoredText[], inverse: number): { first: number; second: number } {
  let first = 0;
  let second = 0;
  for (const { logits, expected } of texts) {
    const probabilities = softmax(logits, 1 / inverse);
    let mean = 0;
    for (let c = 0; c < logits.length; c++) mean += probabilities[c]! * logits[c]!;
    let variance = 0;
    for (let c = 0; c < logits.length; c++) variance += probabilities[c]! * (logits[c]! - mean) ** 2;
    first += mean - logits[expected]!;
    second += variance;
  }
  return { first: first / texts.length, second: second / texts.length };
}

/** Mean negative log-likelihood in nats of softmax(logits / temperature). */
export function negativeLogLikelihood(texts: ScoredText[], temperature = 1): number {
  let loss = 0;
  for (const { logits, expected } of texts) loss -= Math.log(softmax(logits, temperature)[expected]!);
  return loss / texts.length;
}

/** Probabilities of logits at a temperature, [classes]. */
export function softmax(logits: ArrayLike<number>, temperature = 1): Float64Array {
  const probabilities = Float64Array.from(logits);
  let largest = -Infinity;
  for (const logit of probabilities) largest = Math.max(largest, logit);
  let total = 0;
  for (let c = 0; c < probabilities.length; c++) {
    probabilities[c] = Math.exp((probabilities[c]! - largest) / temperature);
    total += probabilities[c]!;
  }
  return probabilities.map((value) => value / total);
}

/** The class with the highest logit (the first of equals) and its probability at a temperature. */
export function answerOf(logits: ArrayLike<number>, temperature = 1): { predicted: number; confidence: number } {
  let predicted = 0;
  for (let c = 1; c < logits.length; c++) if (logits[c]! > logits[predicted]!) predicted = c;
  return { predicted, confidence: softmax(logits, temperature)[predicted]! };
}

/**
 * How sure an answer is: the probability that the best entry is a right one, from its cosine with the question, by
 * logistic regression on dev: of pairs on CLINC150's questions, those that are out of scope among them, in bases of 5, 20
 * and 100 questions an intent; of documents on a tenth of SQuAD-shifts' held-out paragraphs. `npm run eval -- embed-en
 * --split dev` prints the fit. Where a document was read, the reader's own confidence is multiplied to it.
 */
import type { PassageKind } from "./fusion.ts";

export interface Calibration {
  slope: number;
  offset: number;
}

export const CALIBRATION: Record<PassageKind, Calibration> = {
  pair: { slope: 15.01, offset: -10.29 },
  document: { slope: 4.99, offset: -2.76 },
};

/** Below this an answer is handed over, if a base says nothing else: it is then more likely wrong than right. */
export const DEFAULT_THRESHOLD = 0.5;

export function confidenceOf(cosine: number, { slope, offset }: Calibration): number {
  return 1 / (1 + Math.exp(-(slope * cosine + offset)));
}

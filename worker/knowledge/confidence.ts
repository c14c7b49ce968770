/**
 * How sure an answer is: the probability that a person would call the best entry right, from its cosine with the
 * question, by logistic regression on dev questions of CLINC150, those that are out of scope among them (`npm run eval
 * -- embed-en --split dev` prints the fit). Where a document was read, the reader's own confidence is multiplied to it.
 */

import type { PassageKind } from "./fusion.ts";

export interface Calibration {
  slope: number;
  offset: number;
}

export const CALIBRATION: Record<PassageKind, Calibration> = {
  pair: { slope: 12.14, offset: -7.69 },
  document: { slope: 4, offset: -2 },
};

/** Below this an answer is handed over, if a base says nothing else: of its answers nine in ten are right on dev. */
export const DEFAULT_THRESHOLD = 0.5;

export function confidenceOf(cosine: number, { slope, offset }: Calibration): number {
  return 1 / (1 + Math.exp(-(slope * cosine + offset)));
}

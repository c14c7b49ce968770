/**
 * Why a text got its label: the weight of each part of it, found by leaving the part out and asking again (erasure; Li
 * et al. 2016, arXiv:1612.08220). A weight is the drop of the label's log-odds, so it is positive for what speaks for
 * the label, negative for what speaks against it, and comparable between texts. Exact for one part at a time; what two
 * parts say only together is in the weights of both, or of neither.
 */
import { type Classifier, type ClassifyOptions, classify, combineWindows, logSumExp } from "./heads.ts";

/** A text that has been classified. */
export interface ClassifiedText {
  /** Token ids of its windows, without the end token. */
  windows: readonly (readonly number[])[];
  /** What `classify` said to each window. */
  logProbs: readonly (readonly Float64Array[])[];
}

/** The text without one of its parts: what is left of the window that it stands in. */
export interface Remainder {
  window: number;
  tokens: readonly number[];
}

/**
 * @param labels for each of the heads, whose log-odds to compare
 * @param options the heads that `text` was classified by
 * @returns for each of the heads the weight of each part, [heads][parts]
 */
export async function leaveOneOut(
  model: Classifier,
  text: ClassifiedText,
  remainders: readonly Remainder[],
  labels: readonly number[],
  options: ClassifyOptions = {},
): Promise<Float64Array[]> {
  const answers = await classify(
    model,
    remainders.map(({ tokens }) => tokens),
    options,
  );
  const lengths = text.windows.map((tokens) => tokens.length);
  return labels.map((label, head) => {
    const windows = text.logProbs.map((heads) => heads[head]!);
    const whole = logOdds(combineWindows(windows, lengths), label);
    return Float64Array.from(remainders, ({ window, tokens }, i) => {
      const logProbs = combineWindows(windows.with(window, answers[i]![head]!), lengths.with(window, tokens.length));
      return whole - logOdds(logProbs, label);
    });
  });
}

/** log(p / (1 − p)) of one label, exact for p close to 1, too. */
export function logOdds(logProbs: Float64Array, label: number): number {
  return logProbs[label]! - logSumExp(logProbs.filter((_, i) => i !== label));
}

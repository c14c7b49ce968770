/**
 * Corpus BLEU (Papineni et al. 2002) with sacreBLEU's arithmetic (Post 2018, arXiv:1804.08771): n-grams up to 4,
 * clipped to the most generous reference, the closest reference length, and the exponential smoothing of mteval-v13a.
 * The score of a single sentence (effective order) is not offered.
 */
import { checkCorpus, countMatches, countNgrams } from "./ngrams.ts";
import { splitWords, tokenize13a, trimEnd } from "./words.ts";

export interface BleuOptions {
  lowercase?: boolean;
  /** "none" splits at white space only, for text that is tokenized already. */
  tokenize?: "13a" | "none";
  maxOrder?: number;
}

export interface BleuScore {
  /** 0…100 */
  score: number;
  /** One per order, 0…100. */
  precisions: number[];
  brevityPenalty: number;
  /** In words. */
  hypothesisLength: number;
  referenceLength: number;
  /** What the score depends on, as sacreBLEU prints it (without its version). */
  signature: string;
}

/** Sums over the corpus, from which alone the score is computed. */
export interface BleuStatistics {
  /** Matching n-grams, one count per order. */
  matches: number[];
  /** N-grams of the hypotheses, one count per order. */
  totals: number[];
  hypothesisLength: number;
  referenceLength: number;
}

/**
 * @param references one array per set of references, each as long as `hypotheses`
 * @throws Error if the lengths differ
 */
export function corpusBleu(hypotheses: string[], references: string[][], options: BleuOptions = {}): BleuScore {
  const { lowercase = false, tokenize = "13a" } = options;
  const score = scoreOf(bleuStatistics(hypotheses, references, options));
  const letterCase = lowercase ? "lc" : "mixed";
  return { ...score, signature: `nrefs:${references.length}|case:${letterCase}|eff:no|tok:${tokenize}|smooth:exp` };
}

/** The sums of a corpus; arguments and errors as of `corpusBleu`. */
export function bleuStatistics(
  hypotheses: string[],
  references: string[][],
  options: BleuOptions = {},
): BleuStatistics {
  const { lowercase = false, tokenize = "13a", maxOrder = 4 } = options;
  checkCorpus("corpusBleu", hypotheses, references);
  const words = (sentence: string) => {
    const text = trimEnd(lowercase ? sentence.toLowerCase() : sentence);
    return tokenize === "13a" ? tokenize13a(text) : splitWords(text);
  };
  const sums: BleuStatistics = {
    matches: new Array<number>(maxOrder).fill(0),
    totals: new Array<number>(maxOrder).fill(0),
    hypothesisLength: 0,
    referenceLength: 0,
  };
  for (const [row, sentence] of hypotheses.entries()) {
    const hypothesis = words(sentence);
    const own = references.map((set) => words(set[row]!));
    sums.hypothesisLength += hypothesis.length;
    sums.referenceLength += closestLength(
      hypothesis.length,
      own.map((reference) => reference.length),
    );
    for (let n = 1; n <= maxOrder; n++) {
      const counts = own.map((reference) => countNgrams(reference, n, " "));
      sums.matches[n - 1]! += countMatches(countNgrams(hypothesis, n, " "), mostOf(counts));
      sums.totals[n - 1]! += Math.max(0, hypothesis.length - n + 1);
    }
  }
  return sums;
}

/** Of two lengths equally close, the shorter one. */
function closestLength(length: number, candidates: number[]): number {
  return candidates.reduce((best, candidate) => {
    const gain = Math.abs(best - length) - Math.abs(candidate - length);
    return gain > 0 || (gain === 0 && candidate < best) ? candidate : best;
  });
}

/** Each n-gram as often as the reference that has it most often. */
function mostOf(counts: Map<string, number>[]): Map<string, number> {
  const [most, ...others] = counts as [Map<string, number>, ...Map<string, number>[]];
  for (const other of others) {
    for (const [ngram, count] of other) most.set(ngram, Math.max(most.get(ngram) ?? 0, count));
  }
  return most;
}

/** The score of the sums. */
export function scoreOf(statistics: BleuStatistics): Omit<BleuScore, "signature"> {
  const { matches, totals, hypothesisLength, referenceLength } = statistics;
  const precisions = new Array<number>(matches.length).fill(0);
  let brevityPenalty = 1;
  if (hypothesisLength < referenceLength) {
    brevityPenalty = hypothesisLength === 0 ? 0 : Math.exp(1 - referenceLength / hypothesisLength);
  }
  // Nothing matches: no smoothing can make a translation of that.
  const anyMatch = matches.some((count) => count > 0);
  let smoothing = 1;
  for (let n = 0; anyMatch && n < matches.length && totals[n]! > 0; n++) {
    if (matches[n] === 0) smoothing *= 2;
    precisions[n] = matches[n] === 0 ? 100 / (smoothing * totals[n]!) : (100 * matches[n]!) / totals[n]!;
  }
  const meanLog = precisions.reduce((sum, precision) => sum + Math.log(precision), 0) / precisions.length;
  return { score: brevityPenalty * Math.exp(meanLog), precisions, brevityPenalty, hypothesisLength, referenceLength };
}

/**
 * Corpus chrF (Popović 2015) with sacreBLEU's arithmetic: F-score of character n-grams 1…6 without white space,
 * recall weighted beta² = 4 times (chrF2), precision and recall averaged over the orders that occur on both sides
 * ("effective order"). Word n-grams (chrF++) are not offered.
 */
import { checkCorpus, countMatches, countNgrams } from "./ngrams.ts";
import { removeSpaces } from "./words.ts";

export interface ChrfOptions {
  lowercase?: boolean;
  beta?: number;
  maxOrder?: number;
  /** Count white space as characters too. */
  whitespace?: boolean;
}

export interface ChrfScore {
  /** 0…100 */
  score: number;
  /** What the score depends on, as sacreBLEU prints it (without its version). */
  signature: string;
}

/** Character n-grams of one order: of the hypothesis, of the reference, and in both. */
interface OrderCounts {
  hypothesis: number;
  reference: number;
  matches: number;
}

/**
 * @param references one array per set of references, each as long as `hypotheses`; of several references to a
 *   sentence, the one that scores best counts
 * @throws Error if the lengths differ
 */
export function corpusChrf(hypotheses: string[], references: string[][], options: ChrfOptions = {}): ChrfScore {
  const { lowercase = false, beta = 2, maxOrder = 6, whitespace = false } = options;
  checkCorpus("corpusChrf", hypotheses, references);
  // Characters are code points, as in Python.
  const characters = (sentence: string) => {
    const text = lowercase ? sentence.toLowerCase() : sentence;
    return Array.from(whitespace ? text : removeSpaces(text));
  };
  const sums = Array.from({ length: maxOrder }, (): OrderCounts => ({ hypothesis: 0, reference: 0, matches: 0 }));
  for (const [row, sentence] of hypotheses.entries()) {
    const hypothesis = characters(sentence);
    const candidates = references.map((set) => countOrders(hypothesis, characters(set[row]!), maxOrder));
    const best = candidates.reduce((a, b) => (fScore(b, beta) > fScore(a, beta) ? b : a));
    for (const [order, counts] of best.entries()) {
      sums[order]!.hypothesis += counts.hypothesis;
      sums[order]!.reference += counts.reference;
      sums[order]!.matches += counts.matches;
    }
  }
  const letterCase = lowercase ? "lc" : "mixed";
  const space = whitespace ? "yes" : "no";
  const signature = `nrefs:${references.length}|case:${letterCase}|eff:yes|nc:${maxOrder}|nw:0|space:${space}`;
  return { score: fScore(sums, beta), signature };
}

function countOrders(hypothesis: string[], reference: string[], maxOrder: number): OrderCounts[] {
  return Array.from({ length: maxOrder }, (_, i) => {
    const inReference = Math.max(0, reference.length - i);
    return {
      // A reference too short for this order says nothing about the hypothesis.
      hypothesis: inReference === 0 ? 0 : Math.max(0, hypothesis.length - i),
      reference: inReference,
      matches: countMatches(countNgrams(hypothesis, i + 1, ""), countNgrams(reference, i + 1, "")),
    };
  });
}

/** 0…100 */
function fScore(orders: OrderCounts[], beta: number): number {
  const effective = orders.filter((counts) => counts.hypothesis > 0 && counts.reference > 0);
  if (effective.length === 0) return 0;
  let precision = 0;
  let recall = 0;
  for (const counts of effective) {
    precision += counts.matches / counts.hypothesis;
    recall += counts.matches / counts.reference;
  }
  precision /= effective.length;
  recall /= effective.length;
  if (precision + recall === 0) return 0;
  const weight = beta ** 2;
  return (100 * (1 + weight) * precision * recall) / (weight * precision + recall);
}

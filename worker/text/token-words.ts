/**
 * Words of a sequence of tokens, and which tokens each is made of. Unlike those of words.ts, punctuation stands alone,
 * because it has a weight of its own in an alignment.
 */
import type { Tokenizer } from "../model/tokenizer.ts";

export interface TokenWords {
  /** Put together they are the decoded text. White space goes with the word after it. */
  words: string[];
  /** For each token the index of the word in which it ends. */
  wordOf: number[];
}

/** U+FFFD at the end of a decoded text: the bytes of a character that is not yet complete. */
export const INCOMPLETE = /\uFFFD+$/;

const segmenters = new Map<string, Intl.Segmenter>();

function wordSegmenter(language: string): Intl.Segmenter {
  const segmenter = segmenters.get(language) ?? new Intl.Segmenter(language, { granularity: "word" });
  segmenters.set(language, segmenter);
  return segmenter;
}

/**
 * @param tokens without special ones
 * @param language BCP 47 code of the text
 */
export function tokenWords(tokens: readonly number[], language: string, tokenizer: Tokenizer): TokenWords {
  const words = splitWordsAndMarks(tokenizer.decode([...tokens]), language);
  const ends: number[] = [];
  for (const word of words) ends.push((ends.at(-1) ?? 0) + word.length);
  let word = 0;
  const wordOf = tokens.map((_, i) => {
    const decoded = tokenizer.decode(tokens.slice(0, i + 1)).replace(INCOMPLETE, "");
    while (word < words.length - 1 && ends[word]! < decoded.length) word++;
    return word;
  });
  return { words, wordOf };
}

function splitWordsAndMarks(text: string, language: string): string[] {
  const words: string[] = [];
  let space = "";
  for (const { segment } of wordSegmenter(language).segment(text)) {
    if (segment.trim() === "") space += segment;
    else {
      words.push(space + segment);
      space = "";
    }
  }
  if (space !== "") words.push((words.pop() ?? "") + space);
  return words;
}

/**
 * Weights between tokens as weights between words: a target word's are the mean over its tokens, a source word's the sum.
 * A token that spans several target words counts for each of them.
 * @param weights [target tokens][source tokens]
 * @returns [target words][source words]
 */
export function wordWeights(weights: readonly Float32Array[], source: TokenWords, target: TokenWords): number[][] {
  // Tokens that are all special have no words.
  if (source.words.length === 0 || target.words.length === 0) return target.words.map(() => []);
  const sums = target.words.map(() => new Array<number>(source.words.length).fill(0));
  const counts = new Array<number>(target.words.length).fill(0);
  let firstUncovered = 0;
  for (const [t, row] of weights.entries()) {
    const last = target.wordOf[t]!;
    for (let word = Math.min(firstUncovered, last); word <= last; word++) {
      counts[word]!++;
      row.forEach((weight, s) => {
        sums[word]![source.wordOf[s]!]! += weight;
      });
    }
    firstUncovered = last + 1;
  }
  return sums.map((row, word) => row.map((sum) => sum / Math.max(1, counts[word]!)));
}

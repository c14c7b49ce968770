/**
 * The lexical shortlist of a translation model (as of Marian's students: Kim et al. 2019, "From Research to Production
 * and Back"): for each source token the target tokens that it is likely translated to, and the most frequent target
 * tokens for every sentence. What the engine makes of it is worker/engine/shortlist.ts.
 */
import { SHORTLIST_MIN_COMMON, type ShortlistLists } from "../../worker/model/format.ts";
import type { TokenPair } from "./model1.ts";
import { trainModel1 } from "./model1.ts";

export interface ShortlistOptions {
  /** Target tokens of a source token, at most. */
  best: number;
  /** The most frequent target tokens, which every sentence has. */
  frequent: number;
}

export const SHORTLIST_DEFAULTS: ShortlistOptions = { best: 32, frequent: 128 };
/** Rarer translations than this are noise of the alignment. */
const MIN_PROBABILITY = 1e-4;

/** @param always tokens of every sentence besides the frequent ones: the end token */
export function makeShortlist(
  pairs: readonly TokenPair[],
  vocabSize: number,
  always: readonly number[],
  { best, frequent }: ShortlistOptions = SHORTLIST_DEFAULTS,
): ShortlistLists {
  const { offsets, targets, probabilities } = trainModel1(pairs, vocabSize);
  const ofToken = Array.from({ length: vocabSize }, (_, token) => {
    const [start, end] = [offsets[token]!, offsets[token + 1]!];
    // Never seen as a source: a name or a number, whose pieces stay as they are.
    if (start === end) return [token];
    const places = Array.from({ length: end - start }, (_, i) => start + i);
    return places
      .filter((place) => probabilities[place]! >= MIN_PROBABILITY)
      .sort((a, b) => probabilities[b]! - probabilities[a]!)
      .slice(0, best)
      .map((place) => targets[place]!);
  });
  const counts = new Int32Array(vocabSize);
  for (const { target } of pairs) for (const token of target) counts[token]!++;
  const byCount = [...counts.keys()].sort((a, b) => counts[b]! - counts[a]!);
  const common = new Set([...always, ...byCount.slice(0, Math.max(frequent, SHORTLIST_MIN_COMMON))]);
  return { ofToken, common: [...common] };
}

/** How much of some target sentences their source's candidates hold, and how many candidates there are. */
export function shortlistCoverage(
  { ofToken, common }: ShortlistLists,
  pairs: readonly TokenPair[],
): { tokens: number; sentences: number; candidates: number } {
  let [found, tokens, whole, candidates] = [0, 0, 0, 0];
  for (const { source, target } of pairs) {
    const union = new Set([...common, ...source.flatMap((token) => ofToken[token]!)]);
    const present = target.filter((token) => union.has(token)).length;
    found += present;
    tokens += target.length;
    if (present === target.length) whole++;
    candidates += union.size;
  }
  return { tokens: found / tokens, sentences: whole / pairs.length, candidates: candidates / pairs.length };
}

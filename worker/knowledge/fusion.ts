/**
 * Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): what is near the front of either ranking comes to the
 * front, and scores that cannot be compared need not be. Weighted: the vectors find more than the words.
 */

/** Of the paper: how much the very first places count for more than those behind them. */
const RANK_OFFSET = 60;
/** Chosen on the dev questions of CLINC150 and Banking77: `npm run eval -- embed-en`. The vectors' is 1. */
export const WORDS_WEIGHT = 0.3;

export interface Fused {
  row: number;
  score: number;
  /** Places in the two rankings, from 0 on; null if it is not in there. */
  vectorRank: number | null;
  wordsRank: number | null;
}

/**
 * @param byVector rows, best first
 * @param byWords rows, best first
 * @returns all of them, best first; of equal ones the vectors decide
 */
export function fuse(byVector: readonly number[], byWords: readonly number[], wordsWeight = WORDS_WEIGHT): Fused[] {
  const fused = new Map<number, Fused>();
  const entryOf = (row: number) => {
    const entry = fused.get(row) ?? { row, score: 0, vectorRank: null, wordsRank: null };
    fused.set(row, entry);
    return entry;
  };
  for (const [rank, row] of byVector.entries()) {
    const entry = entryOf(row);
    entry.vectorRank = rank;
    entry.score += 1 / (RANK_OFFSET + rank + 1);
  }
  for (const [rank, row] of byWords.entries()) {
    const entry = entryOf(row);
    entry.wordsRank = rank;
    entry.score += wordsWeight / (RANK_OFFSET + rank + 1);
  }
  // The sort is stable, and rows of the vectors went in first.
  return [...fused.values()].sort((a, b) => b.score - a.score);
}

/**
 * Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): what is near the front of either ranking comes to the
 * front, and scores that cannot be compared need not be. Weighted by what a passage is: where questions are compared with
 * questions, the vectors know better; where a text is searched for an answer, the words do.
 */

/** Of the paper: how much the very first places count for more than those behind them. */
const RANK_OFFSET = 60;
/**
 * Shares of the words, the vectors have the rest. Chosen on dev: `npm run eval -- embed-en --split dev`. Of documents the
 * vectors know so much less that any share of theirs is a loss: they only order what the words do not find.
 */
export const WORDS_SHARE = { pair: 0.1, document: 1 };

export type PassageKind = keyof typeof WORDS_SHARE;

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
 * @param shareOf the words' share of a row's score, 0…1
 * @returns all of them, best first; of equal ones the vectors decide
 */
export function fuse(
  byVector: readonly number[],
  byWords: readonly number[],
  shareOf: (row: number) => number,
): Fused[] {
  const fused = new Map<number, Fused>();
  const entryOf = (row: number) => {
    const entry = fused.get(row) ?? { row, score: 0, vectorRank: null, wordsRank: null };
    fused.set(row, entry);
    return entry;
  };
  for (const [rank, row] of byVector.entries()) {
    const entry = entryOf(row);
    entry.vectorRank = rank;
    entry.score += (1 - shareOf(row)) / (RANK_OFFSET + rank + 1);
  }
  for (const [rank, row] of byWords.entries()) {
    const entry = entryOf(row);
    entry.wordsRank = rank;
    entry.score += shareOf(row) / (RANK_OFFSET + rank + 1);
  }
  // The sort is stable, and rows of the vectors went in first.
  return [...fused.values()].sort((a, b) => b.score - a.score);
}

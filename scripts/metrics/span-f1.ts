/**
 * Exact match and word F1 of answers as the evaluation script of SQuAD 1.1 counts them (Rajpurkar et al. 2016,
 * arXiv:1606.05250): lower case, without punctuation and articles; of several right answers the one that suits best.
 */

/** ASCII's, as Python's `string.punctuation`. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g;

/** The words that count. */
export function answerWords(answer: string): string[] {
  const text = answer.toLowerCase().replace(PUNCTUATION, "");
  return text
    .replace(/\b(?:a|an|the)\b/g, " ")
    .split(/\s+/)
    .filter(Boolean);
}

/** 0…1 */
export function wordF1(answer: string, right: string): number {
  const [words, rightWords] = [answerWords(answer), answerWords(right)];
  if (words.length === 0 || rightWords.length === 0) return Number(words.length === rightWords.length);
  const left = new Map<string, number>();
  for (const word of rightWords) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of words) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    shared++;
    left.set(word, count - 1);
  }
  return (2 * shared) / (words.length + rightWords.length);
}

/** With the right answer that suits best, 0…1 each. */
export function spanScores(answer: string, right: readonly string[]): { f1: number; exact: number } {
  const words = answerWords(answer).join(" ");
  return {
    f1: right.reduce((best, one) => Math.max(best, wordF1(answer, one)), 0),
    exact: Number(right.some((one) => answerWords(one).join(" ") === words)),
  };
}

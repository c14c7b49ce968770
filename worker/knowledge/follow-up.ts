/**
 * Questions that lean on what was said before. "And on Sundays?" is searched together with the question before it; a
 * question that stands by itself is searched as it is, or an earlier subject would draw it away.
 */

export interface Turn {
  role: "user" | "assistant";
  content: string;
}

/** A question with fewer telling words than this leans on the one before. */
const MIN_TELLING_WORDS = 3;

const LEANING =
  /^(and|but|or|so|then|what about|how about|what if|why not|why|how so|really|in that case)\b|\b(it|its|they|them|their|this|that|these|those|he|him|his|she|her|one|ones|there|then|same|instead|otherwise|else)\b/i;

/** English words that say nothing of a subject. */
const FUNCTION_WORDS = new Set(
  (
    "a about am an and any are as at be been but by can could did do does for from get had has have how i if in is " +
    "may me my need of on or our please should so the there to us want was we were what when where which who why will " +
    "with would you your"
  ).split(" "),
);

export function leansOnHistory(question: string): boolean {
  if (LEANING.test(question.trim())) return true;
  const words = question.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.filter((word) => !FUNCTION_WORDS.has(word)).length < MIN_TELLING_WORDS;
}

/** What is searched: the question, behind the last one of the user if it leans on that. */
export function searchText(question: string, history: readonly Turn[]): string {
  const before = history.findLast(({ role }) => role === "user");
  return before && leansOnHistory(question) ? `${before.content} ${question}` : question;
}

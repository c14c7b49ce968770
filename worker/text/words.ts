/**
 * A text in parts that a reader sees as words: by the rules of Unicode (UAX #29, by `Intl.Segmenter`), which cut
 * Chinese and Thai, too. Nothing is lost: punctuation goes with the word before it, white space and what opens a word
 * with the one after. An emoji is a word.
 */

const segmenters = new Map<string, Intl.Segmenter>();

function wordSegmenter(language: string): Intl.Segmenter {
  const segmenter = segmenters.get(language) ?? new Intl.Segmenter(language, { granularity: "word" });
  segmenters.set(language, segmenter);
  return segmenter;
}

const WORD = /[\p{L}\p{N}\p{S}\p{Extended_Pictographic}]/u;
const SPACE = /\s/;

/**
 * @param language BCP 47 code of the text
 * @returns the words; put together they are the text again. One part for a text without a word, none for no text
 */
export function splitWords(text: string, language: string): string[] {
  const words: string[] = [];
  let opening = "";
  for (const { segment } of wordSegmenter(language).segment(text)) {
    if (WORD.test(segment)) {
      words.push(opening + segment);
      opening = "";
    } else if (words.length === 0 || opening !== "" || SPACE.test(segment)) {
      opening += segment;
    } else {
      words[words.length - 1] += segment;
    }
  }
  if (opening !== "") words.push((words.pop() ?? "") + opening);
  return words;
}

/** Joins every `count` neighbours to one part. */
export function joinNeighbours(words: string[], count: number): string[] {
  const parts: string[] = [];
  for (let i = 0; i < words.length; i += count) parts.push(words.slice(i, i + count).join(""));
  return parts;
}

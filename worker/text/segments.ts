/**
 * Splits a text into sentences to be translated and everything between them, which is kept as it is: white space,
 * line breaks, bullets, emoji around a sentence, lines without letters. The segments' texts put together are the
 * text again, character by character.
 *
 * The sentence rules are those of Unicode (UAX #29, by `Intl.Segmenter`); they know no abbreviations, so the common
 * ones are mended here.
 */
import { hasLetters } from "./clean.ts";

export interface Segment {
  text: string;
  /** false: goes into the translation verbatim */
  translate: boolean;
}

const LINE_BREAKS = /([\r\n\v\f\u0085\u2028\u2029]+)/;

const SPACE_OR_EMOJI =
  /^(?:\s|\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|[\u200D\uFE0F\u20E3])$/u;
/** List bullets; a hyphen is one only if a space follows. */
const BULLET = /^(?:[•▪◦‣●○■□➤►*]|[-–—](?=\s))/;

/**
 * What ends with a period but not a sentence. Titles and the like are followed by a capital letter, which is what
 * the Unicode rules take for the next sentence.
 */
const ABBREVIATION: Record<string, RegExp> = {
  en: /(?<![\p{L}\p{N}.])(?:Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Mt|Gen|Sgt|Capt|Lt|Rev|Hon|Gov|Sen|Rep|Fig|vs|approx|e\.g|i\.e|cf|[A-HJ-Z]|(?:[A-Z]\.)+[A-Z])\.\s*$/u,
  de: /(?<![\p{L}\p{N}.])(?:Hr|Fr|Dr|Prof|St|Nr|Abb|Bd|bzw|ca|vgl|z\. ?B|d\. ?h|u\. ?a|z\. ?T|\d{1,2}|[A-Z])\.\s*$/u,
};
/** Characters that a sentence's end is searched for an abbreviation. */
const ABBREVIATION_WINDOW = 24;

const segmenters = new Map<string, Intl.Segmenter>();

function sentenceSegmenter(language: string): Intl.Segmenter {
  let segmenter = segmenters.get(language);
  if (!segmenter) {
    segmenter = new Intl.Segmenter(language, { granularity: "sentence" });
    segmenters.set(language, segmenter);
  }
  return segmenter;
}

/** @param language BCP 47 code of the text */
export function segmentText(text: string, language: string): Segment[] {
  const segments: Segment[] = [];
  for (const line of text.split(LINE_BREAKS)) {
    if (!hasLetters(line)) keep(segments, line);
    else for (const sentence of sentences(line, language)) peel(segments, sentence);
  }
  return segments;
}

function* sentences(line: string, language: string): Generator<string> {
  const abbreviation = ABBREVIATION[language.slice(0, 2)];
  let pending = "";
  for (const { segment } of sentenceSegmenter(language).segment(line)) {
    pending += segment;
    if (abbreviation?.test(pending.slice(-ABBREVIATION_WINDOW))) continue;
    yield pending;
    pending = "";
  }
  if (pending) yield pending;
}

/** Adds a sentence, with what is around its words as segments of their own. */
export function peel(segments: Segment[], sentence: string): void {
  if (!hasLetters(sentence)) {
    keep(segments, sentence);
    return;
  }
  const start = leadingLength(sentence);
  const end = sentence.length - trailingLength(sentence);
  keep(segments, sentence.slice(0, start));
  segments.push({ text: sentence.slice(start, end), translate: true });
  keep(segments, sentence.slice(end));
}

function leadingLength(sentence: string): number {
  let length = 0;
  for (const character of sentence) {
    if (!SPACE_OR_EMOJI.test(character) && !BULLET.test(sentence.slice(length, length + 2))) break;
    length += character.length;
  }
  return length;
}

// Walks back by hand: a pattern that ends with `+$` takes quadratic time on a long run of spaces inside the text.
function trailingLength(sentence: string): number {
  let end = sentence.length;
  while (end > 0) {
    const character = sentence.slice(end - (isLowSurrogate(sentence, end - 1) ? 2 : 1), end);
    if (!SPACE_OR_EMOJI.test(character)) break;
    end -= character.length;
  }
  return sentence.length - end;
}

function isLowSurrogate(text: string, index: number): boolean {
  return (text.charCodeAt(index) & 0xfc00) === 0xdc00;
}

function keep(segments: Segment[], text: string): void {
  const last = segments.at(-1);
  if (text === "") return;
  if (last && !last.translate) last.text += text;
  else segments.push({ text, translate: false });
}

/**
 * From a text of any length to what a classifier reads at a time. A text that fits is one window. A longer one is cut
 * into as few windows as hold it, whole sentences each, as equal in length as sentences allow, so that none is left
 * with a few words. A sentence that is longer than a window is cut in two at the punctuation or white space nearest to
 * its middle, and each half again while it must be. Windows neither overlap nor leave anything out.
 */
import type { Tokenizer } from "../model/tokenizer.ts";
import { cutPosition, MOST_CHARACTERS_PER_TOKEN } from "./pieces.ts";
import { segmentText } from "./segments.ts";

export interface TextWindow {
  text: string;
  /** Without the end token; at least one. */
  tokens: number[];
}

/**
 * @param language BCP 47 code of the text
 * @param maxTokens longest text the model takes, without its end token
 * @returns the windows, whose texts put together are the text again but for white space around it; none for no text
 */
export function textWindows(text: string, language: string, tokenizer: Tokenizer, maxTokens: number): TextWindow[] {
  const trimmed = text.trim();
  if (trimmed.length <= maxTokens * MOST_CHARACTERS_PER_TOKEN) {
    const tokens = tokenizer.encode(trimmed);
    if (tokens.length === 0) return [];
    if (tokens.length <= maxTokens) return [{ text: trimmed, tokens }];
  }
  const sentences = splitSentences(trimmed, language).flatMap((sentence) => halve(sentence, tokenizer, maxTokens));
  return packEvenly(sentences, maxTokens);
}

/** White space and bullets go with the sentence that follows, as a vocabulary has words with their space in front. */
function splitSentences(text: string, language: string): string[] {
  const sentences: string[] = [];
  let before = "";
  for (const segment of segmentText(text, language)) {
    before += segment.text;
    if (!segment.translate) continue;
    sentences.push(before);
    before = "";
  }
  return before === "" ? sentences : [...sentences, before];
}

function halve(text: string, tokenizer: Tokenizer, maxTokens: number): TextWindow[] {
  if (text.length <= maxTokens * MOST_CHARACTERS_PER_TOKEN || text.length < 2) {
    const tokens = tokenizer.encode(text);
    // A single character is never longer than a window that is worth having.
    if (tokens.length <= maxTokens || text.length < 2) return [{ text, tokens: tokens.slice(0, maxTokens) }];
  }
  const cut = cutPosition(text);
  return [text.slice(0, cut), text.slice(cut)].flatMap((half) => halve(half, tokenizer, maxTokens));
}

/** Fills windows one after the other. The least capacity that needs no more windows than `maxTokens` does is even. */
function packEvenly(sentences: TextWindow[], maxTokens: number): TextWindow[] {
  const longest = sentences.reduce((most, { tokens }) => Math.max(most, tokens.length), 1);
  const { length: count } = pack(sentences, maxTokens);
  let [low, high] = [longest, maxTokens];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (pack(sentences, middle).length > count) low = middle + 1;
    else high = middle;
  }
  return pack(sentences, high)
    .map((group) => ({
      text: group.map(({ text }) => text).join(""),
      tokens: group.flatMap(({ tokens }) => tokens),
    }))
    .filter(({ tokens }) => tokens.length > 0);
}

function pack(sentences: TextWindow[], capacity: number): TextWindow[][] {
  const groups: TextWindow[][] = [];
  let used = Infinity;
  for (const sentence of sentences) {
    used += sentence.tokens.length;
    if (used > capacity) {
      groups.push([]);
      used = sentence.tokens.length;
    }
    groups.at(-1)!.push(sentence);
  }
  return groups;
}

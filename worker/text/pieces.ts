/**
 * From a text to what the model is given: sentences cut to the model's length, as token ids. A sentence that is too
 * long is cut in two at the punctuation or white space nearest to its middle, and each half again while it must be.
 */
import type { Tokenizer } from "../model/tokenizer.ts";
import { hasLetters } from "./clean.ts";
import { peel, type Segment, segmentText } from "./segments.ts";

/** A part of a text: to be translated if it has tokens, else kept as it is. */
export interface Piece {
  text: string;
  tokens?: number[];
}

/** No vocabulary of ours spends fewer tokens on that many characters: cut before tokenizing, which costs time. */
export const MOST_CHARACTERS_PER_TOKEN = 8;

/**
 * @param language BCP 47 code of the text
 * @param maxTokens longest source the model takes, without its end token
 */
export function textPieces(text: string, language: string, tokenizer: Tokenizer, maxTokens: number): Piece[] {
  return segmentText(text, language).flatMap((segment) => segmentPieces(segment, tokenizer, maxTokens));
}

function segmentPieces(segment: Segment, tokenizer: Tokenizer, maxTokens: number): Piece[] {
  const { text, translate } = segment;
  if (!translate || !hasLetters(text)) return [{ text }];
  if (text.length <= maxTokens * MOST_CHARACTERS_PER_TOKEN || text.length < 2) {
    const tokens = tokenizer.encode(text);
    if (tokens.length === 0) return [{ text }];
    if (tokens.length <= maxTokens || text.length < 2) return [{ text, tokens: tokens.slice(0, maxTokens) }];
  }
  const cut = cutPosition(text);
  const halves: Segment[] = [];
  peel(halves, text.slice(0, cut));
  peel(halves, text.slice(cut));
  return halves.flatMap((half) => segmentPieces(half, tokenizer, maxTokens));
}

const CLAUSE_END = /[,;:.!?)–—]["'”’)]*\s/g;
const SPACE = /\s(?=\S)/g;

/** Where to cut a text in two: after a clause, else at white space, else between two characters. */
export function cutPosition(text: string): number {
  const clause = nearestToMiddle(text, CLAUSE_END);
  // A clause that ends close to the edge would leave nearly all of the text in one half.
  if (clause !== undefined && clause > text.length / 8 && clause < (text.length * 7) / 8) return clause;
  const space = nearestToMiddle(text, SPACE);
  if (space !== undefined) return space;
  const middle = Math.floor(text.length / 2);
  const isHighSurrogate = (text.charCodeAt(middle - 1) & 0xfc00) === 0xd800;
  return isHighSurrogate && middle > 1 ? middle - 1 : isHighSurrogate ? middle + 1 : middle;
}

function nearestToMiddle(text: string, pattern: RegExp): number | undefined {
  let nearest: number | undefined;
  const distance = (position: number) => Math.abs(position - text.length / 2);
  for (const match of text.matchAll(pattern)) {
    const position = match.index + match[0].length;
    if (position < text.length && (nearest === undefined || distance(position) < distance(nearest))) nearest = position;
  }
  return nearest;
}

/**
 * What a model is, part 4: what a reader is given, in training and in serving alike. A question and a context become
 * words, the words tokens, and every token gets features that say what a small encoder cannot see by itself: which
 * words the two have in common (the exact match of Chen et al. 2017, arXiv:1704.00051, 3.2), where in the context most
 * of them stand, and how a word is written, for the vocabulary folds capitals.
 *
 * A long context is read in windows that overlap. Words keep their places in the caller's text, so that an answer's
 * characters are exactly those that stand there, whatever the tokenizer makes of them.
 */
import type { QuestionAnsweringConfig } from "./config.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A word or a mark of a text. */
export interface Word {
  /** UTF-16 units from the start of the text: its first one, and the one behind it. */
  start: number;
  end: number;
  tokens: number[];
  /** In lower case. */
  form: string;
  /** The same without its ending: what counts as the same word. */
  stem: string;
  rarity: Rarity;
  shape: Shape;
  /** Whether a sentence ends with it. */
  endsSentence: boolean;
}

/** Of how much a word says. */
const RARITIES = { common: 0, medium: 1, rare: 2 } as const;
type Rarity = (typeof RARITIES)[keyof typeof RARITIES];
/** What a word in common counts for, by rarity. */
const OVERLAP_WEIGHTS = [0.2, 1, 1.5] as const;
/** A vocabulary is in the order of frequency: of ours, the most common words have ids below these. */
const COMMON_BELOW = 500;
const MEDIUM_BELOW = 2500;

type Shape = "lower" | "capital" | "capitals" | "number" | "mark";

/** Rows of the table of features. A token has several; their vectors are added to its own. */
const ROWS = {
  separator: 0,
  /** Of the question: its words that the context has not, and those that it has, common and other ones. */
  question: 1,
  questionCommon: 2,
  questionShared: 3,
  /** Of the context: words that the question has not; those that it has, common and others; and the latter's kin. */
  context: 4,
  contextCommon: 5,
  contextShared: 6,
  contextKin: 7,
  /** How much of the question stands near, from nothing to the most of this context. */
  near: 8,
  /** The sentence's rank by what it has in common with the question: first, second, third, another one, nothing. */
  sentence: 16,
  shape: { lower: 21, capital: 22, capitals: 23, number: 24, mark: 25 },
} as const;
const NEAR_ROWS = 8;
const NEAR_WORDS = 8;
const SENTENCE_ROWS = 4;

/** Part of a context beside the question, as the encoder reads it. */
export interface Reading {
  /** [T] the question, a separator, the words, an end token */
  tokens: number[];
  /** [T] rows of the table of features that are added to each token's vector */
  features: number[][];
  /** Place of the separator, which stands for "no answer". */
  separator: number;
  /** First and last token of each word of the window. */
  starts: number[];
  ends: number[];
  /** Index of the window's first word in the context. */
  firstWord: number;
}

/** Letters and digits, as in can't and 1,000.5; an 's by itself, for Armenia's has Armenia in it; or one mark, as 👍🏽. */
const WORD =
  /[\p{L}\p{M}\p{N}]+(?:[.,](?=\p{N})\p{N}+|['’](?!s(?![\p{L}\p{N}]))\p{L}+)*|['’]s(?![\p{L}\p{N}])|[^\s\p{L}\p{M}\p{N}](?:\p{M}|\p{Emoji_Modifier}|\u200d[^\s\p{L}\p{M}\p{N}])*/gu;

const ENDINGS = /(?:ions?|ings?|edly|ed|ers?|ors?|ly|es|s|e|y)$/;

/** The words of a text, in order. */
export function readWords(text: string, tokenizer: Tokenizer): Word[] {
  const known = new Map<string, ReturnType<typeof factsOf>>();
  const words: Word[] = [];
  for (const { 0: match, index } of text.matchAll(WORD)) {
    const isAttached = index > 0 && /\S/.test(text[index - 1]!);
    const key = isAttached ? match : ` ${match}`;
    const facts = known.get(key) ?? factsOf(match, isAttached, tokenizer);
    known.set(key, facts);
    if (facts.tokens.length === 0) continue;
    const end = index + match.length;
    const endsSentence = /^[.!?。！？]$/.test(match) || /^\s*\n/.test(text.slice(end, end + 4));
    words.push({ start: index, end, ...facts, endsSentence });
  }
  return words;
}

function factsOf(match: string, isAttached: boolean, tokenizer: Tokenizer) {
  const form = match.toWellFormed().normalize("NFC").toLowerCase();
  const tokens = isAttached ? encodeAttached(form, tokenizer) : tokenizer.encode(form);
  const stripped = form.replace(ENDINGS, "");
  const stem = stripped.length >= 3 ? stripped : form;
  const [first = 0] = tokens;
  const isMark = !/[\p{L}\p{N}]/u.test(match);
  const rarity =
    isMark || (tokens.length === 1 && first < COMMON_BELOW)
      ? RARITIES.common
      : tokens.length === 1 && first < MEDIUM_BELOW
        ? RARITIES.medium
        : RARITIES.rare;
  return { tokens, form, stem, rarity, shape: isMark ? ("mark" as const) : shapeOf(match) };
}

/** A vocabulary has words with the space in front of them: the tokens of one that has none, but stands behind another. */
function encodeAttached(form: string, tokenizer: Tokenizer): number[] {
  // Letters and digits never share a token.
  const before = /^\p{N}/u.test(form) ? "a" : "0";
  return tokenizer.encode(before + form).slice(tokenizer.encode(before).length);
}

function shapeOf(word: string): Shape {
  if (/\p{N}/u.test(word)) return "number";
  if (!/^\p{Lu}/u.test(word)) return "lower";
  return word.length > 1 && !/\p{Ll}/u.test(word) ? "capitals" : "capital";
}

/**
 * The windows of a context beside a question: as few as hold it, each overlapping the one before by a quarter.
 * @param question and context as of `readWords`
 * @returns none if either has no word
 */
export function readings(
  question: readonly Word[],
  context: readonly Word[],
  config: QuestionAnsweringConfig,
): Reading[] {
  const { max_seq_len, max_question_tokens } = config;
  const asked = fitting(question, max_question_tokens);
  const questionTokens = asked.reduce((sum, { tokens }) => sum + tokens.length, 0);
  if (asked.length === 0 || context.length === 0) return [];
  const features = featuresOf(asked, context);
  return windowsOf(context, max_seq_len - questionTokens - 2).map(([first, end]) =>
    reading(asked, context.slice(first, end), first, features, config),
  );
}

/** As many first words as fit. */
function fitting(words: readonly Word[], maxTokens: number): readonly Word[] {
  let used = 0;
  const end = words.findIndex(({ tokens }) => {
    used += tokens.length;
    return used > maxTokens;
  });
  return end < 0 ? words : words.slice(0, end);
}

/** @returns the first word of each window and the one behind its last */
function windowsOf(words: readonly Word[], capacity: number): [number, number][] {
  const windows: [number, number][] = [];
  for (let first = 0; ; ) {
    let used = 0;
    let end = first;
    while (end < words.length && (end === first || used + words[end]!.tokens.length <= capacity)) {
      used += words[end++]!.tokens.length;
    }
    windows.push([first, end]);
    if (end === words.length) return windows;
    let next = end;
    let shared = 0;
    while (next > first + 1 && shared + words[next - 1]!.tokens.length <= capacity / 4) {
      shared += words[--next]!.tokens.length;
    }
    first = next;
  }
}

function reading(
  question: readonly Word[],
  words: readonly Word[],
  firstWord: number,
  features: { question: number[][]; context: number[][] },
  config: QuestionAnsweringConfig,
): Reading {
  const tokens: number[] = [];
  const rows: number[][] = [];
  const add = (ids: readonly number[], own: number[]) => {
    for (const id of ids) {
      tokens.push(id);
      rows.push(own);
    }
  };
  question.forEach((word, i) => {
    add(word.tokens, features.question[i]!);
  });
  const separator = tokens.length;
  add([config.eos_token_id], [ROWS.separator]);
  const [starts, ends]: [number[], number[]] = [[], []];
  // A word that alone is longer than a window, of which there are none in any language, is cut.
  const room = config.max_seq_len - separator - 2;
  words.forEach((word, i) => {
    starts.push(tokens.length);
    add(word.tokens.slice(0, room), features.context[firstWord + i]!);
    ends.push(tokens.length - 1);
  });
  add([config.eos_token_id], [ROWS.separator]);
  return { tokens, features: rows, separator, starts, ends, firstWord };
}

/** Rows of each word of the question and of the context. */
function featuresOf(
  question: readonly Word[],
  context: readonly Word[],
): { question: number[][]; context: number[][] } {
  const isWord = ({ shape }: Word) => shape !== "mark";
  const asked = new Map(question.filter(isWord).map((word) => [word.stem, word.rarity]));
  const askedExactly = new Set(question.map(({ form }) => form));
  const held = new Set(context.map(({ stem }) => stem));
  const sentenceRows = rankSentences(asked, context);
  const nearRows = nearness(asked, context);
  return {
    question: question.map(({ stem, rarity }) => [
      !held.has(stem) ? ROWS.question : rarity === RARITIES.common ? ROWS.questionCommon : ROWS.questionShared,
    ]),
    context: context.map(({ stem, rarity, shape, form }, i) => {
      const isShared = shape !== "mark" && asked.has(stem);
      const isExact = askedExactly.has(form);
      const shared = rarity === RARITIES.common ? ROWS.contextCommon : isExact ? ROWS.contextShared : ROWS.contextKin;
      return [isShared ? shared : ROWS.context, nearRows[i]!, sentenceRows[i]!, ROWS.shape[shape]];
    }),
  };
}

/** How much of the question stands within some words of each, relative to the most. */
function nearness(asked: ReadonlyMap<string, Rarity>, context: readonly Word[]): number[] {
  const counts = new Map<string, number>();
  let sum = 0;
  const enter = ({ stem }: Word) => {
    if (!asked.has(stem)) return;
    const count = counts.get(stem) ?? 0;
    counts.set(stem, count + 1);
    if (count === 0) sum += OVERLAP_WEIGHTS[asked.get(stem)!];
  };
  const leave = ({ stem }: Word) => {
    if (!asked.has(stem)) return;
    const count = counts.get(stem)! - 1;
    counts.set(stem, count);
    if (count === 0) sum -= OVERLAP_WEIGHTS[asked.get(stem)!];
  };
  context.slice(0, NEAR_WORDS).forEach(enter);
  const sums = context.map((_, i) => {
    const [next, last] = [context[i + NEAR_WORDS], context[i - NEAR_WORDS - 1]];
    if (next) enter(next);
    if (last) leave(last);
    return sum;
  });
  const most = sums.reduce((a, b) => Math.max(a, b), 0);
  // Sums of tenths are not exact.
  return sums.map(
    (s) => ROWS.near + (most < 0.01 ? 0 : Math.min(NEAR_ROWS - 1, Math.floor((s / most) * (NEAR_ROWS - 1) + 0.01))),
  );
}

/** The row of each word's sentence. */
function rankSentences(asked: ReadonlyMap<string, Rarity>, context: readonly Word[]): number[] {
  const sentences: { words: number; overlap: number }[] = [];
  let stems = new Set<string>();
  let words = 0;
  context.forEach((word, i) => {
    words++;
    if (word.shape !== "mark") stems.add(word.stem);
    if (!word.endsSentence && i < context.length - 1) return;
    const overlap = [...stems].reduce(
      (sum, stem) => sum + (asked.has(stem) ? OVERLAP_WEIGHTS[asked.get(stem)!] : 0),
      0,
    );
    sentences.push({ words, overlap });
    stems = new Set();
    words = 0;
  });
  // The sort is stable: of equal ones the earlier sentence comes first.
  const order = [...sentences.keys()].sort((a, b) => sentences[b]!.overlap - sentences[a]!.overlap);
  const rankOf = new Map(order.map((sentence, rank) => [sentence, rank]));
  return sentences.flatMap(({ words, overlap }, i) => {
    const rank = overlap < 0.01 ? SENTENCE_ROWS : Math.min(rankOf.get(i)!, SENTENCE_ROWS - 1);
    return new Array<number>(words).fill(ROWS.sentence + rank);
  });
}

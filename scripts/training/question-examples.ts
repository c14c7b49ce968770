/**
 * Questions and contexts as a reader is trained on them: words instead of characters, and each epoch a little different.
 * A sentence's context gets other sentences around it, a question loses words, and some questions are asked of a context
 * that does not answer them.
 */
import type { QuestionAnsweringConfig } from "../../worker/model/config.ts";
import { type Reading, readings, readWords, type Word } from "../../worker/model/reading.ts";
import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import type { AnswerSpan, Paragraph } from "../data/question-answering.ts";
import { uniformStream } from "./random.ts";
import type { SpanExample } from "./span-batches.ts";

/** A question with its context, both as words. */
export interface AskedWords {
  /** What the context is about. */
  title: string;
  question: Word[];
  context: Word[];
  /** First and last word of each answer, each once. */
  golds: [first: number, last: number][];
}

/** A question whose every answer is longer than a model's answers is left out. */
export function askedWords(
  paragraphs: readonly Paragraph[],
  tokenizer: Tokenizer,
  maxAnswerWords: number,
): AskedWords[] {
  return paragraphs.flatMap(({ title, context, questions }) => {
    const words = readWords(context, tokenizer);
    return questions.flatMap(({ question, answers }) => {
      const spans = new Map(
        answers.flatMap((answer) => {
          const span = coveringWords(words, answer);
          return span && span[1] - span[0] < maxAnswerWords ? [[span.join(), span] as const] : [];
        }),
      );
      if (answers.length > 0 && spans.size === 0) return [];
      return [{ title, question: readWords(question, tokenizer), context: words, golds: [...spans.values()] }];
    });
  });
}

/** The words that characters are of, wholly or in part. */
function coveringWords(words: readonly Word[], { start, end }: AnswerSpan): [number, number] | undefined {
  const first = words.findIndex((word) => word.end > start);
  const last = words.findLastIndex((word) => word.start < end);
  return first < 0 || last < first ? undefined : [first, last];
}

/** Sentences that a crop has before and after the answer's, at most one less than this. */
const MOST_CROPPED_SENTENCES = 3;

export interface ExampleOptions {
  config: QuestionAnsweringConfig;
  /** Probability that a word of a question is left out. */
  wordDropout: number;
  /** Share of the contexts of which only some sentences are read. */
  cropped: number;
  /** Questions that are asked once more, of another context, as a share of all. */
  unanswerable: number;
  seed: number;
}

/** The examples of an epoch. */
export function epochExamples(asked: readonly AskedWords[], options: ExampleOptions): SpanExample[] {
  const { config, wordDropout, cropped, unanswerable, seed } = options;
  const uniform = uniformStream(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(uniform() * items.length)]!;
  const drop = (words: Word[]) => {
    const kept = words.filter(() => uniform() >= wordDropout);
    return kept.length > 0 ? kept : words;
  };
  const byTitle = Map.groupBy(asked, ({ title }) => title);
  const examples: SpanExample[] = [];
  for (const whole of asked) {
    const one = uniform() < cropped ? crop(whole, uniform) : whole;
    const windows = spanExamples({ ...one, question: drop(one.question) }, config);
    // Mostly a window that has the answer in it.
    const answering = windows.filter(({ golds }) => golds.length > 0);
    const candidates = answering.length > 0 && uniform() < 0.85 ? answering : windows;
    if (candidates.length > 0) examples.push(pick(candidates));
    if (uniform() >= unanswerable) continue;
    const other = pick(uniform() < 0.5 ? byTitle.get(one.title)! : asked);
    if (other.context === whole.context) continue;
    const { context } = uniform() < cropped ? crop(other, uniform) : other;
    const none = spanExamples({ ...one, context, question: drop(one.question), golds: [] }, config);
    if (none.length > 0) examples.push(pick(none));
  }
  return examples;
}

/** Some sentences before and after those of an answer stay; where there is none, of any. */
function crop(asked: AskedWords, uniform: () => number): AskedWords {
  const { context, golds } = asked;
  const draw = (below: number) => Math.floor(uniform() * below);
  const [first, last] = golds[draw(golds.length)] ?? [draw(context.length), 0];
  const ends = context.flatMap(({ endsSentence }, i) => (endsSentence ? [i + 1] : []));
  const before = ends.filter((end) => end <= first);
  const after = ends.filter((end) => end > Math.max(first, last));
  const from = [0, ...before].at(-1 - draw(MOST_CROPPED_SENTENCES)) ?? 0;
  const to = after[draw(MOST_CROPPED_SENTENCES)] ?? context.length;
  return {
    ...asked,
    context: context.slice(from, to),
    golds: golds.flatMap(([a, b]): AskedWords["golds"] => (a >= from && b < to ? [[a - from, b - from]] : [])),
  };
}

/** Every window of a question's context, with the answers that stand in it whole. */
export function spanExamples({ question, context, golds }: AskedWords, config: QuestionAnsweringConfig): SpanExample[] {
  return readings(question, context, config).map((reading) => ({ ...reading, golds: goldsIn(reading, golds) }));
}

function goldsIn({ firstWord, starts }: Reading, golds: AskedWords["golds"]): AskedWords["golds"] {
  return golds
    .map(([first, last]): [number, number] => [first - firstWord, last - firstWord])
    .filter(([first, last]) => first >= 0 && last < starts.length);
}

/**
 * Sentences as contexts of several: each between as many others, drawn anew.
 * @param most other sentences, at most
 */
export function amongOthers(asked: readonly AskedWords[], most: number, seed: number): AskedWords[] {
  const uniform = uniformStream(seed);
  const contexts = [...new Set(asked.map(({ context }) => context))];
  const pick = () => contexts[Math.floor(uniform() * contexts.length)]!;
  return asked.map((one) => {
    const others = Array.from({ length: Math.floor(uniform() * (most + 1)) }, pick).filter((c) => c !== one.context);
    const before = others.slice(0, Math.floor(uniform() * (others.length + 1)));
    const shift = before.reduce((sum, { length }) => sum + length, 0);
    return {
      ...one,
      context: [...before.flat(), ...one.context, ...others.slice(before.length).flat()],
      golds: one.golds.map(([first, last]): [number, number] => [first + shift, last + shift]),
    };
  });
}

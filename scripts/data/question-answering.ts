/**
 * Questions and the parts of a text that answer them: what a data set of extractive question answering is. A question
 * may have several answers, for several people marked one each.
 */
import type { SourceOptions } from "./rows.ts";

export interface AnswerSpan {
  /** UTF-16 units from the start of the context: `context.slice(start, end)`. */
  start: number;
  end: number;
}

export interface Question {
  question: string;
  /** As marked, no two the same; none if the context does not answer it. */
  answers: AnswerSpan[];
}

export interface Paragraph {
  /** What it is about; paragraphs of one title know of each other. */
  title: string;
  context: string;
  questions: Question[];
}

export interface QuestionSplits {
  train: Paragraph[];
  dev: Paragraph[];
  test: Paragraph[];
}

export interface QuestionSet {
  id: string;
  /** How the splits came about, for the card. */
  splits: string;
  card: { name: string; url: string; licence: string };
  /** @throws Error as of `readRows` */
  load(options?: SourceOptions): Promise<QuestionSplits>;
}

/** The same questions, each asked of another paragraph, half the list away: none has an answer, but for chance. */
export function askElsewhere(paragraphs: readonly Paragraph[]): Paragraph[] {
  return paragraphs.map(({ title, questions }, i) => ({
    title,
    context: paragraphs[(i + (paragraphs.length >> 1)) % paragraphs.length]!.context,
    questions: questions.map(({ question }) => ({ question, answers: [] })),
  }));
}

export function countQuestions(paragraphs: readonly Paragraph[]): number {
  return paragraphs.reduce((sum, { questions }) => sum + questions.length, 0);
}

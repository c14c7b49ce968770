/** A reader asked many questions: its answers with how good each is. */
import { type ReadingModel, sentenceEnds } from "../../worker/answer.ts";
import { readAll, type SpanLogits } from "../../worker/engine/reader.ts";
import { rankSpans } from "../../worker/engine/spans.ts";
import { type Reading, readings, readWords, type Word } from "../../worker/model/reading.ts";
import type { Paragraph } from "../data/question-answering.ts";
import { spanScores } from "./span-f1.ts";

/** A question with what the network says of it, before any softmax. */
export interface ReadQuestion {
  context: string;
  words: Word[];
  /** Texts of the right answers; none if there is none. */
  right: string[];
  readings: Reading[];
  logits: SpanLogits[];
}

export interface ReadAnswer {
  confidence: number;
  /** Of the best span, whatever its confidence, 0…1; 0 where there is no answer. */
  f1: number;
  exact: number;
  isAnswerable: boolean;
}

export async function readQuestions(
  { config, tokenizer, engine }: ReadingModel,
  paragraphs: readonly Paragraph[],
  onProgress: (done: number) => void = () => {},
): Promise<ReadQuestion[]> {
  const read: ReadQuestion[] = [];
  for (const { context, questions } of paragraphs) {
    const words = readWords(context, tokenizer);
    for (const { question, answers } of questions) {
      const windows = readings(readWords(question, tokenizer), words, config);
      const right = answers.map(({ start, end }) => context.slice(start, end));
      read.push({ context, words, right, readings: windows, logits: await readAll(engine, windows) });
      onProgress(read.length);
    }
  }
  return read;
}

/** @param config of which the temperature and the longest answer count */
export function answerRead(
  { context, words, right, readings: windows, logits }: ReadQuestion,
  config: ReadingModel["config"],
): ReadAnswer {
  const [best] = rankSpans(windows, logits, config, 1, sentenceEnds(context, words, config));
  const text = best ? context.slice(words[best.first]!.start, words[best.last]!.end) : "";
  return { confidence: best?.confidence ?? 0, ...spanScores(text, right), isAnswerable: right.length > 0 };
}

/** Mean F1 where an answer less confident than the threshold is none, which is right where there is none. */
export function f1WithThreshold(answers: readonly ReadAnswer[], threshold: number): number {
  const sum = answers.reduce(
    (total, { confidence, f1, isAnswerable }) => total + (confidence >= threshold ? f1 : Number(!isAnswerable)),
    0,
  );
  return sum / answers.length;
}

/** How often an answer that is there is more confident than one that is not (area under the ROC curve). */
export function answerableAuc(answers: readonly ReadAnswer[]): number {
  const sorted = [...answers].sort((a, b) => a.confidence - b.confidence);
  let [below, wins] = [0, 0];
  for (let i = 0; i < sorted.length; ) {
    let end = i;
    while (end < sorted.length && sorted[end]!.confidence === sorted[i]!.confidence) end++;
    const group = sorted.slice(i, end);
    const positive = group.filter(({ isAnswerable }) => isAnswerable).length;
    const negative = group.length - positive;
    wins += positive * (below + negative / 2);
    below += negative;
    i = end;
  }
  return wins / (below * (answers.length - below));
}

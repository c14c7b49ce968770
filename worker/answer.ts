/**
 * Finds the answer to a question in a text with a loaded reader: windows out, spans in, places in the caller's own text.
 * Knows no HTTP but the Problem it throws; routes/answer.ts has the schemas.
 */
import { type Reader, readAll } from "./engine/reader.ts";
import { rankSpans } from "./engine/spans.ts";
import type { QuestionAnsweringConfig } from "./model/config.ts";
import type { Manifest } from "./model/manifest.ts";
import { readings, readWords, type Word } from "./model/reading.ts";
import type { Tokenizer } from "./model/tokenizer.ts";
import { scriptTest } from "./text/clean.ts";
import { otherScript } from "./text/other-script.ts";
import { segmentText } from "./text/segments.ts";

/** What reads. */
export interface ReadingModel {
  config: QuestionAnsweringConfig;
  tokenizer: Tokenizer;
  engine: Reader;
}

/** A part of a context. */
export interface FoundSpan {
  /** `context.slice(start, end)` */
  text: string;
  /** UTF-16 units from the start of the context. */
  start: number;
  end: number;
  /** The expected word F1 with what a person would mark, 0…1; engine/spans.ts says how. */
  confidence: number;
}

export interface FindOptions {
  /** Most spans to find. Default: 1. */
  count?: number;
  signal?: AbortSignal;
}

export interface Found {
  /** Most confident first; no two share a word. */
  spans: FoundSpan[];
  /** Of all windows, the question's counted in each. */
  tokens: number;
  /** Parts that the context was read in; 0 if it or the question has no word. */
  windows: number;
}

/**
 * The parts of a context that answer a question best, whether they are any good or not: `config.no_answer_below` says
 * from which confidence on to believe one.
 * @throws the signal's reason if aborted
 */
export async function findSpans(
  { config, tokenizer, engine }: ReadingModel,
  question: string,
  context: string,
  { count = 1, signal }: FindOptions = {},
): Promise<Found> {
  const words = readWords(context, tokenizer);
  const windows = readings(readWords(question, tokenizer), words, config);
  const logits = await readAll(engine, windows, signal ? { signal } : {});
  const ranked = rankSpans(windows, logits, config, count, sentenceEnds(context, words, config));
  return {
    spans: ranked.map(({ first, last, confidence }) => {
      const [start, end] = [words[first]!.start, words[last]!.end];
      return { text: context.slice(start, end), start, end, confidence: Math.round(confidence * 1e6) / 1e6 };
    }),
    tokens: windows.reduce((sum, { tokens }) => sum + tokens.length, 0),
    windows: windows.length,
  };
}

/** The words with which the sentences of a text end, by index. @param words as of `readWords` */
export function sentenceEnds(
  text: string,
  words: readonly Word[],
  { source_languages }: Pick<QuestionAnsweringConfig, "source_languages">,
): Set<number> {
  const ends = new Set<number>();
  let position = 0;
  let next = 0;
  for (const sentence of segmentText(text, source_languages[0]!)) {
    position += sentence.text.length;
    while (next < words.length && words[next]!.end <= position) next++;
    if (next > 0) ends.add(next - 1);
  }
  return ends;
}

/**
 * Of several readers the first that reads the texts' script.
 * @param candidates at least one
 * @throws Problem unsupported_language
 */
export function chooseReader(
  candidates: Manifest<"question-answering">[],
  texts: Record<string, string>,
): Manifest<"question-answering"> {
  const fitting = candidates.find(({ config }) => Object.values(texts).every(scriptTest(config.source_scripts)));
  if (fitting) return fitting;
  const scripts = [...new Set(candidates.flatMap(({ config }) => config.source_scripts))];
  const [name, text] =
    Object.entries(texts).find(([, text]) => !scriptTest(scripts)(text)) ?? Object.entries(texts)[0]!;
  throw otherScript(`${name}: `, text, scripts);
}

export interface Answer {
  answer: string | null;
  start: number | null;
  end: number | null;
  confidence: number;
  reason: "no_text" | "below_threshold" | null;
  alternatives: FoundSpan[];
}

/** @param threshold least confidence of an answer */
export function chooseAnswer({ spans, windows }: Found, threshold: number): Answer {
  const [best, ...others] = spans;
  const none = { answer: null, start: null, end: null };
  if (windows === 0 || !best) return { ...none, confidence: 0, reason: "no_text", alternatives: [] };
  const { text: answer, start, end, confidence } = best;
  if (confidence < threshold) return { ...none, confidence, reason: "below_threshold", alternatives: spans };
  return { answer, start, end, confidence, reason: null, alternatives: others };
}

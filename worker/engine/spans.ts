/**
 * From a reader's logits to answers. A span of words has the score start logit + end logit, and "no answer" that of the
 * separator; within a window one softmax goes over all of them (as Lee et al. 2016, arXiv:1611.01436, do), so that what
 * counts is a span and not its ends. Windows meet at their scores for "no answer": what a span has more than that is its
 * log-odds, and of a span that stands in several windows the highest counts. One softmax over the spans of all windows
 * and one "no answer" gives each its probability.
 *
 * The answer is the span with the highest expected word F1, by these probabilities (Kumar & Byrne 2004 decode to
 * minimum Bayes risk like this): of several spans that are nearly the same, the one that has most in common with all of
 * them. That expectation is its confidence. A "no answer" counts zero in it.
 */
import type { QuestionAnsweringConfig } from "../model/config.ts";
import type { Reading } from "../model/reading.ts";
import type { SpanLogits } from "./reader.ts";

/** Words of the context, by index: the first one and the last one. */
export interface WordSpan {
  first: number;
  last: number;
}

export interface RankedSpan extends WordSpan {
  /** Expected F1, 0…1. */
  confidence: number;
}

/** Spans that are weighed against each other. */
const MAX_CANDIDATES = 64;

interface ScoredSpan extends WordSpan {
  /** Log-odds against "no answer". */
  score: number;
}

/**
 * The best spans of a context, none of which shares a word with another.
 * @param readings of one question and one context, with the logits of each
 * @param count at most so many
 * @param sentenceEnds words with which a sentence ends: no span goes on behind one
 * @returns most confident first
 * @throws Error if a logit is NaN
 */
export function rankSpans(
  readings: readonly Reading[],
  logits: readonly SpanLogits[],
  config: QuestionAnsweringConfig,
  count: number,
  sentenceEnds: ReadonlySet<number>,
): RankedSpan[] {
  const spans = scoreSpans(readings, logits, config, sentenceEnds);
  const most = spans.reduce((max, { score }) => Math.max(max, score), 0);
  const total = spans.reduce((sum, { score }) => sum + Math.exp(score - most), Math.exp(-most));
  if (!Number.isFinite(total)) {
    throw new Error("Reader: expected numbers, got NaN; the weights are damaged, export and upload them again");
  }
  const probabilityOf = ({ score }: ScoredSpan) => Math.exp(score - most) / total;
  const chosen: RankedSpan[] = [];
  let left = spans;
  while (chosen.length < count && left.length > 0) {
    const best = mostExpected(highest(left), probabilityOf);
    chosen.push(best);
    left = left.filter(({ first, last }) => last < best.first || first > best.last);
  }
  return chosen.sort((a, b) => b.confidence - a.confidence);
}

/** Of equal ones the earlier, of these the shorter. */
function highest(spans: readonly ScoredSpan[]): ScoredSpan[] {
  const kept: ScoredSpan[] = [];
  for (const span of spans) {
    if (kept.length === MAX_CANDIDATES && span.score <= kept.at(-1)!.score) continue;
    const place = kept.findIndex(({ score }) => score < span.score);
    kept.splice(place < 0 ? kept.length : place, 0, span);
    if (kept.length > MAX_CANDIDATES) kept.pop();
  }
  return kept;
}

/** The one with the highest expected F1 with all of them. */
function mostExpected(candidates: readonly ScoredSpan[], probabilityOf: (span: ScoredSpan) => number): RankedSpan {
  const ranked = candidates.map(({ first, last }) => ({
    first,
    last,
    confidence: candidates.reduce((sum, other) => sum + probabilityOf(other) * overlapF1({ first, last }, other), 0),
  }));
  return ranked.reduce((best, span) => (span.confidence > best.confidence ? span : best));
}

/** Every span within a sentence of at most `max_answer_words`, once. */
function scoreSpans(
  readings: readonly Reading[],
  logits: readonly SpanLogits[],
  { max_answer_words, temperature }: QuestionAnsweringConfig,
  sentenceEnds: ReadonlySet<number>,
): ScoredSpan[] {
  const spans = new Map<number, ScoredSpan>();
  readings.forEach(({ starts, ends, separator, firstWord }, window) => {
    const { start, end } = logits[window]!;
    const none = start[separator]! + end[separator]!;
    for (let i = 0; i < starts.length; i++) {
      for (let j = i; j < Math.min(starts.length, i + max_answer_words); j++) {
        const score = (start[starts[i]!]! + end[ends[j]!]! - none) / temperature;
        const first = firstWord + i;
        const key = first * max_answer_words + (j - i);
        const known = spans.get(key);
        if (!known || score > known.score) spans.set(key, { first, last: firstWord + j, score });
        if (sentenceEnds.has(firstWord + j)) break;
      }
    }
  });
  return [...spans.values()];
}

/** F1 of two spans as sets of words. */
function overlapF1(a: WordSpan, b: WordSpan): number {
  const shared = Math.min(a.last, b.last) - Math.max(a.first, b.first) + 1;
  return shared <= 0 ? 0 : (2 * shared) / (a.last - a.first + 1 + b.last - b.first + 1);
}

/** rankSpans against a naive search through all spans, and how windows meet. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SpanLogits } from "../../worker/engine/reader.ts";
import { rankSpans } from "../../worker/engine/spans.ts";
import type { Reading } from "../../worker/model/reading.ts";
import { readerConfig } from "./models.ts";

const config = { ...readerConfig, max_answer_words: 3, temperature: 2 };

/** A window of one-token words behind a separator. */
function window(firstWord: number, words: number): Reading {
  const starts = Array.from({ length: words }, (_, i) => 1 + i);
  return { tokens: new Array(words + 1).fill(5), features: [], separator: 0, starts, ends: starts, firstWord };
}

const logitsOf = (start: number[], end: number[]): SpanLogits => ({
  start: Float32Array.from(start),
  end: Float32Array.from(end),
});

/** Probabilities of all spans of one window, and of none. */
function probabilities({ start, end }: SpanLogits, words: number): Map<string, number> {
  const scores = new Map<string, number>([["none", 0]]);
  for (let i = 0; i < words; i++) {
    for (let j = i; j < Math.min(words, i + 3); j++) {
      scores.set(`${i} ${j}`, (start[1 + i]! + end[1 + j]! - start[0]! - end[0]!) / 2);
    }
  }
  const total = [...scores.values()].reduce((sum, score) => sum + Math.exp(score), 0);
  return new Map([...scores].map(([span, score]) => [span, Math.exp(score) / total]));
}

const range = (span: string) => span.split(" ").map(Number) as [number, number];

function expectedF1(span: string, all: Map<string, number>): number {
  const [a, b] = range(span);
  const words = new Set(Array.from({ length: b - a + 1 }, (_, i) => a + i));
  let sum = 0;
  for (const [other, probability] of all) {
    if (other === "none") continue;
    const [c, d] = range(other);
    let shared = 0;
    for (let word = c; word <= d; word++) if (words.has(word)) shared++;
    sum += (probability * 2 * shared) / (words.size + d - c + 1);
  }
  return sum;
}

const NO_ENDS = new Set<number>();
const logit = fc.float({ min: -3, max: 3, noNaN: true });

describe("rankSpans", () => {
  it("finds the span with the highest expected F1, which is its confidence", () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 8 })
          .chain((words) => fc.array(fc.tuple(logit, logit), { minLength: words + 1, maxLength: words + 1 })),
        (rows) => {
          const words = rows.length - 1;
          const logits = logitsOf(
            rows.map(([start]) => start),
            rows.map(([, end]) => end),
          );
          const all = probabilities(logits, words);
          const best = Math.max(
            ...[...all.keys()].filter((span) => span !== "none").map((span) => expectedF1(span, all)),
          );
          const [found] = rankSpans([window(0, words)], [logits], config, 1, NO_ENDS);
          expect(found!.confidence).toBeCloseTo(best, 6);
          expect(expectedF1(`${found!.first} ${found!.last}`, all)).toBeCloseTo(best, 6);
        },
      ),
      { numRuns: 100, seed: 1 },
    );
  });

  it("has no span longer than the longest answer, and none that shares a word with a better one", () => {
    const length = 13;
    const flat = logitsOf(new Array(length).fill(1), new Array(length).fill(1));
    const spans = rankSpans([window(0, length - 1)], [flat], config, 20, NO_ENDS);
    expect(spans.length).toBeGreaterThan(3);
    const words = spans.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
    expect(new Set(words).size).toBe(words.length);
    for (const { first, last } of spans) expect(last - first).toBeLessThan(3);
    expect(rankSpans([window(0, length - 1)], [flat], config, 2, NO_ENDS)).toEqual(spans.slice(0, 2));
  });

  it("has no span that goes on behind the end of a sentence", () => {
    const flat = logitsOf(new Array(7).fill(1), new Array(7).fill(1));
    const spans = rankSpans([window(0, 6)], [flat], config, 20, new Set([1, 3]));
    expect(spans.length).toBeGreaterThan(2);
    for (const { first, last } of spans) for (const end of [1, 3]) expect(first <= end && last > end).toBe(false);
  });

  it("weighs windows by what their spans have more than no answer", () => {
    // The second window's logits are higher all over, but it is surer that nothing is there.
    const [first, second] = [logitsOf([0, 8, -2], [0, 8, -2]), logitsOf([20, 12, 13], [20, 12, 13])];
    const [best] = rankSpans([window(0, 2), window(2, 2)], [first, second], config, 1, NO_ENDS);
    expect(best).toMatchObject({ first: 0, last: 0 });
    expect(best!.confidence).toBeGreaterThan(0.99);
  });

  it("takes of a span in two windows the higher odds, once", () => {
    const weak = logitsOf([0, -5, 2], [0, -5, 2]);
    const strong = logitsOf([0, 6, -5], [0, 6, -5]);
    const [best] = rankSpans([window(0, 2), window(1, 2)], [weak, strong], config, 1, NO_ENDS);
    const [alone] = rankSpans([window(1, 2)], [strong], config, 1, NO_ENDS);
    expect(best).toMatchObject({ first: 1, last: 1 });
    expect(best!.confidence).toBeCloseTo(alone!.confidence, 2);
  });

  it("finds nothing in nothing, and says so where weights are damaged", () => {
    expect(rankSpans([], [], config, 3, NO_ENDS)).toEqual([]);
    const damaged = logitsOf([0, Number.NaN], [0, 1]);
    expect(() => rankSpans([window(0, 1)], [damaged], config, 1, NO_ENDS)).toThrow("expected numbers, got NaN");
  });
});

import { expect, test } from "vitest";
import { chooseNGrams } from "../../scripts/training/choose-n-grams.ts";
import { uniformStream } from "../../scripts/training/random.ts";
import { classificationBatches, type LabelledTokens } from "../../scripts/training/text-batches.ts";
import { NGrams, NO_TOKEN } from "../../worker/model/n-grams.ts";
import { TINY_N_GRAM_CLASSIFIER as config, countedTexts, TINY_N_GRAMS } from "./tiny.ts";

const VOCAB_SIZE = 30;

/** Random texts of which those of label 1 contain `telling`. */
function textsWith(telling: number[], head: number, seed: number): LabelledTokens[] {
  const uniform = uniformStream(seed);
  return Array.from({ length: 400 }, (_, i) => {
    const tokens = Array.from({ length: 8 }, () => 10 + Math.floor(uniform() * 20));
    const label = i % 2;
    if (label === 1) tokens.splice(Math.floor(uniform() * 9), 0, ...telling);
    return { tokens, head, label };
  });
}

test("the n-grams that tell the labels apart are chosen, each head's own", () => {
  const train = [textsWith([3, 4], 0, 1), textsWith([5, 6, 7], 1, 2)];
  expect([...chooseNGrams(train, [1, 3], VOCAB_SIZE)]).toEqual([
    ...[NO_TOKEN, 3, 4],
    ...[NO_TOKEN, 5, 6],
    ...[NO_TOKEN, 6, 7],
    ...[5, 6, 7],
  ]);
});

test("one that two heads would choose is chosen once, and the second takes its next", () => {
  const train = [textsWith([3, 4], 0, 1), textsWith([3, 4], 1, 2)];
  const chosen = chooseNGrams(train, [1, 1], VOCAB_SIZE);
  expect(chosen.length).toBe(6);
  const [one, other] = [chosen.subarray(0, 3), chosen.subarray(3)].map((tokens) => tokens.join());
  expect([one, other]).toContain([NO_TOKEN, 3, 4].join());
  expect(one).not.toBe(other);
});

test("an n-gram of fewer than three texts is none, and so there may be fewer than wanted", () => {
  const texts = (copies: number) => Array.from({ length: copies }, () => ({ tokens: [8, 9], head: 0, label: 0 }));
  expect([...chooseNGrams([texts(2)], [5], VOCAB_SIZE)]).toEqual([]);
  expect([...chooseNGrams([texts(3)], [5], VOCAB_SIZE)]).toEqual([NO_TOKEN, 8, 9]);
});

test("batches name the n-grams of each token, of which some are left out", () => {
  const nGrams = new NGrams(TINY_N_GRAMS, config.vocab_size);
  const shape = { rows: 8, length: 40, slots: 8 };
  const texts = countedTexts(60, 27, 7);
  const namedAt = (nGramDropout: number) => {
    let named = 0;
    for (const [batch] of classificationBatches(texts, shape, config, 1, 1, { nGrams, nGramDropout })) {
      const { nGram, nGramCount, source, sourceSegment } = batch!.arrays as Record<string, { data: Int32Array }>;
      for (const [i, row] of nGram!.data.entries()) {
        const at = Math.floor(i / 2);
        if (i % 2 >= nGramCount!.data[at]!) continue;
        named++;
        const tokens = [...TINY_N_GRAMS.subarray(3 * row, 3 * row + 3)].filter((token) => token >= 0);
        expect([...source!.data.subarray(at + 1 - tokens.length, at + 1)]).toEqual(tokens);
        expect(new Set(sourceSegment!.data.subarray(at + 1 - tokens.length, at + 1)).size).toBe(1);
      }
    }
    return named;
  };
  const all = namedAt(0);
  expect(all).toBeGreaterThan(5);
  expect(namedAt(0.5)).toBeLessThan(all);
  expect(namedAt(0.5)).toBeGreaterThan(0);
  expect(namedAt(1)).toBe(0);
});

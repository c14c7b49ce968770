/** IBM model 1 against its definition with a full table, and the lists made of it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type TokenPair, trainModel1 } from "../../scripts/shortlist/model1.ts";
import { makeShortlist, shortlistCoverage } from "../../scripts/shortlist/shortlist.ts";
import { shortlistTensors } from "../../worker/model/format.ts";

/** p[word][token], each word's row summing to 1; the last word is the empty one. */
function naiveModel1(pairs: readonly TokenPair[], vocabSize: number, iterations: number): number[][] {
  const table = (value: number) =>
    Array.from({ length: vocabSize + 1 }, () => new Array<number>(vocabSize).fill(value));
  let p = table(1);
  for (let i = 0; i < iterations; i++) {
    const counts = table(0);
    for (const { source, target } of pairs) {
      const words = [...source, vocabSize];
      for (const token of target) {
        const sum = words.reduce((total, word) => total + p[word]![token]!, 0);
        for (const word of words) counts[word]![token]! += p[word]![token]! / sum;
      }
    }
    p = counts.map((row) => {
      const total = row.reduce((sum, count) => sum + count, 0);
      return row.map((count) => (total === 0 ? 0 : count / total));
    });
  }
  return p;
}

const VOCAB = 9;
const sentence = fc.array(fc.integer({ min: 0, max: VOCAB - 1 }), { maxLength: 6 });
const pairs = fc.array(fc.record({ source: sentence, target: sentence }), { maxLength: 8 });

test("model 1 is its definition", () => {
  fc.assert(
    fc.property(pairs, fc.integer({ min: 1, max: 4 }), (corpus, iterations) => {
      const { offsets, targets, probabilities } = trainModel1(corpus, VOCAB, iterations);
      const expected = naiveModel1(corpus, VOCAB, iterations);
      for (let word = 0; word <= VOCAB; word++) {
        const row = new Array<number>(VOCAB).fill(0);
        for (let i = offsets[word]!; i < offsets[word + 1]!; i++) row[targets[i]!] = probabilities[i]!;
        row.forEach((value, token) => {
          expect(value).toBeCloseTo(expected[word]![token]!, 12);
        });
      }
    }),
    { numRuns: 200 },
  );
});

test("model 1 refuses tokens that are not of the vocabulary", () => {
  expect(() => trainModel1([{ source: [1], target: [9] }], 9)).toThrow("token ids in 0…8, got 9");
});

describe("shortlist", () => {
  // la maison, la fleur, maison bleue, fleur bleue with their order in English turned round.
  const [la, maison, fleur, bleue, the, house, flower, blue] = [100, 101, 102, 103, 110, 111, 112, 113];
  const corpus: TokenPair[] = [
    { source: [la!, maison!], target: [house!, the!] },
    { source: [la!, fleur!], target: [the!, flower!] },
    { source: [maison!, bleue!], target: [blue!, house!] },
    { source: [fleur!, bleue!], target: [flower!, blue!] },
  ];
  const lists = makeShortlist(corpus, 200, [2], { best: 1, frequent: 3 });

  test("finds the translations, whatever the order", () => {
    expect([la, maison, fleur, bleue].map((word) => lists.ofToken[word!])).toEqual([[the], [house], [flower], [blue]]);
    // Never a source: stays as it is.
    expect(lists.ofToken[the!]).toEqual([the]);
  });

  test("has the end token, the frequent ones, and enough of them", () => {
    expect(lists.common).toContain(2);
    expect(lists.common).toEqual(expect.arrayContaining([the, house, flower, blue]));
    expect(lists.common.length).toBeGreaterThanOrEqual(64);
  });

  test("covers what it was counted from", () => {
    const { tokens, sentences, candidates } = shortlistCoverage(lists, corpus);
    expect([tokens, sentences]).toEqual([1, 1]);
    expect(candidates).toBe(lists.common.length);
  });

  test("is stored as whole multiples of 64 bytes", () => {
    const [offsets, targets] = shortlistTensors({ ofToken: [[1, 2], [], [0]], common: [2] });
    expect(offsets!.data).toEqual(Int32Array.of(0, 2, 2, 3, ...new Array<number>(12).fill(4)));
    expect(targets!.data).toEqual(Int32Array.of(1, 2, 0, 2, ...new Array<number>(12).fill(0)));
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_N_GRAM, NGrams, NO_TOKEN } from "../../worker/model/n-grams.ts";

const VOCAB_SIZE = 6;
const token = fc.integer({ min: 0, max: VOCAB_SIZE - 1 });
const pair = fc.tuple(fc.constant(NO_TOKEN), token, token);
const triple = fc.tuple(token, token, token);

describe("NGrams", () => {
  it("finds at each token the pair and the triple that end there", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.oneof(pair, triple), { selector: (tokens) => tokens.join() }),
        fc.array(token, { maxLength: 20 }),
        (known, text) => {
          const endsWith = (t: number, length: number) => {
            if (t + 1 < length) return [];
            const wanted = [NO_TOKEN, ...text.slice(t + 1 - length, t + 1)].slice(-MAX_N_GRAM).join();
            const row = known.findIndex((tokens) => tokens.join() === wanted);
            return row < 0 ? [] : [row];
          };
          const expected = text.map((_, t) => [...endsWith(t, 2), ...endsWith(t, 3)]);
          expect(new NGrams(known.flat(), VOCAB_SIZE).rowsOf(text)).toEqual(expected);
        },
      ),
    );
  });

  it("tells the largest tokens of a large vocabulary apart", () => {
    const size = 200_000;
    const [last, other] = [size - 1, size - 2];
    const nGrams = new NGrams([last, last, last, last, last, other, NO_TOKEN, last, other], size);
    expect(nGrams.rowsOf([last, last, last, other])).toEqual([[], [], [0], [2, 1]]);
  });

  it.each([
    [[0, 1, VOCAB_SIZE], "0, 1, 6"],
    [[-2, 1, 1], "-2, 1, 1"],
    [[0, NO_TOKEN, 1], "0, -1, 1"],
    [[NO_TOKEN, NO_TOKEN, 1], "-1, -1, 1"],
    [[1, 1, NaN], "1, 1, NaN"],
  ])("refuses %j", (tokens, named) => {
    expect(() => new NGrams(tokens, VOCAB_SIZE)).toThrow(`NGrams: expected tokens of 0…5, got ${named}`);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareNGrams, MAX_N_GRAM, NGrams, NO_TOKEN } from "../../worker/model/n-grams.ts";

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
        (drawn, text) => {
          const known = drawn.toSorted(compareNGrams);
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

  it.each([
    [[0, 1, VOCAB_SIZE], "6 after 0"],
    [[0, 1, 2, 0, 1, 1], "1 after 2"],
    [[0, 1, NO_TOKEN], "-1 after 0"],
    [[1, 1, NaN], "NaN after 0"],
  ])("refuses %j", (tokens, named) => {
    expect(() => new NGrams(tokens, VOCAB_SIZE)).toThrow(
      `NGrams: expected the last tokens to rise from 0 to 5, got ${named}`,
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkAmount, formatMoney, MAX_AMOUNT, parseMoney } from "../../worker/billing/money.ts";
import { priceOf, quote } from "../../worker/billing/pricing.ts";

describe("money", () => {
  it("goes to text and back without a loss", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_AMOUNT }), (micros) => parseMoney(formatMoney(micros)) === micros),
    );
  });

  it.each([
    [0, "0.000000"],
    [1, "0.000001"],
    [-1_500_000, "-1.500000"],
    [MAX_AMOUNT, "1000000.000000"],
  ])("%d is %s", (micros, text) => expect(formatMoney(micros)).toBe(text));

  it.each([
    ["12.5", 12_500_000],
    ["0.000001", 1],
    ["1000000", MAX_AMOUNT],
    // 0.07 × 1,000,000 is 70000.00000000001 in floats.
    ["0.07", 70_000],
  ])("%j is %d", (text, micros) => expect(parseMoney(text)).toBe(micros));

  it.each(["", "-1", "1.", ".5", "1e3", "1,5", "0.0000001", "1000001", " 1"])("%j is no amount", (text) =>
    expect(() => parseMoney(text)).toThrow(RangeError),
  );

  it.each([-1, 0.5, Number.NaN, MAX_AMOUNT + 1])("%d is no amount", (micros) =>
    expect(() => checkAmount(micros)).toThrow(RangeError),
  );
});

describe("quote", () => {
  const price = { perThousandCharacters: 1_000, minimum: 100 };

  it.each([
    [0, 100],
    [100, 100],
    [101, 101],
    [20_000, 20_000],
  ])("%d characters cost %d", (characters, micros) => expect(quote(price, characters)).toBe(micros));

  it("rounds up, as exact arithmetic does", () => {
    const micros = fc.integer({ min: 0, max: 1_000_000_000 });
    fc.assert(
      fc.property(micros, micros, fc.integer({ min: 0, max: 20_000 }), (perThousandCharacters, minimum, characters) => {
        const exact = (BigInt(characters) * BigInt(perThousandCharacters) + 999n) / 1000n;
        const expected = exact > BigInt(minimum) ? exact : BigInt(minimum);
        return BigInt(quote({ perThousandCharacters, minimum }, characters)) === expected;
      }),
    );
  });

  it("takes a model's own price before the standard", () => {
    const prices = { special: { per_1000_characters: 7, minimum: 3 } };
    expect(priceOf(prices, "translation", "special")).toEqual({ perThousandCharacters: 7, minimum: 3 });
    for (const model of ["other", "constructor", "__proto__"]) {
      expect(priceOf(prices, "translation", model)).toEqual({ perThousandCharacters: 1_000, minimum: 100 });
    }
  });
});

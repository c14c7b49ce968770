/** The catalogue of a recommender: ids to rows and back, and the memory of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recommendationConfigSchema } from "../../worker/model/config.ts";
import {
  Catalogue,
  catalogueBytes,
  checkRecommenderMemory,
  formatItems,
  whyNoItemId,
} from "../../worker/model/items.ts";
import { recommenderConfig } from "../engine/models.ts";

const id = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  .filter((text) => whyNoItemId(text) === undefined);
const catalogueOf = (ids: string[]) => new Catalogue(new TextEncoder().encode(formatItems(ids)), ids.length);

describe("a catalogue", () => {
  it("knows the row of each id and the id of each row, and of nothing else", () => {
    fc.assert(
      fc.property(fc.uniqueArray(id, { maxLength: 80 }), id, (ids, other) => {
        const catalogue = catalogueOf(ids);
        ids.forEach((text, row) => {
          expect(catalogue.rowOf(text)).toBe(row);
          expect(catalogue.idOf(row)).toBe(text);
        });
        expect(catalogue.rowOf(other)).toBe(ids.includes(other) ? ids.indexOf(other) : undefined);
        expect(catalogue.rowOf("")).toBeUndefined();
        expect(catalogue.rowOf(ids.slice(0, 2).join("\n"))).toBe(ids.length === 1 ? 0 : undefined);
      }),
      { numRuns: 60 },
    );
  });

  it("keeps a byte order mark, which is part of an id", () => {
    const catalogue = catalogueOf(["\ufeffa", "a"]);
    expect(catalogue.idOf(0)).toBe("\ufeffa");
    expect(catalogue.rowOf("a")).toBe(1);
  });

  it("takes the memory that it says it takes", () => {
    const ids = Array.from({ length: 10_000 }, (_, i) => `B00${i}`);
    const bytes = new TextEncoder().encode(formatItems(ids));
    expect(new Catalogue(bytes, ids.length).memoryBytes).toBe(catalogueBytes(ids.length, bytes.length));
    expect(catalogueBytes(ids.length, 0) / ids.length).toBeLessThan(6.5);
  });

  it.each([
    ["a\nb\n", 3, /expected 3 ids, got 2/],
    ["a\nb\n", 1, /expected 1 ids, got more/],
    ["a\n\n", 2, /line 2: expected an id, got an empty line/],
    ["a\nb\na\n", 3, /line 3: expected ids that differ, got "a" again; it is in line 1/],
    ["a\nb", 2, /line 2: expected a line feed at its end/],
  ])("refuses %j", (text, count, message) => {
    expect(() => new Catalogue(new TextEncoder().encode(text), count)).toThrow(message);
  });

  it("has no row outside of it", () => {
    expect(() => catalogueOf(["a"]).idOf(1)).toThrow(RangeError);
    expect(() => catalogueOf(["a"]).idOf(-1)).toThrow(RangeError);
  });
});

describe("ids", () => {
  it.each([
    ["", /got none/],
    ["a\nb", /without line breaks/],
    ["a\rb", /without line breaks/],
    ["\ud800", /Unicode/],
    ["ä".repeat(129), /at most 256 bytes, got 258/],
  ])("%j is none", (text, message) => expect(whyNoItemId(text)).toMatch(message));
});

describe("the memory of a recommender", () => {
  const configOf = (vocab_size: number, d_model: number) =>
    recommendationConfigSchema.parse({ ...recommenderConfig, vocab_size, d_model, d_ff: 4 * d_model });

  // An id of ten characters, as Amazon's.
  it.each([
    [1_000_000, 32],
    [600_000, 64],
    [300_000, 160],
  ])("%i items with a d_model of %i fit", (items, d_model) => {
    expect(() => checkRecommenderMemory(configOf(items, d_model), 11 * items)).not.toThrow();
  });

  it.each([
    [1_000_000, 64, /takes \d+\.\d MB of memory; expected at most 64\.0 MB: train it with a d_model of 32 at most/],
    [5_000_000, 16, /leave the rarest items out/],
  ])("%i items with a d_model of %i do not", (items, d_model, message) => {
    expect(() => checkRecommenderMemory(configOf(items, d_model), 11 * items)).toThrow(message);
  });
});

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { cachedEncode } from "../../scripts/tokenizer/word-cache.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";

const read = (path: string) => Tokenizer.fromJson(readFileSync(new URL(path, import.meta.url), "utf8"));
const tokenizer = read("../../models/multi30k-en-de/tokenizer.json");
const encode = cachedEncode(tokenizer);

test.each([
  "",
  " ",
  "  a",
  "a  b",
  "a\n b",
  "\n\n a ",
  "x \u0301y e\u0301",
  "don't  do \t it's 12 3rd !!! ... ",
  "日本 語 text",
  " lead",
])("%j", (text) => {
  expect(encode(text)).toEqual(tokenizer.encode(text));
});

test("any text is encoded as without the cache", () => {
  const piece = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom(" ", "  ", "\n", "\t", "a", "'s", "7"),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join("");
      expect(encode(text)).toEqual(tokenizer.encode(text));
    }),
    { numRuns: 400 },
  );
});

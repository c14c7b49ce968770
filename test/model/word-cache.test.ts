import { readFileSync } from "node:fs";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { cacheWords, readsWordByWord } from "../../worker/model/word-cache.ts";

const text = readFileSync(new URL("../../models/multi30k-en-de/tokenizer.json", import.meta.url), "utf8");
const json = JSON.parse(text);
const peer = new HuggingFaceTokenizer({ ...json, added_tokens: [] }, {});
const uncached = (line: string) => peer.encode(line, { add_special_tokens: false }).ids;
const { encode } = Tokenizer.fromJson(text);

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
  expect(encode(text)).toEqual(uncached(text));
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
      expect(encode(text)).toEqual(uncached(text));
    }),
    { numRuns: 400 },
  );
});

test("a full cache begins anew, and long words are not kept", () => {
  const asked: string[] = [];
  const cached = cacheWords((word) => {
    asked.push(word);
    return [word.length];
  }, 2);
  const long = "x".repeat(1000);
  for (const line of ["a b", "a b", "a c", " b", long, long]) cached(line);
  expect(asked).toEqual(["a", " b", " c", " b", long, long]);
});

test("only a byte-level vocabulary without other normalizers is read word by word", () => {
  expect(readsWordByWord(json)).toBe(true);
  expect(readsWordByWord({ ...json, pre_tokenizer: { type: "Whitespace" } })).toBe(false);
  expect(readsWordByWord({ ...json, normalizer: { type: "Sequence", normalizers: [{ type: "Replace" }] } })).toBe(
    false,
  );
});

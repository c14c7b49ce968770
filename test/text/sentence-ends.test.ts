import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { sentenceEnds } from "../../worker/answer.ts";
import { readWords } from "../../worker/model/reading.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";

const path = new URL("../../models/reader-en/tokenizer.json", import.meta.url);
const tokenizer = Tokenizer.fromJson(readFileSync(path, "utf8"));

test.each([
  ["Dr. J. Holm came at 9.30. He left! Why?", [" 9.30.", " left!", " Why?"]],
  ["one line\n\ntwo 😀 lines", ["line", "lines"]],
  ["😀", ["😀"]],
  ["", []],
])("%j", (text, expected) => {
  const words = readWords(text, tokenizer);
  const ends = [...sentenceEnds(text, words, { source_languages: ["en"] })];
  expect(ends.map((word) => words[word]!.end)).toEqual(expected.map((end) => text.indexOf(end) + end.length));
});

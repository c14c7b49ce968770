/** What a reader is given: words in their places, features that say what they should, windows that hold everything. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readings, readWords } from "../../worker/model/reading.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { readerConfig, tinyTokenizerJson } from "../engine/models.ts";

const tokenizer = Tokenizer.fromJson(tinyTokenizerJson);
const wordsOf = (text: string) => readWords(text, tokenizer).map(({ start, end }) => text.slice(start, end));

const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ..." \t\n\r\u00a0.!?,;:-—*\"'’)(aZß1é日🎉👍🏽\u200d\ufe0f",
        "word ",
        "One. ",
        "\r\n",
        "e\u0301",
        "\ud800",
      ),
      fc.string({ unit: "binary", maxLength: 4 }),
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));

describe("readWords", () => {
  it.each([
    ["can't cost 1,000.5, Armenia's", ["can't", "cost", "1,000.5", ",", "Armenia", "'s"]],
    ["West-African\r\n“who?”", ["West", "-", "African", "“", "who", "?", "”"]],
    ["👍🏽 👩‍👩‍👧 e\u0301té", ["👍🏽", "👩‍👩‍👧", "e\u0301té"]],
    ["东京有人", ["东京有人"]],
    [" \r\n\t", []],
  ])("%j", (text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });

  it("has the words of any text in order, with white space between them and nothing else", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        let at = 0;
        for (const { start, end, tokens } of readWords(text, tokenizer)) {
          expect(text.slice(at, start).trim()).toBe("");
          expect(end).toBeGreaterThan(start);
          expect(tokens.length).toBeGreaterThan(0);
          at = end;
        }
        expect(text.slice(at).trim()).toBe("");
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  it("has the tokens that the vocabulary has for the text, whatever stands before a word", () => {
    for (const text of ["the stone, in the sand", "(there) on"]) {
      const tokens = readWords(` ${text}`, tokenizer).flatMap((word) => word.tokens);
      expect(tokenizer.decode(tokens).replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
    }
  });
});

describe("readings", () => {
  const read = (question: string, context: string, config = readerConfig) =>
    readings(readWords(question, tokenizer), readWords(context, tokenizer), config);

  it("are none without a question or a context", () => {
    expect(read("", "a stone")).toEqual([]);
    expect(read("who?", " \n")).toEqual([]);
  });

  it("hold every word of any context, overlap, and pass no limit", () => {
    fc.assert(
      fc.property(anyText, fc.array(anyText, { maxLength: 6 }), (question, parts) => {
        const context = parts.join(" ");
        const words = readWords(context, tokenizer);
        const windows = read(question, context);
        if (windows.length === 0) return;
        const seen = new Set<number>();
        for (const [i, { tokens, features, starts, ends, firstWord, separator }] of windows.entries()) {
          expect(tokens.length).toBeLessThanOrEqual(readerConfig.max_seq_len);
          expect(features.length).toBe(tokens.length);
          expect(tokens[separator]).toBe(readerConfig.eos_token_id);
          expect(tokens.at(-1)).toBe(readerConfig.eos_token_id);
          starts.forEach((start, word) => {
            expect(tokens.slice(start, ends[word]! + 1)).toEqual(words[firstWord + word]!.tokens);
            seen.add(firstWord + word);
          });
          if (i > 0) expect(firstWord).toBeGreaterThan(windows[i - 1]!.firstWord);
        }
        expect(seen.size).toBe(words.length);
      }),
      { numRuns: 150, seed: 2 },
    );
  });

  it("overlap by about a quarter", () => {
    const windows = read("who?", "a stone ".repeat(80));
    expect(windows.length).toBeGreaterThan(3);
    for (const [i, { firstWord }] of windows.entries()) {
      if (i === 0) continue;
      const before = windows[i - 1]!;
      const shared = before.firstWord + before.starts.length - firstWord;
      expect(shared / before.starts.length).toBeGreaterThan(0.15);
      expect(shared / before.starts.length).toBeLessThanOrEqual(0.25);
    }
  });

  it("cut a question that is too long", () => {
    const [reading] = read("stone ".repeat(100), "a stone");
    expect(reading!.separator).toBeLessThanOrEqual(readerConfig.max_question_tokens);
    expect(reading!.starts).toHaveLength(2);
  });

  it("tell which words of the context the question has, in which form, and where most of them stand", () => {
    const context =
      "The Stones lay there for many years in the deep sand, he said. A dog ran in 1999, and found a stone!";
    const [{ features, starts, separator } = { features: [], starts: [], separator: 0 }] = read("stone dogs", context);
    const words = wordsOf(context);
    const rowsOf = (word: string) => features[starts[words.indexOf(word)]!]!;
    const [exact, kin, other] = [rowsOf("stone"), rowsOf("Stones"), rowsOf("lay")];
    expect(new Set([exact[0], kin[0], other[0]]).size).toBe(3);
    expect(kin[0]).toBe(rowsOf("dog")[0]);
    // Near a word of the question, and in the sentence that has most of them.
    expect(exact[1]).toBeGreaterThan(other[1]!);
    expect(rowsOf("ran")[2]).not.toBe(other[2]);
    expect(rowsOf("ran")[2]).toBe(rowsOf("found")[2]);
    // How it is written.
    expect(new Set(["The", "lay", "1999", ","].map((word) => rowsOf(word)[3])).size).toBe(4);
    expect(features[separator]).toHaveLength(1);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { cleanText } from "../../worker/text/clean.ts";
import { textWindows } from "../../worker/text/windows.ts";
import { joinNeighbours, splitWords } from "../../worker/text/words.ts";
import { tokenizerJson } from "./harness.ts";

const tokenizer = Tokenizer.fromJson(tokenizerJson);
const windowsOf = (text: string, maxTokens: number) => textWindows(text, "en", tokenizer, maxTokens);

const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(..." \t\n\r\u00a0.!?,;:-—*\"')(aZß1é日🎉👍🏽\u200d", "Mr. ", "word ", "One. ", "\r\n", "…"),
      fc.string({ unit: "binary", maxLength: 4 }),
    ),
    { maxLength: 60 },
  )
  .map((parts) => cleanText(parts.join("")));

describe("textWindows", () => {
  it("is one window if the text fits, and none if there is no text", () => {
    const text = "One. Two. Three.";
    const tokens = tokenizer.encode(text);
    expect(windowsOf(` ${text}\n`, tokens.length)).toEqual([{ text, tokens }]);
    expect(windowsOf(text, tokens.length - 1).length).toBeGreaterThan(1);
    expect(windowsOf(" \n ", 8)).toEqual([]);
  });

  it("loses nothing of any text, and passes no limit", () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 4, max: 40 }), (text, maxTokens) => {
        const windows = windowsOf(text, maxTokens);
        expect(windows.map((window) => window.text).join("")).toBe(text.trim());
        for (const { tokens } of windows) {
          expect(tokens.length).toBeGreaterThan(0);
          expect(tokens.length).toBeLessThanOrEqual(maxTokens);
        }
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  it("has whole sentences, as few windows as possible, and no short one at the end", () => {
    const sentence = " A dog runs.";
    const each = tokenizer.encode(sentence).length;
    const windows = windowsOf(sentence.repeat(9), 8 * each);
    expect(windows.map(({ tokens }) => Math.round(tokens.length / each))).toEqual([5, 4]);
    for (const { text } of windows) expect(text).toMatch(/^( ?A dog runs\.)+$/);
  });

  it("cuts a sentence that is too long between its clauses or words", () => {
    const clause = "one dog runs, ";
    const windows = windowsOf(clause.repeat(8), tokenizer.encode(clause).length * 3);
    expect(windows.length).toBeGreaterThan(2);
    for (const { text } of windows) expect(text.trim()).toMatch(/^(one dog runs,? ?)+$/);
  });

  it.each([
    ["spaces", `a${" ".repeat(20_000)}b`],
    ["one word", "x".repeat(20_000)],
    ["line breaks", "a\n".repeat(10_000)],
    ["numbers", "12 ".repeat(6_666)],
    ["emoji", "😀".repeat(10_000)],
    ["Chinese", "房间很干净，服务也很好。".repeat(1_600)],
  ])(
    "handles 20,000 characters of %s",
    (_, text) => {
      const windows = windowsOf(text, 127);
      expect(windows.map((window) => window.text).join("")).toBe(text.trim());
    },
    5_000,
  );
});

describe("splitWords", () => {
  it("puts punctuation to the word before it, white space and what opens to the one after", () => {
    expect(splitWords('He said: "don\'t go, (not now)!"\n\nOk.', "en")).toEqual([
      "He",
      " said:",
      " \"don't",
      " go,",
      " (not",
      ' now)!"',
      "\n\nOk.",
    ]);
    expect(splitWords("state-of-the-art 3.5% 🎉👍🏽!", "en")).toEqual([
      "state-",
      "of-",
      "the-",
      "art",
      " 3.5%",
      " 🎉",
      "👍🏽!",
    ]);
  });

  it("cuts Chinese into words", () => {
    const words = splitWords("房间很干净，服务也很好。", "zh");
    expect(words.length).toBeGreaterThan(4);
    expect(words).toContain("房间");
    expect(words.at(-1)!.endsWith("。")).toBe(true);
  });

  it("has one part for a text without a word, and none for no text", () => {
    expect(splitWords("…!?", "en")).toEqual(["…!?"]);
    expect(splitWords("", "en")).toEqual([]);
  });

  it("loses nothing of any text, joined or not", () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 5 }), (text, count) => {
        const words = splitWords(text, "en");
        expect(words.join("")).toBe(text);
        const parts = joinNeighbours(words, count);
        expect(parts.join("")).toBe(text);
        expect(parts.length).toBe(Math.ceil(words.length / count));
      }),
      { numRuns: 150, seed: 1 },
    );
  });
});

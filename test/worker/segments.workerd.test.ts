import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { cleanText, scriptTest } from "../../worker/text/clean.ts";
import { textPieces } from "../../worker/text/pieces.ts";
import { segmentText } from "../../worker/text/segments.ts";
import { tokenizerJson } from "./harness.ts";

const tokenizer = Tokenizer.fromJson(tokenizerJson);

function sentencesOf(text: string, language = "en"): string[] {
  return segmentText(text, language)
    .filter(({ translate }) => translate)
    .map((segment) => segment.text);
}

describe("segmentText", () => {
  it("splits sentences and lines", () => {
    expect(sentencesOf('He said: "Go!" Then he left.  A line\nand another')).toEqual([
      'He said: "Go!"',
      "Then he left.",
      "A line",
      "and another",
    ]);
  });

  it("does not split after abbreviations and initials", () => {
    expect(sentencesOf("Mr. Smith met J. R. Brown, e.g. in the U.S. Capitol. Dr. No came.")).toEqual([
      "Mr. Smith met J. R. Brown, e.g. in the U.S. Capitol.",
      "Dr. No came.",
    ]);
    expect(sentencesOf("Am 3. Mai kam Dr. Weiß. Er blieb.", "de")).toEqual(["Am 3. Mai kam Dr. Weiß.", "Er blieb."]);
    expect(sentencesOf("So do I. You too.")).toEqual(["So do I.", "You too."]);
  });

  it("loses nothing of any text", () => {
    const unit = fc.constantFrom(
      ..." \t\n\r\u00a0\u2028.!?,;:-—•*\"')(aZß1é日🎉👍🏽\u200d🇩",
      "Mr. ",
      "word ",
      "One. ",
      "\r\n",
      "…",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(unit, fc.string({ unit: "binary", maxLength: 4 })), { maxLength: 60 }), (parts) => {
        const text = cleanText(parts.join(""));
        const pieces = textPieces(text, "en", tokenizer, 8);
        expect(pieces.map((piece) => piece.text).join("")).toBe(text);
        for (const { tokens } of pieces) expect(tokens?.length ?? 1).toBeLessThanOrEqual(8);
        expect(cleanText(text)).toBe(text);
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  it.each([
    ["spaces", `a${" ".repeat(20_000)}b`],
    ["one word", "x".repeat(20_000)],
    ["line breaks", "\n".repeat(20_000)],
    ["emoji", "😀".repeat(10_000)],
    ["abbreviations", "Mr. ".repeat(5_000)],
    ["accents", "a\u0301".repeat(10_000)],
    ["clauses", "and so, ".repeat(2_500)],
  ])(
    "handles 20,000 characters of %s",
    (_, text) => {
      const clean = cleanText(text);
      expect(
        textPieces(clean, "en", tokenizer, 47)
          .map((piece) => piece.text)
          .join(""),
      ).toBe(clean);
    },
    2_000,
  );
});

describe("scriptTest", () => {
  it("asks for at least half of the letters", () => {
    const readsLatin = scriptTest(["Latin"]);
    expect(["", "123", "abc", "ab мир x", "µ"].map(readsLatin)).toEqual([true, true, true, true, true]);
    expect(["мир", "a мир", "日本"].map(readsLatin)).toEqual([false, false, false]);
  });

  it("refuses a name that is no script", () => {
    expect(() => scriptTest(["Latin", "Elvish"])).toThrow("Elvish");
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { trainBpe } from "../../scripts/tokenizer/bpe.ts";
import { formatTokenStats, tokenStats } from "../../scripts/tokenizer/stats.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";

const SPECIALS = ["<pad>", "<s>", "</s>"];
const FIRST_MERGE = SPECIALS.length + 256;
const TEXTS = [
  "A man in a blue shirt is standing on a ladder cleaning a window.",
  "Ein Mann in einem blauen Hemd steht auf einer Leiter und putzt ein Fenster.",
  "Two men are at the stove preparing food.",
  "Zwei Männer stehen am Herd und bereiten Essen zu.",
  "A man in green holds a guitar while the other man observes his shirt.",
  "Ein Mann in grün hält eine Gitarre, während der andere Mann sein Hemd ansieht.",
];
const train = (texts: string[], merges: number, minFrequency = 2) =>
  trainBpe(texts, { vocabSize: FIRST_MERGE + merges, specialTokens: SPECIALS, minFrequency });
const tokenizerOf = (json: unknown) => Tokenizer.fromJson(JSON.stringify(json));

/** The definition of BPE, word by word: recount everything, merge the best pair, repeat. */
function naiveMerges(texts: string[], count: number, minFrequency: number): string[] {
  const bytes = train([], 0).model.vocab;
  const charOf = byteChars();
  const words = texts
    .flatMap((text) => ` ${text.normalize("NFC")}`.match(/ ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu) ?? [])
    .map((word) => Array.from(new TextEncoder().encode(word), (byte) => charOf[byte]!));
  const ids = new Map(Object.entries(bytes));
  const merges: string[] = [];
  while (merges.length < count) {
    const pairs = new Map<string, number>();
    for (const word of words) {
      for (let i = 1; i < word.length; i++) {
        const pair = `${word[i - 1]} ${word[i]}`;
        pairs.set(pair, (pairs.get(pair) ?? 0) + 1);
      }
    }
    const order = (pair: string) => pair.split(" ").map((token) => ids.get(token)!);
    const best = [...pairs].sort(([a, countA], [b, countB]) => {
      const [[a0, a1], [b0, b1]] = [order(a), order(b)];
      return countB - countA || a0! - b0! || a1! - b1!;
    })[0];
    if (best === undefined || best[1] < minFrequency) break;
    const [left, right] = best[0].split(" ") as [string, string];
    merges.push(best[0]);
    ids.set(left + right, FIRST_MERGE + merges.length - 1);
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        if (word[i] === left && word[i + 1] === right) word.splice(i, 2, left + right);
      }
    }
  }
  return merges;
}

/** GPT-2's table, as its authors describe it: printable Latin-1 as is, the rest from U+0100 on. */
function byteChars(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const char = String.fromCharCode(byte);
    return /[\x21-\x7e\xa1-\xac\xae-\xff]/.test(char) ? char : String.fromCharCode(next++);
  });
}

describe("trainBpe", () => {
  test("merges what is most frequent, first things first", () => {
    // hug 10, pug 5, pun 12, bun 4, hugs 5: the corpus of the Hugging Face course; here with a space in
    // front. "Ġ h" and "h ug" both come 15 times: h has the lower id.
    const texts = Object.entries({ hug: 10, pug: 5, pun: 12, bun: 4, hugs: 5 }).flatMap(([word, n]) =>
      new Array<string>(n).fill(word),
    );
    const { merges } = train(texts, 5).model;
    expect(merges.map((merge) => merge.join(" "))).toEqual(["u g", "Ġ p", "u n", "h ug", "Ġ hug"]);
  });

  test("agrees with counting anew after every merge", () => {
    const { merges } = train(TEXTS, 60).model;
    expect(merges.map((merge) => merge.join(" "))).toEqual(naiveMerges(TEXTS, 60, 2));
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[ab ]{0,12}$/), { maxLength: 8 }), (texts) => {
        const trimmed = texts.map((text) => text.trim()).filter(Boolean);
        const got = train(trimmed, 20, 1).model.merges.map((merge) => merge.join(" "));
        expect(got).toEqual(naiveMerges(trimmed, 20, 1));
      }),
      { numRuns: 60 },
    );
  });

  test("gives special tokens the first ids, then the bytes, then one id a merge", () => {
    const { model, added_tokens } = train(TEXTS, 20);
    expect(added_tokens.map(({ id, content, special }) => [id, content, special])).toEqual([
      [0, "<pad>", true],
      [1, "<s>", true],
      [2, "</s>", true],
    ]);
    const ids = Object.values(model.vocab).sort((a, b) => a - b);
    expect(ids).toEqual(Array.from({ length: FIRST_MERGE + 20 }, (_, id) => id));
    for (const [rank, [left, right]] of model.merges.entries()) {
      expect(model.vocab[left + right]).toBe(FIRST_MERGE + rank);
    }
  });

  test("does not depend on the order of the texts", () => {
    expect(train([...TEXTS].reverse(), 60)).toEqual(train(TEXTS, 60));
  });

  test("stops when no pair is frequent enough", () => {
    expect(train(["abc", "abd"], 50).model.merges).toEqual([
      ["a", "b"],
      ["Ġ", "ab"],
    ]);
    expect(train([], 50).model.merges).toEqual([]);
  });

  test("a text can't spell a special token into the vocabulary", () => {
    const json = train(new Array<string>(9).fill("</s> <s></s>"), 40);
    expect(json.model.vocab["</s>"]).toBe(2);
    const tokenizer = tokenizerOf(json);
    const ids = tokenizer.encode("</s>");
    expect(ids).not.toContain(2);
    expect(tokenizer.decode(ids)).toBe("</s>");
  });

  test.each([
    [{ vocabSize: 258, specialTokens: SPECIALS }, "trainBpe: expected a vocabulary of at least 259 tokens, got 258"],
    [
      { vocabSize: 400.5, specialTokens: SPECIALS },
      "trainBpe: expected a vocabulary of at least 259 tokens, got 400.5",
    ],
    [{ vocabSize: 300, specialTokens: ["<s>", "<s>"] }, "trainBpe: expected special tokens that differ, got <s> <s>"],
  ])("refuses %j", (options, message) => {
    expect(() => trainBpe(TEXTS, options)).toThrow(message);
  });
});

describe("the tokenizer it describes", () => {
  const tokenizer = tokenizerOf(train(TEXTS, 120));

  test("knows the words it was trained on", () => {
    expect(tokenizer.encode("man")).toHaveLength(1);
    expect(tokenizer.encode("Ein Mann")).toHaveLength(2);
  });

  test("gives any text back, in NFC and without a space in front", () => {
    const roundTrip = (text: string) => {
      const expected = text.normalize("NFC");
      const decoded = tokenizer.decode(tokenizer.encode(text));
      expect(decoded).toBe(expected.replace(/^ /, ""));
    };
    for (const text of [
      ...TEXTS,
      "Ma\u0308nner",
      "  x",
      "😀 日本語 עברית",
      "x  y\tz\n",
      "<pad></s>",
      "\u0000\u007f\ufeff",
    ]) {
      roundTrip(text);
    }
    fc.assert(fc.property(fc.string({ unit: "grapheme" }), roundTrip));
  });
});

test("tokenStats", () => {
  const tokenizer = tokenizerOf(train(TEXTS, 0));
  const stats = tokenStats(tokenizer, ["a", "aaa", "aaaaa", "aaaaaaa"]);
  expect(stats).toEqual({ sentences: 4, mean: 5, p50: 6, p90: 8, p99: 8, max: 8 });
  expect(formatTokenStats("en", stats)).toBe("en  4 sentences  mean 5.00  p50 6  p90 8  p99 8  max 8");
  expect(() => tokenStats(tokenizer, [])).toThrow("expected at least one text");
});

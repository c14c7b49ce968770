/** What becomes of an import's text: rows, entries, passages; and of a question that leans on another. */
import { describe, expect, it } from "vitest";
import { fitConfidence, measureHandoff } from "../../scripts/eval/handoff.ts";
import { confidenceOf } from "../../worker/knowledge/confidence.ts";
import { leansOnHistory, searchText } from "../../worker/knowledge/follow-up.ts";
import { importRows, readRows } from "../../worker/knowledge/import.ts";
import { passagesOf } from "../../worker/knowledge/passages.ts";
import { makeRandom } from "../fixtures/tiny-model.ts";

const document = (body: string, title?: string) =>
  passagesOf({ kind: "document", heads: title === undefined ? [] : [title], body }, "en");

describe("passages", () => {
  it("keeps short paragraphs together, and headings above what they stand over", () => {
    const passages = document("One.\n\nTwo.\n# Part\nThree.\n\n## Sub\n\nFour.", "Title");
    expect(passages.map(({ head, body }) => [head, body])).toEqual([
      ["Title", "One. Two. # Part Three."],
      ["Title › Sub", "Four."],
    ]);
    expect(document("# Part\n\nThree.")).toEqual([{ head: "Part", body: "Three.", embedded: "Part. Three." }]);
  });

  it("cuts long paragraphs between sentences, and loses no word", () => {
    const sentence = (i: number) => `Sentence number ${i} has exactly eight words here.`;
    const text = Array.from({ length: 30 }, (_, i) => sentence(i)).join(" ");
    const passages = document(text);
    expect(passages.map(({ body }) => body).join(" ")).toBe(text);
    for (const { body } of passages) {
      expect(body.split(" ").length).toBeLessThanOrEqual(80);
      expect(body).toMatch(/^Sentence.*here\.$/);
    }
    const endless = Array.from({ length: 300 }, (_, i) => `w${i}`).join(" ");
    expect(
      document(endless)
        .map(({ body }) => body)
        .join(" "),
    ).toBe(endless);
    expect(document(" \n\n ")).toEqual([]);
  });

  it("has one for each question of a pair", () => {
    const pair = { kind: "pair" as const, heads: ["A?", "B?"], body: "C." };
    expect(passagesOf(pair, "en").map(({ embedded, body }) => [embedded, body])).toEqual([
      ["A?", "C."],
      ["B?", "C."],
    ]);
  });
});

describe("imports", () => {
  it("keeps the last of several rows with one id", async () => {
    const rows = importRows("csv", "id,question,answer\na,Q1,A1\nb,Q2,A2\na,Q3,A3\n");
    const { entries, refused } = await readRows(rows);
    expect(refused).toEqual([]);
    expect(entries.map(({ id, body }) => [id, body])).toEqual([
      ["a", "A3"],
      ["b", "A2"],
    ]);
  });

  it("takes a byte order mark, CR LF and empty lines", async () => {
    const { entries } = await readRows(importRows("csv", "\uFEFFQuestion,Answer\r\nQ,A\r\n\r\n"));
    expect(entries).toMatchObject([{ heads: ["Q"], body: "A" }]);
  });

  it("says what a body should be that is none", () => {
    for (const body of ["{", "null", "[]", '{"entries":5}']) expect(() => importRows("json", body)).toThrow(/expected/);
    expect(() => importRows("csv", "")).toThrow(/expected a header line/);
    expect(importRows("markdown", "")).toEqual([]);
    expect(importRows("jsonl", "")).toEqual([]);
  });

  it("names what no row may be", async () => {
    const values = [
      null,
      5,
      [],
      { question: "", answer: "a" },
      { question: [], answer: "a" },
      { text: "a", more: 1 },
      { id: "a b", text: "a" },
    ];
    const { entries, refused } = await readRows(values.map((value, i) => ({ place: `entry ${i + 1}`, value })));
    expect(entries).toEqual([]);
    expect(refused.map(({ place }) => place)).toEqual(values.map((_, i) => `entry ${i + 1}`));
    for (const { reason } of refused) expect(reason).not.toBe("");
  });
});

describe("follow-ups", () => {
  it.each([
    ["And on Sundays?", true],
    ["What about my wife?", true],
    ["How much does it cost?", true],
    ["Why?", true],
    ["On Sundays?", true],
    ["How do I cancel my credit card?", false],
    ["What is the interest rate of a savings account?", false],
  ])("%s", (question, leans) => {
    expect(leansOnHistory(question)).toBe(leans);
  });

  it("takes the user's last turn, not the answer", () => {
    const history = [
      { role: "user" as const, content: "First?" },
      { role: "user" as const, content: "When are you open?" },
      { role: "assistant" as const, content: "From nine." },
    ];
    expect(searchText("And on Sundays?", history)).toBe("When are you open? And on Sundays?");
    expect(searchText("And on Sundays?", [])).toBe("And on Sundays?");
  });
});

describe("confidence", () => {
  it("is fitted to how often the best entry is right", () => {
    const random = makeRandom(4);
    const truth = { slope: 9, offset: -5 };
    const found = Array.from({ length: 20_000 }, () => {
      const cosine = 2 * random() - 1;
      return { cosine, isRight: random() < confidenceOf(cosine, truth), isInScope: true };
    });
    const { slope, offset } = fitConfidence(found);
    expect(slope / truth.slope).toBeCloseTo(1, 1);
    expect(offset / truth.offset).toBeCloseTo(1, 1);
  });

  it("ends where all are told apart, and counts what is let through", () => {
    const found = [
      { cosine: 1, isRight: true, isInScope: true },
      { cosine: 0.99, isRight: false, isInScope: true },
      { cosine: -1, isRight: false, isInScope: true },
      { cosine: -1, isRight: false, isInScope: false },
    ];
    expect(Number.isFinite(fitConfidence(found.slice(2)).slope)).toBe(true);
    expect(measureHandoff(found)).toEqual({ right: 1 / 3, wrong: 1 / 3, handedOver: 1 - 2 / 3, outOfScope: 1 });
  });
});

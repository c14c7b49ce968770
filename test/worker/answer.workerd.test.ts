import { beforeAll, describe, expect, it } from "vitest";
import golden from "../fixtures/tiny-reader/golden.json";
import { bucket, makeClient, problemOf, putClassifier, putReader } from "./harness.ts";

const client = makeClient();

interface Span {
  text: string;
  start: number;
  end: number;
  confidence: number;
}

interface AnswerBody {
  model: { id: string; version: string };
  answer: string | null;
  start: number | null;
  end: number | null;
  confidence: number;
  reason: string | null;
  alternatives: Span[];
  tokens: number;
  windows: number;
  timing: Record<string, number>;
}

async function answer(body: object): Promise<AnswerBody> {
  const response = await client.answer(body);
  expect(response.status).toBe(200);
  return (await response.json()) as AnswerBody;
}

const { question, context } = golden[0]!;

let version: string;
beforeAll(async () => {
  version = (await putReader("tiny")).version;
});

describe("POST /v1/answer", () => {
  it("answers with a part of the context, where it stands, and how sure it is", async () => {
    const {
      model,
      answer: text,
      start,
      end,
      confidence,
      reason,
      tokens,
      windows,
      timing,
    } = await answer({
      question,
      context,
      threshold: 0,
    });
    expect(model).toEqual({ id: "tiny", version });
    expect(text).toBe(context.slice(start!, end!));
    expect(text!.length).toBeGreaterThan(0);
    expect(confidence).toBeGreaterThan(0);
    expect(confidence).toBeLessThanOrEqual(1);
    expect({ reason, tokens, windows }).toEqual({
      reason: null,
      tokens: golden[0]!.windows[0]!.tokens.length,
      windows: 1,
    });
    expect(Object.values(timing).every((ms) => ms >= 0)).toBe(true);
  });

  it("tells alternatives, most confident first, none of which shares a word with another", async () => {
    const body = await answer({ question, context, threshold: 0, top_k: 4 });
    const best = { text: body.answer!, start: body.start!, end: body.end!, confidence: body.confidence };
    const spans = [best, ...body.alternatives];
    expect(spans.length).toBeGreaterThan(1);
    expect(spans.map(({ confidence }) => confidence)).toEqual(
      spans.map(({ confidence }) => confidence).toSorted((a, b) => b - a),
    );
    for (const { text, start, end } of spans) expect(text).toBe(context.slice(start, end));
    const inOrder = spans.toSorted((a, b) => a.start - b.start);
    for (const [i, { start }] of inOrder.entries())
      if (i > 0) expect(start).toBeGreaterThanOrEqual(inOrder[i - 1]!.end);
    expect((await answer({ question, context, threshold: 0, top_k: 1 })).alternatives).toEqual([]);
  });

  it.each([
    ["emoji and other scripts", "One 👩‍👩‍👧 of the\r\nother\tstones 👍🏽, “rare” ones — 日本!"],
    ["CRLF and combining characters", "  \r\n\r\nthe cafe\u0301 and the café\u00a0\r\n"],
    ["halves of a pair", "half \ud800 a pair, the other\u200b half \udc00"],
    ["many windows", `${"the rare stone is in the sand. ".repeat(60)}😀`],
  ])("counts UTF-16 units as they came: %s", async (_, text) => {
    const {
      answer: best,
      start,
      end,
      alternatives,
    } = await answer({
      question: "the other 😀",
      context: text,
      threshold: 0,
      top_k: 20,
    });
    // Compared here: half a pair in a message of Vitest's would be none that it can send.
    expect(best === text.slice(start!, end!)).toBe(true);
    for (const span of alternatives) expect(span.text === text.slice(span.start, span.end)).toBe(true);
  });

  it("reads a long context in windows, and finds what stands at its end", async () => {
    const filler = "on there on there. ".repeat(100);
    const end = "the stone";
    const body = await answer({ question: "stone", context: filler + end, threshold: 0, top_k: 20 });
    expect(body.windows).toBeGreaterThan(5);
    expect(body.tokens).toBeGreaterThan(filler.length / 3);
    const spans = [{ start: body.start!, end: body.end! }, ...body.alternatives];
    for (const { start, end } of spans) expect(end).toBeGreaterThan(start);
  });

  it("has no answer that is less sure than the threshold, and says so", async () => {
    const sure = await answer({ question, context, threshold: 0 });
    const body = await answer({ question, context, threshold: 1 });
    expect(body).toMatchObject({ answer: null, start: null, end: null, reason: "below_threshold" });
    expect(body.confidence).toBe(sure.confidence);
    expect(body.alternatives[0]).toMatchObject({ text: sure.answer, start: sure.start, end: sure.end });
  });

  it("takes the model's own threshold unless it is told another", async () => {
    await putReader("strict", { config: { no_answer_below: 1 } });
    const strict = makeClient();
    const ask = async (body: object) =>
      (await (await strict.answer({ question, context, ...body })).json()) as AnswerBody;
    expect((await ask({ model: "strict" })).reason).toBe("below_threshold");
    expect((await ask({ model: "strict", threshold: 0 })).reason).toBe(null);
    await bucket.delete("models/strict/manifest.json");
  });

  it.each([
    { question, context: "" },
    { question, context: " \r\n\t" },
    { question: "", context },
    { question: "\u200b", context: " " },
  ])("has no answer where there is no word: %j", async (body) => {
    const { answer: text, reason, alternatives, confidence } = await answer(body);
    expect({ text, reason, alternatives, confidence }).toEqual({
      text: null,
      reason: "no_text",
      alternatives: [],
      confidence: 0,
    });
  });

  it("gives requests that come together what each gets alone", async () => {
    const asked = golden.map((one) => ({ question: one.question, context: one.context, threshold: 0 }));
    const strip = ({ timing: _, ...body }: AnswerBody) => body;
    const alone = [];
    for (const body of asked) alone.push(strip(await answer(body)));
    expect((await Promise.all(asked.map(answer))).map(strip)).toEqual(alone);
  });

  it.each([
    [{ question }, "context"],
    [{ context }, "question"],
    [{ question: 7, context }, "question"],
    [{ question, context: ["a"] }, "context"],
    [{ question, context, top_k: 0 }, "top_k"],
    [{ question, context, top_k: 21 }, "top_k"],
    [{ question, context, threshold: 1.5 }, "threshold"],
    [{ question, context, contexts: [] }, "contexts"],
  ])("refuses %j", async (body, place) => {
    const response = await client.answer(body);
    expect(response.status).toBe(400);
    expect((await problemOf(response)).detail).toContain(place);
  });

  it("refuses what is too long, and another alphabet, naming which of the two it is", async () => {
    const long = await client.answer({ question, context: "a ".repeat(20_000) });
    expect(long.status).toBe(413);
    const strange = await client.answer({ question, context: "Привет, мир" });
    expect(strange.status).toBe(422);
    expect((await problemOf(strange)).detail).toMatch(/^context: expected Latin letters/);
    const asked = await client.answer({ question: "Кто это?", context });
    expect((await problemOf(asked)).detail).toMatch(/^question: expected Latin letters/);
  });

  it("knows no model that is not there, or does something else", async () => {
    await putClassifier("sorter");
    const fresh = makeClient();
    expect((await fresh.answer({ question, context, model: "nobody" })).status).toBe(404);
    const other = await fresh.answer({ question, context, model: "sorter" });
    expect(other.status).toBe(404);
    await bucket.delete("models/sorter/manifest.json");
  });
});

/** Knowledge bases as the operator fills them and as callers ask them: R2, Durable Objects and SQLite in workerd. */
import { abortAllDurableObjects, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { problemOf, putEmbedder } from "../harness.ts";
import { answer, ask, makeBase, objectOf, operate, put } from "./harness.ts";

beforeAll(async () => {
  await putEmbedder("embed-en");
});

const HOURS = {
  id: "hours",
  question: ["When are you open?", "What are your opening hours?"],
  answer: "From nine to six.",
};
const CARD = { id: "card", question: "Where is my card?", answer: "In the post.", source: "https://example.com/card" };

describe("entries", () => {
  it("answers a question that it knows, with where it is from and what else there was", async () => {
    const id = await makeBase();
    expect(await put(id, { entries: [HOURS, CARD] })).toEqual({
      added: 2,
      updated: 0,
      refused: [],
      entries: 2,
      passages: 3,
    });
    expect(await answer(id, "Where is my card?")).toMatchObject({
      answer: "In the post.",
      handoff: false,
      reason: null,
      searched: "Where is my card?",
      source: { entry: "card", kind: "pair", title: "Where is my card?", source: "https://example.com/card" },
      alternatives: [{ answer: "From nine to six.", source: { entry: "hours" } }],
    });
    expect((await answer(id, "What are your opening hours?")).source).toMatchObject({
      entry: "hours",
      title: "What are your opening hours?",
    });
  });

  it("replaces by id, and changes nothing when it is sent again", async () => {
    const id = await makeBase();
    await put(id, { entries: [HOURS, CARD] });
    expect(await put(id, { entries: [HOURS, CARD] })).toMatchObject({ added: 0, updated: 2, entries: 2, passages: 3 });
    const moved = { ...CARD, answer: "In your letter box." };
    expect(await put(id, { entries: [moved] })).toMatchObject({ updated: 1, entries: 2 });
    expect((await answer(id, "Where is my card?")).answer).toBe("In your letter box.");
    // Without ids, the question is what tells.
    const { id: _, ...nameless } = CARD;
    const other = await makeBase();
    await put(other, { entries: [nameless] });
    expect(await put(other, { entries: [nameless] })).toMatchObject({ added: 0, updated: 1, entries: 1 });
  });

  it("names what it refuses, and takes the rest", async () => {
    const id = await makeBase();
    const result = await put(id, {
      entries: [
        HOURS,
        { question: "No answer?" },
        { id: "both", question: "a", answer: "b", text: "c" },
        { id: "russian", question: "Привет, мир?", answer: "x" },
        { text: "" },
      ],
    });
    expect(result).toMatchObject({ added: 1, entries: 1 });
    expect(result.refused.map(({ place, id: entry }) => [place, entry])).toEqual([
      ["entry 2", undefined],
      ["entry 3", "both"],
      ["entry 5", undefined],
      ["entry russian", "russian"],
    ]);
    expect(result.refused[0]!.reason).toMatch(/expected question and answer, or text/);
    expect(result.refused[3]!.reason).toMatch(/expected Latin letters/);
  });

  it("lists, reads and deletes", async () => {
    const id = await makeBase({ name: "Shop" });
    await put(id, { entries: [HOURS, CARD] });
    const first = (await (await operate("GET", `/${id}/entries?limit=1`)).json()) as {
      entries: object[];
      next_cursor: string;
    };
    expect(first.entries).toMatchObject([{ id: "hours", answer: "From nine to six." }]);
    const rest = await (await operate("GET", `/${id}/entries?cursor=${first.next_cursor}`)).json();
    expect(rest).toMatchObject({ entries: [{ id: "card" }], next_cursor: null });
    expect((await operate("DELETE", `/${id}/entries/card`)).status).toBe(204);
    expect((await problemOf(await operate("GET", `/${id}/entries/card`))).type).toMatch(/unknown_entry/);
    expect((await operate("DELETE", `/${id}/entries/card`)).status).toBe(404);
    const after = await answer(id, "Where is my card?", { threshold: 0 });
    expect(after.source?.entry).toBe("hours");
    expect(after.alternatives).toEqual([]);
    expect(await (await operate("GET", `/${id}`)).json()).toMatchObject({ id, name: "Shop", entries: 1, passages: 2 });
    const { knowledge_bases } = (await (await operate("GET", "?limit=100")).json()) as {
      knowledge_bases: { id: string }[];
    };
    expect(knowledge_bases.map((base) => base.id)).toContain(id);
    expect((await operate("DELETE", `/${id}`)).status).toBe(204);
    expect((await operate("GET", `/${id}`)).status).toBe(404);
    expect((await problemOf(await ask({ knowledge_base: id, question: "a" }))).type).toMatch(/unknown_knowledge_base/);
  });

  it("is all there after a restart", async () => {
    const id = await makeBase();
    await put(id, { entries: [HOURS, CARD] });
    await operate("DELETE", `/${id}/entries/hours`);
    await put(id, { entries: [{ id: "refund", question: "How do I get a refund?", answer: "Write to us." }] });
    const before = [await answer(id, "Where is my card?"), await answer(id, "a refund")];
    await abortAllDurableObjects();
    const after = [await answer(id, "Where is my card?"), await answer(id, "a refund")];
    for (const [i, { source, confidence }] of before.entries()) expect(after[i]).toMatchObject({ source, confidence });
  });

  it("takes imports that come at the same time, each whole", async () => {
    const id = await makeBase();
    const batch = (n: number) => ({
      entries: Array.from({ length: 20 }, (_, i) => ({
        id: `e${(n * 10 + i) % 100}`,
        question: `Question ${n} ${i}?`,
        answer: `${n}`,
      })),
    });
    await Promise.all(Array.from({ length: 10 }, (_, n) => put(id, batch(n))));
    expect(await (await operate("GET", `/${id}`)).json()).toMatchObject({ entries: 100, passages: 100 });
    await runInDurableObject(objectOf(id), (_, state) => {
      const rows = state.storage.sql
        .exec<{ n: number; most: number }>("SELECT count(*) AS n, max(row) AS most FROM passages")
        .one();
      const free = state.storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM free_rows").one();
      expect(rows.n).toBe(100);
      // Rows that became free are used again.
      expect(rows.most + 1).toBe(rows.n + free.n);
    });
  });

  it("leaves everything as it was where an import fails", async () => {
    const id = await makeBase();
    await put(id, { entries: [HOURS] });
    await runInDurableObject(objectOf(id), (_, state) => {
      state.storage.sql.exec(
        "CREATE TRIGGER fail BEFORE INSERT ON passages WHEN NEW.entry = 'bad' BEGIN SELECT raise(abort, 'for a test'); END",
      );
    });
    const bad = { id: "bad", question: "Bad?", answer: "x" };
    expect(
      (await operate("PUT", `/${id}/entries`, { entries: [CARD, { ...HOURS, answer: "Never." }, bad] })).status,
    ).toBe(500);
    expect(await (await operate("GET", `/${id}`)).json()).toMatchObject({ entries: 1, passages: 2 });
    expect(await answer(id, "When are you open?")).toMatchObject({ answer: "From nine to six." });
    expect((await answer(id, "Where is my card?", { threshold: 0 })).source?.entry).toBe("hours");
  });

  it("says so when a base is full, or of another model", async () => {
    const id = await makeBase();
    await put(id, { entries: [HOURS] });
    const vector = { vector: new Int8Array(32), scale: 1, head: "a", body: "b" };
    const entry = { id: "x", kind: "pair" as const, heads: ["a"], body: "b", source: null, passages: [vector] };
    const { files } = await putEmbedder("embed-en");
    const model = { id: "embed-en", weights: files["model.safetensors"].sha256, dimensions: 32 };
    const many = { ...entry, passages: new Array(120_000).fill(vector) };
    expect(await objectOf(id).put([many], model)).toEqual({ refused: "full", passages: 2 });
    expect(await objectOf(id).put([entry], { ...model, weights: "other" })).toMatchObject({ refused: "other_model" });
    // Without entries it may change to vectors of another length.
    await operate("DELETE", `/${id}/entries/hours`);
    const longer = { ...entry, passages: [{ ...vector, vector: new Int8Array(64).fill(1) }] };
    expect(await objectOf(id).put([longer], { id: "new", weights: "other", dimensions: 64 })).toMatchObject({
      added: 1,
    });
    expect((await problemOf(await ask({ knowledge_base: id, question: "a" }))).type).toMatch(/other_model/);
  });
});

describe("imports", () => {
  it("reads JSON lines", async () => {
    const id = await makeBase();
    const lines = `${JSON.stringify(HOURS)}\n\nnot json\n${JSON.stringify(CARD)}\n`;
    expect(await put(id, lines, "application/x-ndjson")).toMatchObject({ added: 2, refused: [{ place: "line 3" }] });
  });

  it("reads CSV with quotes, and names the lines that are wrong", async () => {
    const id = await makeBase();
    const csv =
      'id,question,answer,text\nhours,"When, exactly, are you open?","From ""nine""\nto six.",\ndoc,,,A text of some words.\nbad,Only a question?\n';
    expect(await put(id, csv, "text/csv; charset=utf-8")).toMatchObject({
      added: 2,
      refused: [{ place: "line 5", reason: "expected 4 fields, got 2" }],
    });
    expect((await answer(id, "When, exactly, are you open?")).answer).toBe('From "nine"\nto six.');
    const problem = await problemOf(await operate("PUT", `/${id}/entries`, "frage,antwort\na,b\n", "text/csv"));
    expect(problem.detail).toMatch(/expected a header line with question and answer.*got frage, antwort/);
  });

  it("cuts Markdown at its headings: questions with answers, and documents", async () => {
    const id = await makeBase();
    const markdown =
      "Welcome.\n\n# Help\n\n## When are you open?\n\nFrom nine to six.\n\n## Delivery\n\nParcels take two days.\n\n```\n# no heading\n```\n";
    expect(await put(id, markdown, "text/markdown")).toMatchObject({ added: 3, refused: [] });
    const { entries } = (await (await operate("GET", `/${id}/entries`)).json()) as { entries: object[] };
    expect(entries).toMatchObject([
      { text: "Welcome." },
      { question: ["When are you open?"], answer: "From nine to six." },
      { title: "Help › Delivery" },
    ]);
    expect(await put(id, markdown, "text/markdown")).toMatchObject({ added: 0, updated: 3, entries: 3 });
  });

  it("refuses other types, too much, and who is not the operator", async () => {
    const id = await makeBase();
    expect((await operate("PUT", `/${id}/entries`, "a", "text/plain")).status).toBe(415);
    expect((await operate("PUT", `/${id}/entries`, "x".repeat(600_000), "text/markdown")).status).toBe(413);
    const many = { entries: Array.from({ length: 1001 }, (_, i) => ({ question: `${i}?`, answer: "a" })) };
    expect((await problemOf(await operate("PUT", `/${id}/entries`, many))).detail).toMatch(
      /at most 1000 entries, got 1001/,
    );
    expect((await operate("PUT", `/${id}/entries`, { rows: [] })).status).toBe(400);
    expect((await operate("PUT", "/nothing/entries", { entries: [HOURS] })).status).toBe(404);
    expect((await operate("PUT", "/UPPER", {})).status).toBe(400);
    const headers = { "content-type": "application/json" };
    const { client } = await import("./harness.ts");
    expect((await client.request(`/v1/knowledge/${id}`, { method: "PUT", headers, body: "{}" })).status).toBe(401);
  });
});

describe("questions", () => {
  it("hands over what it does not know", async () => {
    const id = await makeBase();
    expect(await answer(id, "Where is my card?")).toMatchObject({
      answer: null,
      handoff: true,
      reason: "no_entries",
      confidence: 0,
    });
    await put(id, { entries: [HOURS] });
    expect(await answer(id, "Where is it?", { threshold: 1 })).toMatchObject({
      answer: null,
      handoff: true,
      reason: "below_threshold",
      source: null,
      alternatives: [{ source: { entry: "hours" } }],
    });
    expect(await answer(id, " ")).toMatchObject({ handoff: true, reason: "no_text" });
  });

  it("looks a question up together with the one that it leans on", async () => {
    const id = await makeBase();
    await put(id, { entries: [HOURS, CARD] });
    const history = [
      { role: "user", content: "Where is my card?" },
      { role: "assistant", content: "In the post." },
    ];
    expect((await answer(id, "And when does it come?", { history })).searched).toBe(
      "Where is my card? And when does it come?",
    );
    expect((await answer(id, "What are your opening hours on national holidays?", { history })).searched).toBe(
      "What are your opening hours on national holidays?",
    );
  });

  it("takes either a context or a base, and history only with a base", async () => {
    const question = "Where?";
    expect((await ask({ question })).status).toBe(400);
    expect((await ask({ question, context: "Here.", knowledge_base: "a" })).status).toBe(400);
    expect((await ask({ question, context: "Here.", history: [] })).status).toBe(400);
    expect((await ask({ question, knowledge_base: "a", model: "nothing" })).status).toBe(404);
  });

  it("answers from a document with the sentence that is nearest", async () => {
    const id = await makeBase();
    const text =
      "# Parcels\n\nParcels take two days. Letters take one day.\n\n# Returns\n\nYou may send things back within a month.";
    expect(await put(id, { entries: [{ id: "doc", title: "Shipping", text }] })).toMatchObject({
      added: 1,
      passages: 2,
    });
    const found = await answer(id, "Letters take one day.", { threshold: 0 });
    expect(found).toMatchObject({
      answer: "Letters take one day.",
      source: {
        entry: "doc",
        kind: "document",
        title: "Shipping › Parcels",
        passage: "Parcels take two days. Letters take one day.",
      },
    });
  });
});

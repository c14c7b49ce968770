import { createExecutionContext } from "cloudflare:test";
import { Hono } from "hono";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { overloaded } from "../../worker/errors.ts";
import { type Send, type StreamObserver, sendEvents } from "../../worker/events.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { StreamDecoder } from "../../worker/translate.ts";
import golden from "../fixtures/tiny/golden.json";
import { type Answer, makeClient, problemOf, putModel, tokenizerJson } from "./harness.ts";

const client = makeClient();

beforeAll(async () => {
  await putModel("tiny");
});

interface ServerSentEvent {
  event: string;
  data: unknown;
}

/** Reads events strictly: two lines each, and an empty one. */
function parseEvents(text: string): ServerSentEvent[] {
  expect(text.endsWith("\n\n")).toBe(true);
  return text
    .slice(0, -2)
    .split("\n\n")
    .map((block) => {
      const match = /^event: (\w+)\ndata: (.+)$/.exec(block);
      if (!match) throw new Error(`not an event: ${JSON.stringify(block)}`);
      return { event: match[1]!, data: JSON.parse(match[2]!) };
    });
}

function deltasOf(events: ServerSentEvent[]): { index: number; text: string }[] {
  return events.filter(({ event }) => event === "delta").map(({ data }) => data as { index: number; text: string });
}

describe("stream: true", () => {
  it("sends a token at a time, then the whole result", async () => {
    const response = await client.translate({ text: golden.text, stream: true });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const events = parseEvents(await response.text());
    expect(events.at(-1)!.event).toBe("result");
    const deltas = deltasOf(events);
    expect(deltas.length).toBe(golden.tokens.length);
    expect(deltas.map(({ text }) => text).join("")).toBe(golden.translation);
    const plain = (await (await client.translate({ text: golden.text })).json()) as Answer;
    const { translations, model } = events.at(-1)!.data as Answer;
    expect({ translations, model }).toEqual({ translations: plain.translations, model: plain.model });
  });

  it.each([1, 3])("adds up to the text that comes without streaming, beam_size %d", async (beam_size) => {
    const text = ["Hello there.  How are you?\n\n🎉 12", "", " One.\r\nTwo. "];
    const response = await client.translate({ text, stream: true, beam_size });
    const deltas = deltasOf(parseEvents(await response.text()));
    const plain = (await (await client.translate({ text, beam_size })).json()) as Answer;
    expect(
      text.map((_, i) =>
        deltas
          .filter(({ index }) => index === i)
          .map((delta) => delta.text)
          .join(""),
      ),
    ).toEqual(plain.translations.map((translation) => translation.text));
  });

  it("ends with what else was asked for", async () => {
    const body = { text: golden.text, beam_size: 2, alternatives: true, alignments: true };
    const plain = (await (await client.translate(body)).json()) as Answer;
    const events = parseEvents(await (await client.translate({ ...body, stream: true })).text());
    const result = events.at(-1)!.data as Answer;
    expect(result.translations[0]!.parts![0]!.alignment!.weights.length).toBeGreaterThan(0);
    expect(result.translations).toEqual(plain.translations);
  });

  it("answers what is wrong from the start with a status, not with an event", async () => {
    const response = await client.translate({ text: "Привет", stream: true });
    expect(response.status).toBe(422);
    await problemOf(response);
  });

  it("releases the model when the reader goes away", async () => {
    const text = "A dog runs. ".repeat(100);
    for (let i = 0; i < 140; i++) {
      const response = await client.translate({ text, stream: true });
      const reader = response.body!.getReader();
      await reader.read();
      await reader.cancel();
    }
    // Only 128 rows at a time may be computed.
    expect((await client.translate({ text: "One." })).status).toBe(200);
  });
});

describe("sendEvents", () => {
  async function eventsOf(work: Parameters<typeof sendEvents>[2]): Promise<ServerSentEvent[]> {
    const app = new Hono().get("/", (c) => sendEvents(c, c.req.raw.signal, work));
    const response = await app.request("/", {}, {}, createExecutionContext());
    expect(response.status).toBe(200);
    return parseEvents(await response.text());
  }

  it("ends with the problem, if one comes up in the middle", async () => {
    vi.spyOn(console, "error").mockImplementationOnce(() => {});
    const events = await eventsOf(async (send) => {
      send("delta", { text: "a\nb" });
      throw overloaded("no room");
    });
    expect(events).toEqual([
      { event: "delta", data: { text: "a\nb" } },
      { event: "error", data: expect.objectContaining({ status: 503, detail: "no room" }) },
    ]);
  });

  it.each([
    ["complete", async () => ({ event: "result", data: 1 })],
    [
      "failed",
      async (send: Send) => {
        send("delta", 1);
        throw overloaded("no room");
      },
    ],
  ] as const)("tells who watches that the work is %s, and asks before the last event", async (end, work) => {
    vi.spyOn(console, "error").mockImplementationOnce(() => {});
    const seen: unknown[] = [];
    const observer: StreamObserver = {
      written: (text) => seen.push(text),
      completing: async (last) => void seen.push(["completing", last]),
      ended: async (how) => void seen.push(how),
    };
    const app = new Hono().get("/", (c) => sendEvents(c, c.req.raw.signal, work, observer));
    const response = await app.request("/", {}, {}, createExecutionContext());
    await response.text();
    await vi.waitFor(() => expect(seen.at(-1)).toBe(end));
    const first = end === "complete" ? ["completing", "event: result\ndata: 1\n\n"] : "event: delta\ndata: 1\n\n";
    expect(seen).toEqual([first, end]);
  });

  it("sends the problem instead of the last event, if that is refused", async () => {
    const observer: StreamObserver = {
      written: () => {},
      completing: async () => {
        throw overloaded("not paid");
      },
      ended: async () => {},
    };
    vi.spyOn(console, "error").mockImplementationOnce(() => {});
    const work = async () => ({ event: "result", data: "secret" });
    const app = new Hono().get("/", (c) => sendEvents(c, c.req.raw.signal, work, observer));
    const text = await (await app.request("/", {}, {}, createExecutionContext())).text();
    expect(parseEvents(text).map(({ event }) => event)).toEqual(["error"]);
  });

  it("tells nothing of a fault of ours", async () => {
    vi.spyOn(console, "error").mockImplementationOnce(() => {});
    const events = await eventsOf(async () => {
      throw new TypeError("secret");
    });
    expect(events.map(({ event }) => event)).toEqual(["error"]);
    expect(JSON.stringify(events)).not.toContain("secret");
  });
});

describe("StreamDecoder", () => {
  const tokenizer = Tokenizer.fromJson(tokenizerJson);

  it("hands out whole characters only", () => {
    const text = "Straße, 日本, 👩‍👩‍👧 — é";
    const decoder = new StreamDecoder(tokenizer);
    const ids = tokenizer.encode(text);
    const deltas = ids.map((id) => decoder.push(id));
    deltas.push(decoder.finish(ids));
    expect(deltas.join("")).toBe(text);
    for (const delta of deltas) {
      expect(delta).not.toContain("\uFFFD");
      expect(delta.isWellFormed()).toBe(true);
    }
  });

  it("gives up on a character that never ends", () => {
    const [first] = tokenizer.encode("ß");
    const decoder = new StreamDecoder(tokenizer);
    expect(decoder.push(first!)).toBe("");
    expect(decoder.finish([first!])).toBe("\uFFFD");
  });
});

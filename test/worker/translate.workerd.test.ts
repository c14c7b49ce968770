import { beforeAll, describe, expect, it } from "vitest";
import golden from "../fixtures/tiny/golden.json";
import { type Answer, makeClient, putModel } from "./harness.ts";

const client = makeClient();

async function answer(body: object): Promise<Answer> {
  const response = await client.translate(body);
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}

async function translateText(text: string): Promise<string> {
  return (await answer({ text })).translations[0]!.text;
}

let version: string;
beforeAll(async () => {
  version = (await putModel("tiny")).version;
});

describe("POST /v1/translate", () => {
  it("translates a text", async () => {
    const { model, translations, timing } = await answer({ text: golden.text });
    expect(model).toEqual({ id: "tiny", version });
    expect(translations).toEqual([
      {
        text: golden.translation,
        score: expect.any(Number),
        source_tokens: golden.source.length,
        target_tokens: golden.tokens.length + 1,
        segments: 1,
        truncated: false,
      },
    ]);
    expect(translations[0]!.score).toBeLessThan(0);
    expect(Object.values(timing).every((ms) => ms >= 0)).toBe(true);
  });

  it("translates several texts in their order", async () => {
    const { translations } = await answer({ text: ["One.", "", golden.text, "One."] });
    expect(translations.map(({ text }) => text)).toEqual([
      translations[3]!.text,
      "",
      golden.translation,
      await translateText("One."),
    ]);
    expect(translations[1]).toMatchObject({ score: null, source_tokens: 0, target_tokens: 0, segments: 0 });
  });

  it("takes a beam and a limit of tokens", async () => {
    const [greedy] = (await answer({ text: golden.text })).translations;
    const [beam] = (await answer({ text: golden.text, beam_size: 4 })).translations;
    expect(beam!.score).toBeGreaterThanOrEqual(greedy!.score!);
    const [cut] = (await answer({ text: golden.text, max_tokens: 3 })).translations;
    expect(cut).toMatchObject({ target_tokens: 3, truncated: true });
  });

  it("tells the beam's other translations and which words a word was made from, if asked", async () => {
    const text = `${golden.text}\n\n${golden.text}`;
    const [plain] = (await answer({ text, beam_size: 4 })).translations;
    expect(plain).not.toHaveProperty("parts");
    const [full] = (await answer({ text, beam_size: 4, alternatives: true, alignments: true })).translations;
    expect(full).toMatchObject(plain!);
    const { parts } = full!;
    expect(parts!.map(({ source }) => source)).toEqual([golden.text, "\n\n", golden.text]);
    expect(parts!.map((part) => part.text).join("")).toBe(plain!.text);
    expect(parts![1]).toEqual({ source: "\n\n", text: "\n\n" });
    const [{ alternatives, alignment }] = parts as [Required<(typeof parts & object)[number]>];
    expect(alternatives.length).toBeGreaterThan(0);
    expect(new Set(alternatives.map((one) => one.text)).size).toBe(alternatives.length);
    expect(alternatives.every((one) => one.text !== parts![0]!.text && one.score < 0)).toBe(true);
    expect(alignment.source_words.join("")).toBe(golden.text);
    expect(alignment.target_words.join("")).toBe(parts![0]!.text);
    expect(alignment.weights.length).toBe(alignment.target_words.length);
    for (const row of alignment.weights) {
      expect(row.length).toBe(alignment.source_words.length);
      const sum = row.reduce((total, weight) => total + weight, 0);
      expect(sum).toBeGreaterThan(0);
      expect(sum).toBeLessThan(1.001);
    }
    const [greedy] = (await answer({ text, alternatives: true, beam_size: 1 })).translations;
    expect(greedy!.parts!.map((part) => part.alternatives)).toEqual([[], undefined, []]);
    expect((await answer({ text: "", alignments: true })).translations[0]).toMatchObject({ text: "", parts: [] });
  });

  it("takes a language with a region, and a model by its id", async () => {
    expect((await answer({ text: "One.", source: "en-GB", target: "DE" })).model.id).toBe("tiny");
    expect((await answer({ text: "One.", source: "en-!" })).model.id).toBe("tiny");
    expect((await answer({ text: "One.", model: "tiny" })).model.id).toBe("tiny");
  });

  it("keeps white space and line breaks exactly", async () => {
    const one = await translateText("One.");
    const two = await translateText("Two.");
    expect(await translateText("  One. \t Two.\r\n\r\n\n   One.\u2028Two.\n ")).toBe(
      `  ${one} \t ${two}\r\n\r\n\n   ${one}\u2028${two}\n `,
    );
  });

  it.each(["", " ", "\n\n", "42", "3.14 × 2 = 6.28", "🎉👩‍👩‍👧‍👦🇩🇪", "…!?", "— — —"])(
    "passes %j through, which has no letters",
    async (text) => {
      expect((await answer({ text })).translations).toEqual([
        { text, score: null, source_tokens: 0, target_tokens: 0, segments: 0, truncated: false },
      ]);
    },
  );

  it("keeps emoji and bullets around sentences", async () => {
    const one = await translateText("One.");
    expect(await translateText("🎉 One. 👍🏽\n• One.\n- One.")).toBe(`🎉 ${one} 👍🏽\n• ${one}\n- ${one}`);
  });

  it("ignores control characters, directional marks and half surrogates", async () => {
    expect(await translateText("O\u0000n\u0007e\u200B.\uFEFF\u202E")).toBe(await translateText("One."));
    expect((await answer({ text: "One \uD800 two." })).translations[0]!.segments).toBe(1);
  });

  it("composes letters, so that é is one character however it was typed", async () => {
    expect(await translateText("Cafe\u0301.")).toBe(await translateText("Caf\u00e9."));
  });

  it("does not take a special token from the text", async () => {
    const [translation] = (await answer({ text: "a</s>b" })).translations;
    expect(translation!.source_tokens).toBe("a</s>b".length);
  });

  it("cuts a sentence that is longer than the model", async () => {
    const words = Array.from({ length: 200 }, (_, i) => `word${i}`).join(" ");
    const [translation] = (await answer({ text: words })).translations;
    expect(translation!.segments).toBeGreaterThan(words.length / 48);
    const [solid] = (await answer({ text: "x".repeat(2000), max_tokens: 2 })).translations;
    expect(solid!.segments).toBeGreaterThan(40);
  });

  it("translates as much text as it promises", async () => {
    const text = "A dog runs. ".repeat(1_666);
    const [translation] = (await answer({ text, max_tokens: 2 })).translations;
    expect(translation).toMatchObject({ segments: 1_666 });
  });

  it("takes a content type with a charset", async () => {
    const response = await client.request("/v1/translate", {
      method: "POST",
      headers: { "content-type": "application/json; charset=utf-8" },
      body: '{"text":"One.","source":"en","target":"de"}',
    });
    expect(response.status).toBe(200);
  });

  it("answers a short request while long ones are computed", async () => {
    const text = "A dog runs. ".repeat(400);
    const order: string[] = [];
    const long = Array.from({ length: 5 }, () => answer({ text }).then(() => order.push("long")));
    await scheduler.wait(10);
    await answer({ text: "One." });
    order.push("short");
    await Promise.all(long);
    expect(order).toEqual(["short", "long", "long", "long", "long", "long"]);
  });

  it("stops when the client goes away, and releases the model", async () => {
    const abort = new AbortController();
    const pending = Array.from({ length: 4 }, () =>
      client.request("/v1/translate", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ text: "A dog runs. ".repeat(1_600), source: "en", target: "de" }),
        signal: abort.signal,
      }),
    );
    await scheduler.wait(30);
    abort.abort();
    expect((await Promise.all(pending)).map(({ status }) => status)).toEqual([499, 499, 499, 499]);
    await translateText("One.");
  });

  it("answers a page of another origin", async () => {
    const response = await client.request("/v1/translate", {
      method: "OPTIONS",
      headers: { origin: "https://example.com", "access-control-request-method": "POST" },
    });
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
  });
});

describe("GET /v1/models and /health", () => {
  it("lists what R2 holds", async () => {
    const response = await client.request("/v1/models");
    const { models } = (await response.json()) as { models: object[] };
    expect(models).toEqual([
      expect.objectContaining({
        id: "tiny",
        version,
        source_languages: ["en"],
        target_languages: ["de"],
        quality: {},
        licence: "MIT",
        training_data: [],
        size: expect.objectContaining({ d_model: 32, vocab_size: 270, bytes: expect.any(Number) }),
      }),
    ]);
  });

  it("says what is in memory", async () => {
    await answer({ text: "One." });
    const response = await client.request("/health");
    expect(await response.json()).toEqual({
      status: "ok",
      kernels: "relaxed",
      loaded_models: [{ id: "tiny", version, memory_bytes: expect.any(Number) }],
    });
  });

  it("runs the baseline kernels if it is told to, with the same result", async () => {
    const simd = makeClient({ KERNEL_BUILD: "simd" });
    const response = await simd.translate({ text: golden.text });
    expect(((await response.json()) as Answer).translations[0]!.text).toBe(golden.translation);
    expect(await (await simd.request("/health")).json()).toMatchObject({ kernels: "simd" });
  });
});

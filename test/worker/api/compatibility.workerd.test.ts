import { beforeAll, describe, expect, it } from "vitest";
import golden from "../../fixtures/tiny/golden.json";
import { openShop } from "../billing/shop.ts";
import { makeClient, putModel } from "../harness.ts";

const client = makeClient();

beforeAll(async () => {
  await putModel("tiny");
});

function post(path: string, body: object, headers: Record<string, string> = {}, at = client): Promise<Response> {
  const init = { "content-type": "application/json", ...headers };
  return at.request(path, { method: "POST", headers: init, body: JSON.stringify(body) });
}

function postForm(path: string, fields: [string, string][]): Promise<Response> {
  return client.request(path, { method: "POST", body: new URLSearchParams(fields) });
}

describe("LibreTranslate", () => {
  it("translates a text and a list", async () => {
    const one = await post("/translate", { q: golden.text, source: "en", target: "de", format: "text" });
    expect(await one.json()).toEqual({ translatedText: golden.translation });
    const list = await post("/translate", { q: [golden.text, golden.text], source: "en", target: "de" });
    expect(await list.json()).toEqual({ translatedText: [golden.translation, golden.translation] });
    const form = await postForm("/translate", [
      ["q", golden.text],
      ["source", "en"],
      ["target", "de"],
    ]);
    expect(await form.json()).toEqual({ translatedText: golden.translation });
  });

  it("detects the source, in the answer and by itself", async () => {
    const answer = await (await post("/translate", { q: golden.text, source: "auto", target: "de" })).json();
    expect(answer).toEqual({
      translatedText: golden.translation,
      detectedLanguage: { language: "en", confidence: expect.any(Number) },
    });
    const [best] = (await (await post("/detect", { q: "Guten Morgen, wie geht es dir?" })).json()) as object[];
    expect(best).toEqual({ language: "de", confidence: expect.any(Number) });
    expect(await (await post("/detect", { q: "42" })).json()).toEqual([]);
  });

  it("has as many alternatives as are wished for and found", async () => {
    const response = await post("/translate", { q: golden.text, source: "en", target: "de", alternatives: 3 });
    const { translatedText, alternatives } = (await response.json()) as {
      translatedText: string;
      alternatives: string[];
    };
    expect(alternatives.length).toBeGreaterThan(0);
    expect(alternatives.length).toBeLessThanOrEqual(3);
    expect(new Set([translatedText, ...alternatives]).size).toBe(alternatives.length + 1);
  });

  it("names the languages and the settings", async () => {
    expect(await (await client.request("/languages")).json()).toEqual([
      { code: "de", name: "German", targets: [] },
      { code: "en", name: "English", targets: ["de"] },
    ]);
    expect(await (await client.request("/frontend/settings")).json()).toMatchObject({
      charLimit: 20_000,
      keyRequired: false,
      language: { target: { code: "de", name: "German" } },
    });
  });

  it.each([
    ["a pair that nobody knows", { q: "Bonjour.", source: "fr", target: "de" }, "fr is not supported"],
    ["a detected language that nobody knows", { q: "Das ist ein Haus.", source: "auto", target: "de" }, "de"],
    ["another alphabet", { q: "Привет", source: "en", target: "de" }, "Latin"],
    ["markup", { q: "<b>a</b>", source: "en", target: "de", format: "html" }, "html"],
    ["no text", { source: "en", target: "de" }, "#/q"],
    ["too much text", { q: "a ".repeat(10_001), source: "en", target: "de" }, "20000"],
  ])("answers 400 and { error } for %s", async (_, body, message) => {
    const response = await post("/translate", body);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: expect.stringContaining(message) });
  });

  it("answers 400 for a body that is neither JSON nor a form, and for none", async () => {
    const text = await client.request("/translate", {
      method: "POST",
      body: "q",
      headers: { "content-type": "text/plain" },
    });
    expect(text.status).toBe(400);
    expect((await client.request("/translate", { method: "POST" })).status).toBe(400);
  });

  it("takes the key from the body, and charges it", async () => {
    const shop = openShop();
    const customer = await shop.addCustomer(10_000);
    const body = { q: "A dog runs.", source: "en", target: "de" };
    expect((await post("/translate", body, {}, shop.client)).status).toBe(403);
    const wrong = await post("/translate", { ...body, api_key: "wrong" }, {}, shop.client);
    expect(wrong.status).toBe(403);
    expect(await wrong.json()).toEqual({ error: expect.stringContaining("key") });
    expect((await post("/translate", { ...body, api_key: customer.key }, {}, shop.client)).status).toBe(200);
    expect(await customer.balances()).toEqual({ credit: 9_900, reserved: 0, revenue: 100 });
  });
});

describe("DeepL", () => {
  it("translates, from JSON and from a form", async () => {
    const expected = { translations: [{ detected_source_language: "EN", text: golden.translation }] };
    expect(await (await post("/v2/translate", { text: [golden.text], target_lang: "DE" })).json()).toEqual(expected);
    const form = await postForm("/v2/translate", [
      ["text", golden.text],
      ["target_lang", "de"],
      ["source_lang", "en"],
      ["show_billed_characters", "1"],
      ["formality", "prefer_more"],
    ]);
    expect(await form.json()).toEqual({
      translations: [{ ...expected.translations[0], billed_characters: golden.text.length }],
    });
  });

  it("translates several texts in their order, white space and all", async () => {
    const response = await postForm("/v2/translate", [
      ["text", " One.\n"],
      ["text", "42"],
      ["text", golden.text],
      ["target_lang", "DE"],
      ["source_lang", "EN"],
    ]);
    const { translations } = (await response.json()) as { translations: { text: string }[] };
    expect(translations.map(({ text }) => text)).toEqual([expect.stringMatching(/^ .*\n$/), "42", golden.translation]);
  });

  it("names the languages", async () => {
    expect(await (await client.request("/v2/languages")).json()).toEqual([{ language: "EN", name: "English" }]);
    expect(await (await client.request("/v2/languages?type=target")).json()).toEqual([
      { language: "DE", name: "German", supports_formality: false },
    ]);
  });

  it.each([
    [400, { text: ["a"], target_lang: "FR" }, "FR"],
    [400, { text: ["Das ist ein Haus."], target_lang: "DE" }, "de"],
    [400, { text: ["a"], target_lang: "DE", formality: "more" }, "formality"],
    [400, { text: ["a"], target_lang: "DE", tag_handling: "xml" }, "tag_handling"],
    [404, { text: ["a"], target_lang: "DE", source_lang: "EN", glossary_id: "x" }, "glossar"],
    [400, { text: Array(51).fill("a"), target_lang: "DE" }, "50"],
    [400, { text: ["a"] }, "target_lang"],
    [413, { text: ["a ".repeat(10_001)], target_lang: "DE" }, "20000"],
  ])("answers %i and { message } for %j", async (status, body, message) => {
    const response = await post("/v2/translate", body);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ message: expect.stringContaining(message) });
  });

  it("tells of no limit where nothing is to be paid", async () => {
    const none = { character_count: 0, character_limit: 1_000_000_000_000 };
    expect(await (await client.request("/v2/usage")).json()).toEqual(none);
    expect(await (await client.request("/v2/usage", { method: "POST" })).json()).toEqual(none);
  });

  it("charges a key, tells its usage, and answers 403 and 456", async () => {
    const shop = openShop();
    const customer = await shop.addCustomer(150);
    const headers = { authorization: `DeepL-Auth-Key ${customer.key}` };
    const body = { text: ["A dog runs."], target_lang: "DE", source_lang: "EN" };
    expect((await post("/v2/translate", body, {}, shop.client)).status).toBe(403);
    expect((await post("/v2/translate", body, { authorization: "DeepL-Auth-Key no" }, shop.client)).status).toBe(403);
    expect((await post("/v2/translate", body, headers, shop.client)).status).toBe(200);
    // 100 were the minimum of a call, 50 are left: 1,000 characters cost 1,000.
    expect(await (await shop.client.request("/v2/usage", { headers })).json()).toEqual({
      character_count: 11,
      character_limit: 61,
    });
    const broke = await post("/v2/translate", body, headers, shop.client);
    expect(broke.status).toBe(456);
    expect(await broke.json()).toEqual({ message: expect.any(String) });
    expect(await customer.balances()).toEqual({ credit: 50, reserved: 0, revenue: 100 });
    expect((await shop.client.request("/v2/usage")).status).toBe(403);
  });
});

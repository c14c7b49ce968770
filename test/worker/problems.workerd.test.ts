import { beforeAll, describe, expect, it, vi } from "vitest";
import { makeClient, problemOf, putModel } from "./harness.ts";

const client = makeClient();
const json = { "content-type": "application/json" };

beforeAll(async () => {
  await putModel("tiny");
});

function post(body: BodyInit, headers: Record<string, string> = json): Promise<Response> {
  return client.request("/v1/translate", { method: "POST", headers, body });
}

describe("a problem says what was expected", () => {
  it.each([
    ["no JSON", "{x", "JSON"],
    ["nothing", "", "JSON"],
    ["no object", "[]", "#: "],
    ["no text", '{"source":"en","target":"de"}', "#/text: "],
    ["text of a wrong type", '{"text":1,"source":"en","target":"de"}', "#/text: expected a string or a list"],
    ["a list without texts", '{"text":[],"source":"en","target":"de"}', "#/text"],
    ["a beam of 9", '{"text":"a","source":"en","target":"de","beam_size":9}', "#/beam_size: "],
    ["a broken limit", '{"text":"a","source":"en","target":"de","max_tokens":1.5}', "#/max_tokens: "],
    ["a misspelt member", '{"text":"a","source":"en","target":"de","beamsize":2}', "beamsize"],
  ])("400 for %s", async (_, body, detail) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({
      type: "urn:edge-slm:problem:malformed_request",
      detail: expect.stringContaining(detail),
    });
  });

  it("404 for a route that is not there, naming those that are", async () => {
    const response = await client.request("/v1/nothing");
    expect(response.status).toBe(404);
    expect((await problemOf(response)).detail).toContain("POST /v1/translate");
  });

  it("404 for an unknown model, naming the known", async () => {
    for (const model of ["nothing", "../tiny", ""]) {
      const response = await client.translate({ text: "One.", model });
      expect(response.status).toBe(404);
      expect(await problemOf(response)).toMatchObject({
        type: "urn:edge-slm:problem:unknown_model",
        models: ["tiny"],
      });
    }
  });

  it("405 for another method, with the header Allow", async () => {
    const response = await client.request("/v1/translate");
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
    await problemOf(response);
  });

  it("413 for too many texts", async () => {
    const response = await client.translate({ text: Array(65).fill("One.") });
    expect(response.status).toBe(413);
    expect(await problemOf(response)).toMatchObject({ max_texts: 64, detail: expect.stringContaining("65") });
  });

  it("413 for 100 kB of text", async () => {
    const response = await client.translate({ text: "A dog runs. ".repeat(8_334) });
    expect(response.status).toBe(413);
    expect(await problemOf(response)).toMatchObject({
      max_characters: 20_000,
      detail: expect.stringMatching(/20000.*100008/),
    });
  });

  it("413 for a body that is larger than any allowed text, before it is parsed", async () => {
    const response = await post("x".repeat(1_000_000));
    expect(response.status).toBe(413);
    expect(await problemOf(response)).toMatchObject({ max_bytes: expect.any(Number) });
  });

  it("415 for a body that is not JSON", async () => {
    const response = await post("text=a", { "content-type": "application/x-www-form-urlencoded" });
    expect(response.status).toBe(415);
    expect((await problemOf(response)).detail).toContain("application/json");
  });

  it.each([
    ["fr", "de"],
    ["en", "fr"],
    ["de", "en"],
    ["en", "en"],
  ])("422 for %s → %s, naming the pairs that are known", async (source, target) => {
    const response = await client.translate({ text: "One.", source, target });
    expect(response.status).toBe(422);
    expect(await problemOf(response)).toMatchObject({
      type: "urn:edge-slm:problem:unsupported_language",
      pairs: [{ model: "tiny", source: ["en"], target: ["de"] }],
    });
  });

  it.each([
    ["Cyrillic", "Привет, мир"],
    ["Arabic, right to left", "مرحبا بالعالم"],
    ["Hebrew, right to left", "שלום עולם"],
    ["Chinese", "你好，世界。"],
    ["mostly Greek", "Καλημέρα κόσμε, ok"],
  ])("422 for %s", async (_, text) => {
    const response = await client.translate({ text: ["One.", text] });
    expect(response.status).toBe(422);
    expect(await problemOf(response)).toMatchObject({ text: 1, scripts: ["Latin"] });
  });

  it("200 for a foreign word in a text", async () => {
    expect((await client.translate({ text: "The word мир means peace." })).status).toBe(200);
  });

  it("500 for a setting that is wrong, without telling it to the caller", async () => {
    vi.spyOn(console, "error").mockImplementationOnce(() => {});
    const broken = makeClient({ MODEL_TTL_SECONDS: "soon" });
    const response = await broken.request("/health");
    expect(response.status).toBe(500);
    expect((await problemOf(response)).detail).not.toContain("MODEL_TTL_SECONDS");
  });
});

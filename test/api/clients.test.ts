/**
 * Clients as they come from the registry, against the built Worker in workerd with a real bucket: DeepL's official one,
 * one of LibreTranslate, and hono's typed client. Nothing of them is changed but the address.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as deepl from "deepl-node";
import { libreTranslate } from "libretranslate-ts";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildBundle } from "../../scripts/bench/worker/bundle.ts";
import { type RunningWorker, startWorker } from "../../scripts/chaos/worker-process.ts";
import { openLocalBucket } from "../../scripts/publish/bucket.ts";
import { readModelFolder } from "../../scripts/publish/model-folder.ts";
import { publish } from "../../scripts/publish/publish.ts";

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const ADMIN_KEY = "operator";
const golden = JSON.parse(await readFile(path("../fixtures/tiny/golden.json"), "utf8")) as {
  text: string;
  translation: string;
};

const goldenVectors = JSON.parse(await readFile(path("../fixtures/tiny-embedder/golden.json"), "utf8")) as {
  text: string;
  tokens: number[];
  vector: number[];
}[];

let state: string;
let open: RunningWorker;
let shop: RunningWorker;

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), "edge-slm-clients-"));
  const bundle = await buildBundle(join(state, "bundle"));
  const bucket = await openLocalBucket(state);
  for (const id of ["tiny", "tiny-classifier", "tiny-embedder"])
    await publish(bucket, await readModelFolder(path(`../fixtures/${id}`)));
  await bucket.close();
  open = await startWorker({ bundle, vars: {}, directory: state });
  shop = await startWorker({ bundle, vars: { BILLING: "on", ADMIN_KEY }, directory: join(state, "shop") });
  const shopBucket = await openLocalBucket(join(state, "shop"));
  for (const id of ["tiny", "tiny-embedder"]) {
    await publish(shopBucket, await readModelFolder(path(`../fixtures/${id}`)));
  }
  await shopBucket.close();
}, 180_000);

afterAll(async () => {
  await Promise.all([open?.kill(), shop?.kill()]);
  await rm(state, { recursive: true, force: true });
});

async function operate<T>(route: string, body: object): Promise<T> {
  const response = await fetch(`${shop.url}/v1/admin${route}`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return (await response.json()) as T;
}

/** @returns a key of an account with so much credit */
async function addCustomer(account: string, amount: number): Promise<string> {
  await operate("/accounts", { account });
  await operate(`/accounts/${account}/top-ups`, { amount, reference: "start" });
  return (await operate<{ key: string }>(`/accounts/${account}/keys`, {})).key;
}

describe("deepl-node", () => {
  const client = (url: string, key = "any") => new deepl.DeepLClient(key, { serverUrl: url, maxRetries: 0 });

  it("translates a text and a list", async () => {
    const one = await client(open.url).translateText(golden.text, "en", "de");
    expect(one).toMatchObject({ text: golden.translation, detectedSourceLang: "en" });
    expect(one.billedCharacters).toBe(golden.text.length);
    const list = await client(open.url).translateText([golden.text, "42"], null, "de");
    expect(list.map(({ text }) => text)).toEqual([golden.translation, "42"]);
  });

  it("reads languages and usage", async () => {
    expect(await client(open.url).getSourceLanguages()).toEqual([{ code: "en", name: "English" }]);
    expect(await client(open.url).getTargetLanguages()).toEqual([
      { code: "de", name: "German", supportsFormality: false },
    ]);
    const usage = await client(open.url).getUsage();
    expect(usage.anyLimitReached()).toBe(false);
  });

  it("throws its own errors", async () => {
    await expect(client(open.url).translateText("a", "en", "fr")).rejects.toThrow(/fr is not supported/);
    await expect(client(open.url).translateText("a", "en", "de", { formality: "more" })).rejects.toThrow(/formality/);
    await expect(client(shop.url, "wrong").translateText("a", "en", "de")).rejects.toThrow(deepl.AuthorizationError);
    const key = await addCustomer("deepl", 150);
    expect((await client(shop.url, key).translateText(golden.text, "en", "de")).text).toBe(golden.translation);
    const usage = await client(shop.url, key).getUsage();
    expect(usage.character).toMatchObject({ count: golden.text.length });
    await expect(client(shop.url, key).translateText("a", "en", "de")).rejects.toThrow(deepl.QuotaExceededError);
  });
});

describe("libretranslate-ts", () => {
  it("lists languages, detects and translates", async () => {
    libreTranslate.setApiEndpoint(open.url);
    libreTranslate.setApiKey("");
    expect(await libreTranslate.listLanguages()).toContainEqual({ code: "en", name: "English", targets: ["de"] });
    expect(await libreTranslate.detect("Where is the station?")).toMatchObject({ status: 200, language: "en" });
    const translated = await libreTranslate.translate(golden.text, "auto", "de");
    expect(translated).toMatchObject({ status: 200, translatedText: golden.translation });
    // A beam of three finds other translations than greedy search does.
    const { translatedText, alternatives } = await libreTranslate.translate(golden.text, "en", "de", 2);
    expect(alternatives!.length).toBeGreaterThan(0);
    expect(new Set([translatedText, ...alternatives!]).size).toBe(1 + alternatives!.length);
  });

  it("tells what is wrong, and pays with its key", async () => {
    libreTranslate.setApiEndpoint(shop.url);
    libreTranslate.setApiKey("wrong");
    expect((await libreTranslate.translate("a", "en", "de")).error).toMatch(/key/);
    libreTranslate.setApiKey(await addCustomer("libre", 1_000));
    expect((await libreTranslate.translate("a", "en", "fr")).error).toMatch(/fr is not supported/);
    expect((await libreTranslate.translate(golden.text, "en", "de")).translatedText).toBe(golden.translation);
  });
});

describe("openai", () => {
  const client = (url: string, apiKey = "any") => new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
  const model = "tiny-embedder";

  it("embeds a text and a list, as numbers and as it asks by itself, in base64", async () => {
    const { text, vector } = goldenVectors[0]!;
    const list = await client(open.url).embeddings.create({
      model,
      input: goldenVectors.slice(0, 3).map((one) => one.text),
    });
    expect(list).toMatchObject({ object: "list", model });
    expect(list.data.map(({ index }) => index)).toEqual([0, 1, 2]);
    for (const [i, { embedding }] of list.data.entries()) expect([...embedding]).toEqual(goldenVectors[i]!.vector);
    const floats = await client(open.url).embeddings.create({ model, input: text, encoding_format: "float" });
    expect(floats.data[0]!.embedding).toEqual(vector);
    expect(floats.usage.prompt_tokens).toBe(goldenVectors[0]!.tokens.length);
    const sized = await client(open.url).embeddings.create({ model, input: text, dimensions: vector.length });
    expect([...sized.data[0]!.embedding]).toEqual(vector);
  });

  it("throws its own errors", async () => {
    const create = (options: object, url = open.url, key?: string) =>
      client(url, key).embeddings.create({ model, input: "a refund", ...options });
    await expect(create({ model: "gpt-9" })).rejects.toThrow(OpenAI.NotFoundError);
    await expect(create({ model: "gpt-9" })).rejects.toMatchObject({ code: "unknown_model", param: "model" });
    await expect(create({ input: [[1, 2], [3]] })).rejects.toThrow(/tokens are of another model's vocabulary/);
    await expect(create({ input: "" })).rejects.toThrow(OpenAI.BadRequestError);
    await expect(create({ dimensions: 7 })).rejects.toThrow(/dimensions: expected 32/);
    await expect(create({}, shop.url, "wrong")).rejects.toThrow(OpenAI.AuthenticationError);
  });

  it("pays with its key", async () => {
    const key = await addCustomer("openai", 1_000);
    const { data, response } = await client(shop.url, key)
      .embeddings.create({ model, input: "a refund" })
      .withResponse();
    expect(data.data).toHaveLength(1);
    expect(response.headers.get("charged-micro-usd")).toBe("10");
  });
});

describe("examples/client.ts", () => {
  it("lists models, translates and classifies", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [path("../../examples/client.ts"), open.url]);
    expect(stdout).toMatch(/^tiny: .+\ntiny-classifier: .+\ntiny-embedder: .+\n.*\(score -.*\)\n.*\(score -.*\)\n/);
    expect(stdout).toMatch(/^sentiment: (negative|positive)$/m);
  });
});

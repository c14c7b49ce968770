import { beforeEach, describe, expect, it, vi } from "vitest";
import { fileKey, manifestKey } from "../../worker/model/manifest.ts";
import { type Answer, bucket, makeClient, problemOf, putModel, tinyConfig, watchBucket } from "./harness.ts";

beforeEach(async () => {
  // Faults are made on purpose here, and are logged.
  vi.spyOn(console, "error").mockImplementation(() => {});
  const { objects } = await bucket.list();
  await bucket.delete(objects.map(({ key }) => key));
});

async function modelOf(response: Response): Promise<Answer["model"]> {
  expect(response.status).toBe(200);
  return ((await response.json()) as Answer).model;
}

function weightsGets(gets: string[]): number {
  return gets.filter((key) => key.endsWith("model.safetensors")).length;
}

describe("loading", () => {
  it("loads a model once for all requests that come meanwhile", async () => {
    await putModel("tiny");
    const watched = watchBucket();
    const client = makeClient({ MODELS: watched.bucket });
    const responses = await Promise.all(Array.from({ length: 8 }, () => client.translate({ text: "One." })));
    expect(responses.map(({ status }) => status)).toEqual(Array(8).fill(200));
    await client.translate({ text: "Two." });
    expect(watched.gets.length).toBe(3);
    expect(weightsGets(watched.gets)).toBe(1);
  });

  it("does not keep a load that failed", async () => {
    await putModel("tiny");
    let isDown = true;
    const watched = watchBucket((key) => {
      if (isDown && key.endsWith("model.safetensors")) throw new Error("R2 is down");
    });
    const client = makeClient({ MODELS: watched.bucket });
    const responses = await Promise.all([client.translate({ text: "One." }), client.translate({ text: "One." })]);
    expect(responses.map(({ status }) => status)).toEqual([503, 503]);
    expect(weightsGets(watched.gets)).toBe(1);
    isDown = false;
    expect((await client.translate({ text: "One." })).status).toBe(200);
  });

  it.each([
    [
      "a flipped bit in the weights",
      "model.safetensors",
      (bytes: Uint8Array) => flip(bytes, bytes.length - 1),
      "sha256",
    ],
    ["a flipped bit in the tokenizer", "tokenizer.json", (bytes: Uint8Array) => flip(bytes, 100), "sha256"],
    ["weights that are cut short", "model.safetensors", (bytes: Uint8Array) => bytes.slice(0, -64), "sha256"],
    ["weights that are missing", "model.safetensors", () => undefined, "missing"],
    ["a tokenizer that is missing", "tokenizer.json", () => undefined, "missing"],
  ])("503 for %s", async (_, damaged, damage, detail) => {
    const { version } = await putModel("tiny", {
      damage: (name, bytes) => (name === damaged ? damage(bytes) : bytes),
    });
    const response = await makeClient().translate({ text: "One." });
    expect(response.status).toBe(503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    const problem = await problemOf(response);
    expect(problem.type).toBe("urn:edge-slm:problem:model_unavailable");
    expect(problem.detail).toContain(detail);
    expect(problem.detail).toContain(fileKey("tiny", version, damaged as "model.safetensors"));
  });

  it("503 for an empty bucket, saying what to do", async () => {
    const client = makeClient();
    const response = await client.translate({ text: "One." });
    expect(response.status).toBe(503);
    expect((await problemOf(response)).detail).toContain("npm run upload");
    expect((await client.translate({ text: "One.", model: "tiny" })).status).toBe(404);
  });

  it("finds a model that was uploaded after an empty answer", async () => {
    const client = makeClient();
    expect((await client.translate({ text: "One." })).status).toBe(503);
    await putModel("tiny");
    expect((await client.translate({ text: "One." })).status).toBe(200);
  });

  it("lets a broken manifest spoil no other model", async () => {
    await putModel("tiny");
    await bucket.put(manifestKey("broken"), "{");
    const client = makeClient();
    expect((await client.translate({ text: "One." })).status).toBe(200);
    const { models } = (await (await client.request("/v1/models")).json()) as { models: { id: string }[] };
    expect(models.map(({ id }) => id)).toEqual(["tiny"]);
    const response = await client.translate({ text: "One.", model: "broken" });
    expect(response.status).toBe(503);
    expect((await problemOf(response)).detail).toContain("models/broken/manifest.json");
  });

  it("503 if R2 cannot be listed", async () => {
    const down = new Proxy(bucket, {
      get: () => async () => {
        throw new Error("R2 is down");
      },
    });
    const response = await makeClient({ MODELS: down }).request("/v1/models");
    expect(response.status).toBe(503);
  });
});

function flip(bytes: Uint8Array, index: number): Uint8Array {
  bytes[index]! ^= 1;
  return bytes;
}

describe("memory", () => {
  /** Room for two and a half of the tiny model. */
  async function budgetForTwo(): Promise<number> {
    await putModel("a");
    const client = makeClient();
    await client.translate({ text: "One." });
    const health = (await (await client.request("/health")).json()) as { loaded_models: { memory_bytes: number }[] };
    return (2.5 * health.loaded_models[0]!.memory_bytes) / 2 ** 20;
  }

  it("evicts the least recently used model", async () => {
    for (const id of ["a", "b", "c"]) await putModel(id);
    const watched = watchBucket();
    const client = makeClient({ MODELS: watched.bucket, MODEL_MEMORY_BUDGET_MIB: await budgetForTwo() });
    for (const model of ["a", "b", "a", "c"]) await client.translate({ text: "One.", model });
    const health = (await (await client.request("/health")).json()) as { loaded_models: { id: string }[] };
    expect(health.loaded_models.map(({ id }) => id)).toEqual(["a", "c"]);
    expect(weightsGets(watched.gets)).toBe(3);
    await client.translate({ text: "One.", model: "b" });
    expect(weightsGets(watched.gets)).toBe(4);
  });

  it("never evicts a model in use", async () => {
    for (const id of ["a", "b", "c"]) await putModel(id);
    const client = makeClient({ MODEL_MEMORY_BUDGET_MIB: await budgetForTwo() });
    const text = "A dog runs. ".repeat(200);
    const readers = [];
    for (const model of ["a", "b"]) {
      const response = await client.translate({ text, model, stream: true });
      const reader = response.body!.getReader();
      await reader.read();
      readers.push(reader);
    }
    const response = await client.translate({ text: "One.", model: "c" });
    expect(response.status).toBe(503);
    expect((await problemOf(response)).type).toBe("urn:edge-slm:problem:overloaded");
    for (const reader of readers) await reader.cancel();
    // The generation ends at its next step.
    await vi.waitFor(async () => expect((await client.translate({ text: "One.", model: "c" })).status).toBe(200));
  });

  it("503 for a model that can never fit", async () => {
    await putModel("tiny");
    const response = await makeClient({ MODEL_MEMORY_BUDGET_MIB: 0.05 }).translate({ text: "One." });
    expect(response.status).toBe(503);
    expect((await problemOf(response)).detail).toContain("MODEL_MEMORY_BUDGET_MIB");
  });
});

describe("a new version", () => {
  const card = { ...tinyConfig.card, description: "the second version" };

  /** Translates until the version changes; each answer must be good. */
  async function waitForVersion(client: ReturnType<typeof makeClient>, version: string): Promise<number> {
    for (let requests = 1; requests < 20; requests++) {
      if ((await modelOf(await client.translate({ text: "One." }))).version === version) return requests;
    }
    throw new Error(`version ${version} was never served`);
  }

  it("is not looked for before the time to live is over", async () => {
    const first = await putModel("tiny");
    const watched = watchBucket();
    const client = makeClient({ MODELS: watched.bucket, MODEL_TTL_SECONDS: 3600 });
    await client.translate({ text: "One." });
    await putModel("tiny", { config: { card } });
    expect((await modelOf(await client.translate({ text: "One." }))).version).toBe(first.version);
    expect(watched.gets.length).toBe(3);
  });

  it("is picked up after that, while the old one answers", async () => {
    const first = await putModel("tiny");
    const watched = watchBucket();
    const client = makeClient({ MODELS: watched.bucket, MODEL_TTL_SECONDS: 0 });
    expect((await modelOf(await client.translate({ text: "One." }))).version).toBe(first.version);
    const second = await putModel("tiny", { config: { card } });
    expect(await waitForVersion(client, second.version)).toBeGreaterThan(1);
    expect(weightsGets(watched.gets)).toBe(2);
  });

  it("that is broken leaves the old one in place", async () => {
    const first = await putModel("tiny");
    const client = makeClient({ MODEL_TTL_SECONDS: 0 });
    await client.translate({ text: "One." });
    await putModel("tiny", { config: { card }, damage: (_, bytes) => flip(bytes, bytes.length - 1) });
    for (let i = 0; i < 4; i++) {
      expect((await modelOf(await client.translate({ text: "One." }))).version).toBe(first.version);
    }
  });

  it("does not outlive its manifest", async () => {
    await putModel("tiny");
    const client = makeClient({ MODEL_TTL_SECONDS: 0 });
    await client.translate({ text: "One." });
    await bucket.delete(manifestKey("tiny"));
    await client.request("/v1/models");
    expect((await client.translate({ text: "One.", model: "tiny" })).status).toBe(404);
  });
});

import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { ADMIN_KEY, openShop } from "./billing/shop.ts";
import { makeClient, putClassifier, putModel } from "./harness.ts";

const admin = { authorization: `Bearer ${ADMIN_KEY}` };
/** Words that nobody else says. */
const TEXT = "Xylophones quarrel behind zeppelins.";

beforeAll(async () => {
  await putModel("tiny");
  await putClassifier("tiny-classifier");
});
afterEach(() => {
  vi.restoreAllMocks();
});

function post(client: { request: ReturnType<typeof makeClient>["request"] }, path: string, body: object, headers = {}) {
  return client.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/** Everything that is printed from now on. */
function listen(): string[] {
  const lines: string[] = [];
  for (const name of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, name).mockImplementation((...args) => void lines.push(args.map(String).join(" ")));
  }
  return lines;
}

describe("x-request-id", () => {
  it("goes out as it came in, or is made", async () => {
    const client = makeClient();
    const given = await client.request("/health", { headers: { "x-request-id": "mine-1" } });
    expect(given.headers.get("x-request-id")).toBe("mine-1");
    const made = await client.request("/health", { headers: { "x-request-id": "no\tgood id" } });
    expect(made.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("is on errors, in whatever form", async () => {
    const client = makeClient();
    for (const path of ["/nothing", "/v1/translate", "/translate", "/v2/translate"]) {
      const response = await post(client, path, {}, { "x-request-id": "mine-2" });
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(response.headers.get("x-request-id")).toBe("mine-2");
    }
  });
});

describe("Server-Timing", () => {
  it("has the parts of a translation and of a classification", async () => {
    const client = makeClient();
    const translated = await client.translate({ text: TEXT });
    expect(translated.headers.get("server-timing")).toMatch(
      /^load;dur=[\d.]+, tokenize;dur=[\d.]+, queue;dur=[\d.]+, generate;dur=[\d.]+, encode;dur=[\d.]+, decode;dur=[\d.]+, total;dur=[\d.]+$/,
    );
    const classified = await client.classify({ text: TEXT });
    expect(classified.headers.get("server-timing")).toMatch(/^load;dur=.*, classify;dur=.*, total;dur=[\d.]+$/);
    const health = await client.request("/health");
    expect(health.headers.get("server-timing")).toMatch(/^total;dur=[\d.]+$/);
  });
});

describe("the log", () => {
  it("has a line of JSON for each request, if it is asked for, with the route's pattern", async () => {
    const lines = listen();
    const client = makeClient({ LOG: "requests", ADMIN_KEY });
    await post(client, "/v1/translate", { text: TEXT, source: "en", target: "de" }, { "x-request-id": "mine-3" });
    await client.request("/v1/hooks/hook_secret", { headers: admin });
    const [translated, hook] = lines.map((line) => JSON.parse(line));
    expect(translated).toMatchObject({
      level: "info",
      message: "request",
      request_id: "mine-3",
      method: "POST",
      route: "/v1/translate",
      status: 200,
      model: "tiny",
      characters: TEXT.length,
    });
    expect(hook).toMatchObject({ route: "/v1/hooks/:id", status: 404, problem: "unknown_hook" });
    expect(hook).not.toHaveProperty("model");
  });

  it("says nothing of requests otherwise", async () => {
    const lines = listen();
    await makeClient().translate({ text: TEXT });
    expect(lines).toEqual([]);
  });

  it("never has what a user sent, whatever becomes of it", async () => {
    const lines = listen();
    const shop = openShop({ LOG: "requests" });
    const customer = await shop.addCustomer(1_000_000);
    const key = { authorization: `Bearer ${customer.key}` };
    const broken = new Proxy({}, { get: () => () => Promise.reject(new Error("R2 is down")) }) as R2Bucket;
    const down = makeClient({ LOG: "requests", MODELS: broken });
    for (const client of [shop.client, down]) {
      await post(client, "/v1/translate", { text: TEXT, source: "en", target: "de" }, key);
      await post(client, "/v1/translate", { text: TEXT, source: "en", target: "fr" }, key);
      await post(
        client,
        "/v1/translate",
        { text: `Привет ${TEXT} мир Привет мир Привет мир Привет`, source: "en", target: "de" },
        key,
      );
      await post(client, "/v1/classify", { text: TEXT, explain: true }, key);
      await post(client, "/translate", { q: TEXT, source: "auto", target: "de", api_key: customer.key });
      await post(client, "/detect", { q: TEXT });
      await post(
        client,
        "/v2/translate",
        { text: [TEXT], target_lang: "DE" },
        { authorization: `DeepL-Auth-Key ${customer.key}` },
      );
      await client.request(`/v1/translate?q=${TEXT}`, { method: "POST", headers: key, body: `{"text":"${TEXT}` });
      await client.request(`/hooks/${TEXT}/${TEXT}`, { method: "POST", body: TEXT });
      await (await post(client, "/v1/translate", { text: TEXT, source: "en", target: "de", stream: true }, key)).text();
    }
    const printed = lines.join("\n");
    expect(lines.length).toBeGreaterThan(18);
    for (const word of [...TEXT.replace(".", "").split(" "), "Привет", customer.key])
      expect(printed).not.toContain(word);
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow();
  });
});

describe("GET /metrics", () => {
  it("counts requests, problems and characters of this isolate", async () => {
    const client = makeClient({ METRICS: "public" });
    await client.translate({ text: TEXT });
    await client.translate({ text: TEXT, target: "fr" });
    await client.request('/no"where');
    const response = await client.request("/metrics");
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await response.text();
    expect(text).toMatch(/^edge_slm_requests_total\{method="POST",route="\/v1\/translate",status="200"\} 1$/m);
    expect(text).toMatch(/^edge_slm_requests_total\{method="POST",route="\/v1\/translate",status="422"\} 1$/m);
    expect(text).toMatch(/^edge_slm_requests_total\{method="GET",route="none",status="404"\} 1$/m);
    expect(text).toMatch(/^edge_slm_problems_total\{problem="unsupported_language"\} 1$/m);
    expect(text).toContain(`edge_slm_characters_total{model="tiny"} ${TEXT.length}`);
    expect(text).toMatch(
      /^edge_slm_request_duration_seconds_bucket\{method="POST",route="\/v1\/translate",le="\+Inf"\} 2$/m,
    );
    expect(text).toMatch(/^edge_slm_model_memory_bytes\{model="tiny",version="[0-9a-f]{12}"\} \d+$/m);
    // Every line is a comment or a sample.
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+\{[^\n]*\} [\d.e+-]+)$/);
  });

  it("is the operator's otherwise", async () => {
    expect((await makeClient({ ADMIN_KEY }).request("/metrics")).status).toBe(401);
    expect((await makeClient({ ADMIN_KEY: "" }).request("/metrics")).status).toBe(403);
    expect((await makeClient({ ADMIN_KEY }).request("/metrics", { headers: admin })).status).toBe(200);
  });
});

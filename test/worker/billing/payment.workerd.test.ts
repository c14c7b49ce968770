import { beforeAll, describe, expect, it } from "vitest";
import { isLoopback } from "../../../worker/middleware/payment.ts";
import { makeClient, problemOf, putClassifier, putModel } from "../harness.ts";
import { ADMIN_KEY, openShop } from "./shop.ts";

const BODY = { text: "One.", source: "en", target: "de" };

beforeAll(async () => {
  await putModel("tiny");
  await putClassifier("tiny-classifier");
});

function post(client: ReturnType<typeof makeClient>, url: string, headers: Record<string, string> = {}, body = BODY) {
  const all = { "content-type": "application/json", ...headers };
  return client.request(url, { method: "POST", headers: all, body: JSON.stringify(body) });
}

describe("BILLING", () => {
  it.each(["http://localhost:8787", "http://127.0.0.1:8787", "http://[::1]:1", "http://edge.localhost"])(
    "not set: free on %s",
    async (origin) => {
      const response = await post(makeClient(), `${origin}/v1/translate`);
      expect(response.status).toBe(200);
      expect(response.headers.has("charged-micro-usd")).toBe(false);
    },
  );

  it.each(["https://edge-slm.example.workers.dev", "http://192.168.1.2:8787", "http://127.0.0.1.example.com"])(
    "not set: refused on %s, but for what costs nothing",
    async (origin) => {
      for (const [path, body] of [
        ["translate", BODY],
        ["classify", { text: "One." }],
      ] as const) {
        const response = await post(makeClient(), `${origin}/v1/${path}`, {}, body as typeof BODY);
        expect(response.status).toBe(503);
        expect((await problemOf(response)).detail).toContain("BILLING");
      }
      expect((await makeClient().request(`${origin}/v1/models`)).status).toBe(200);
      expect((await makeClient().request(`${origin}/health`)).status).toBe(200);
    },
  );

  it("off: free everywhere", async () => {
    const response = await post(makeClient({ BILLING: "off" }), "https://edge.example/v1/translate");
    expect(response.status).toBe(200);
  });

  it("on: a key is asked for, for every model", async () => {
    const client = makeClient({ BILLING: "on" });
    for (const [path, body] of [
      ["translate", BODY],
      ["classify", { text: "One." }],
    ] as const) {
      const response = await post(client, `http://localhost/v1/${path}`, {}, body as typeof BODY);
      expect(response.status).toBe(401);
      await problemOf(response);
    }
  });

  it("on, with an address to pay to: by x402, exact alone if the facilitator does not say that it settles upto", async () => {
    const x402 = { X402_PAY_TO: `0x${"5e".repeat(20)}`, X402_FACILITATOR_URL: "http://127.0.0.1:1" };
    const response = await post(makeClient({ BILLING: "on", ...x402 }), "http://localhost/v1/translate");
    expect(response.status).toBe(402);
    const { accepts } = (await problemOf(response)) as unknown as { accepts: { scheme: string; amount: string }[] };
    expect(accepts).toMatchObject([{ scheme: "exact", amount: "100" }]);
    expect(response.headers.has("payment-required")).toBe(true);
  });

  it("of another value is a fault of the configuration", async () => {
    expect((await post(makeClient({ BILLING: "maybe" }), "http://localhost/v1/translate")).status).toBe(500);
  });

  it("charges classification by its own price", async () => {
    const shop = openShop();
    const customer = await shop.addCustomer(1_000);
    const headers = { authorization: `Bearer ${customer.key}` };
    const response = await post(shop.client, "/v1/classify", headers, { text: "One." } as typeof BODY);
    expect(response.status).toBe(200);
    expect(response.headers.get("charged-micro-usd")).toBe("50");
  });
});

it.each([
  ["localhost", true],
  ["LOCALHOST", true],
  ["127.8.9.1", true],
  ["a.localhost", true],
  ["localhost.example.com", false],
  ["notlocalhost", false],
  ["10.0.0.1", false],
  ["[::2]", false],
])("isLoopback(%j) is %j", (host, expected) => expect(isLoopback(host)).toBe(expected));

describe("the free tier", () => {
  const client = makeClient({ BILLING: "on", ADMIN_KEY, FREE_CHARACTERS_PER_DAY: 30 });
  const from = (address: string, text: string) =>
    post(client, "/v1/translate", { "cf-connecting-ip": address }, { ...BODY, text });

  it("gives an address so many characters a day, exactly, and says how many are left", async () => {
    const first = await from("192.0.2.1", "Ten chars.");
    expect(first.status).toBe(200);
    expect(first.headers.get("ratelimit-policy")).toBe('"free";q=30;w=86400;qu="characters"');
    expect(first.headers.get("ratelimit")).toMatch(/^"free";r=20;t=\d+$/);
    expect((await from("192.0.2.1", "x".repeat(21))).status).toBe(402);
    expect((await from("192.0.2.1", "Ten chars. Ten chars"))?.status).toBe(200);
    const refused = await from("192.0.2.1", "a");
    expect(refused.status).toBe(402);
    expect(refused.headers.get("ratelimit")).toMatch(/^"free";r=0;/);
    expect((await problemOf(refused)).detail).toContain("30 characters a day");
    expect((await from("192.0.2.2", "Ten chars.")).status).toBe(200);
  });

  it("does not count what failed", async () => {
    for (let i = 0; i < 5; i++) expect((await from("192.0.2.3", "Привет как дела")).status).toBe(422);
    expect((await from("192.0.2.3", "x".repeat(30))).status).toBe(200);
  });

  it("holds when all come at once", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => from("192.0.2.4", "Ten chars.")));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
  });

  it("takes a /64 of IPv6 for one customer", async () => {
    expect((await from("2001:db8::1", "x".repeat(30))).status).toBe(200);
    expect((await from("2001:db8:0:0:ffff::2", "a")).status).toBe(402);
    expect((await from("2001:db8:0:1::2", "a")).status).toBe(200);
  });

  it("ends with 429 for too many requests", async () => {
    const statuses = [];
    for (let i = 0; i < 62; i++) statuses.push((await from("192.0.2.5", "")).status);
    expect(statuses.slice(0, 60).every((status) => status === 200)).toBe(true);
    expect(statuses.at(-1)).toBe(429);
  });
});

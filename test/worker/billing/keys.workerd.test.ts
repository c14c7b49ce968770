import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { makeKey, readKey } from "../../../worker/billing/keys.ts";
import { problemOf, putModel } from "../harness.ts";
import { bindings, openShop } from "./shop.ts";

const shop = openShop();

beforeAll(async () => {
  await putModel("tiny");
});

function translateWith(authorization: string): Promise<Response> {
  return shop.client.request("/v1/translate", {
    method: "POST",
    headers: { "content-type": "application/json", authorization },
    body: JSON.stringify({ text: "One.", source: "en", target: "de" }),
  });
}

describe("a key", () => {
  it("has its account in it, and 160 random bits", async () => {
    const { key, keyId, hash } = await makeKey("acme-1");
    expect(key).toMatch(/^esk_acme-1_[a-z2-7]{8}_[a-z2-7]{32}$/);
    expect(await readKey(key)).toEqual({ account: "acme-1", keyId, hash });
    expect(hash).toHaveLength(32);
    expect((await makeKey("acme-1")).key).not.toBe(key);
  });

  it.each(["", "esk_", `esk_Acme_aaaaaaaa_${"a".repeat(32)}`, "sk_live_1", `esk_a_aaaaaaaa_${"a".repeat(31)}`])(
    "is not %j",
    async (text) => expect(await readKey(text)).toBeUndefined(),
  );

  it("that is wrong, of nobody, or no key is 401, and leaves nothing in the storage", async () => {
    const { key } = await shop.addCustomer(1_000);
    const last = key.at(-1) === "a" ? "b" : "a";
    const { key: stranger } = await makeKey("nobody");
    for (const text of [key.slice(0, -1) + last, stranger, "esk_x", "abc"]) {
      const response = await translateWith(`Bearer ${text}`);
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      await problemOf(response);
    }
    for (const authorization of [`Basic ${key}`, key, ""]) {
      expect((await translateWith(authorization)).status).toBe(401);
    }
    const tables = await runInDurableObject(bindings.LEDGER.getByName("nobody"), (_, { storage }) =>
      storage.sql.exec("SELECT COUNT(*) AS count FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").one(),
    );
    expect(tables).toEqual({ count: 0 });
  });

  it("compares digests of one length, in constant time, whether it exists or not", async () => {
    const compare = vi.spyOn(crypto.subtle, "timingSafeEqual");
    const { key } = await shop.addCustomer(1_000);
    const other = key.replace(/_[a-z2-7]{8}_/, "_aaaaaaaa_");
    for (const text of [key, other]) await translateWith(`Bearer ${text}`);
    const keyChecks = compare.mock.calls.filter(([a, b]) => a.byteLength === 32 && b.byteLength === 32);
    expect(keyChecks.length).toBeGreaterThanOrEqual(2);
    expect(compare.mock.calls.every(([a, b]) => a.byteLength === b.byteLength)).toBe(true);
    compare.mockRestore();
  });

  it("is in no log and in no table", async () => {
    const printed: unknown[][] = [];
    const spies = (["log", "error", "warn", "info", "debug"] as const).map((name) =>
      vi.spyOn(console, name).mockImplementation((...args) => void printed.push(args)),
    );
    const customer = await shop.addCustomer(1_000);
    await customer.translate({ text: "One." }, { "idempotency-key": "a" });
    await customer.translate({ text: 1 });
    await translateWith(`Bearer ${customer.key}x`);
    for (const spy of spies) spy.mockRestore();
    const secret = customer.key.slice(-32);
    expect(JSON.stringify(printed)).not.toContain(secret);
    const stored = await runInDurableObject(bindings.LEDGER.getByName(customer.account), (_, { storage }) => {
      const tables = storage.sql
        .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
        .toArray();
      const own = tables.filter(({ name }) => !name.startsWith("_cf") && !name.startsWith("sqlite"));
      return own.map(({ name }) => storage.sql.exec(`SELECT * FROM ${name}`).toArray());
    });
    expect(stored.flat().length).toBeGreaterThan(5);
    const text = JSON.stringify(stored, (_, value) =>
      value instanceof ArrayBuffer ? new TextDecoder("latin1").decode(value) : value,
    );
    expect(text).toContain(customer.keyId);
    expect(text).not.toContain(secret);
  });
});

describe("what a key may do", () => {
  it("ends with its expiry, with its revocation, with its scopes", async () => {
    const expired = await shop.addCustomer(1_000, { expires: "2020-01-01T00:00:00Z" });
    const answer = await expired.translate({ text: "One." });
    expect(answer.status).toBe(401);
    expect((await problemOf(answer)).detail).toContain("2020-01-01");

    const revoked = await shop.addCustomer(1_000);
    await shop.operate("DELETE", `/accounts/${revoked.account}/keys/${revoked.keyId}`, undefined, 204);
    expect((await revoked.translate({ text: "One." })).status).toBe(401);

    const narrow = await shop.addCustomer(1_000, { scopes: ["classify"] });
    expect((await problemOf(await narrow.translate({ text: "One." }))).type).toContain("key_forbidden");
  });

  it("is limited to so much a month, whatever the account has", async () => {
    const customer = await shop.addCustomer(10_000, { monthly_limit: 250 });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await customer.translate({ text: "One." })).status);
    expect(statuses).toEqual([200, 200, 403]);
    expect((await customer.balances()).revenue).toBe(200);
    // What failed does not count.
    expect((await customer.translate({ text: "Привет" })).status).toBe(403);
  });

  it("is limited to so many requests a minute, with the headers of the draft", async () => {
    const customer = await shop.addCustomer(10_000, { requests_per_minute: 2 });
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await customer.translate({ text: "One." }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers[0]!.headers.get("ratelimit-policy")).toBe('"key";q=2;w=60');
    expect(answers.map(({ headers }) => headers.get("ratelimit")!.split(";t=")[0])).toEqual([
      '"key";r=1',
      '"key";r=0',
      '"key";r=0',
    ]);
  });

  it("passes to a new key by rotation", async () => {
    const customer = await shop.addCustomer(10_000, { monthly_limit: 250, name: "shop" });
    await customer.translate({ text: "One." });
    const path = `/accounts/${customer.account}/keys/${customer.keyId}/rotate`;
    const { id, key } = await shop.operate<{ id: string; key: string }>("POST", path, { grace_seconds: 0 });
    expect((await customer.translate({ text: "One." })).status).toBe(401);
    expect((await translateWith(`Bearer ${key}`)).status).toBe(200);
    // The old key's spending counts.
    expect((await translateWith(`Bearer ${key}`)).status).toBe(403);
    const { keys } = await shop.operate<{ keys: Record<string, unknown>[] }>("GET", `/accounts/${customer.account}`);
    expect(keys).toHaveLength(2);
    expect(keys.find((entry) => entry.id === id)).toMatchObject({ name: "shop", monthly_limit: 250, revoked: null });
    expect(keys.every((entry) => entry.last_used !== null && !("hash" in entry))).toBe(true);
    await shop.operate("POST", path.replace(customer.keyId, "none"), {}, 404);
  });
});

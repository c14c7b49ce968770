import { beforeAll, describe, expect, it } from "vitest";
import { problemOf, putModel } from "../harness.ts";
import { type Customer, openShop } from "./shop.ts";

const shop = openShop({ PRICES: { tiny: { per_1000_characters: 2_000, minimum: 10 } } });
let customer: Customer;

beforeAll(async () => {
  await putModel("tiny");
  customer = await shop.addCustomer(1_000_000);
  for (let i = 0; i < 3; i++) await customer.translate({ text: "A dog. ".repeat(100) });
});

function get(path: string, key = customer.key): Promise<Response> {
  return shop.client.request(path, { headers: { authorization: `Bearer ${key}` } });
}

describe("GET /v1/prices", () => {
  it("has the price of every model, as it is charged", async () => {
    const { billing, currency, prices } = (await (await shop.client.request("/v1/prices")).json()) as {
      billing: boolean;
      currency: string;
      prices: object[];
    };
    expect({ billing, currency }).toEqual({ billing: true, currency: "USD" });
    expect(prices).toEqual([
      { model: "tiny", task: "translation", per_1000_characters: 2_000, minimum: 10, example: "0.002000" },
    ]);
  });
});

describe("GET /v1/account", () => {
  it("tells a key of its own account", async () => {
    const response = await get("/v1/account");
    expect(await response.json()).toEqual({
      account: customer.account,
      currency: "USD",
      credit: 995_800,
      reserved: 0,
      spent: 4_200,
    });
  });

  it("is for keys with the scope usage", async () => {
    expect((await shop.client.request("/v1/account")).status).toBe(401);
    const narrow = await shop.addCustomer(0, { scopes: ["translate"] });
    expect((await get("/v1/account", narrow.key)).status).toBe(403);
  });
});

describe("GET /v1/account/usage", () => {
  const day = new Date().toISOString().slice(0, 10);

  it("adds up by day", async () => {
    const usage = (await (await get("/v1/account/usage")).json()) as { days: object[]; rows: object[] };
    const total = { day, requests: 3, characters: 2_100, amount: 4_200 };
    expect(usage.days).toEqual([total]);
    expect(usage.rows).toEqual([{ ...total, model: "tiny", country: "XX" }]);
    const before = (await (await get("/v1/account/usage?to=2020-01-31")).json()) as { from: string; days: object[] };
    expect(before).toMatchObject({ from: "2020-01-01", days: [] });
  });

  it("comes as CSV", async () => {
    const response = await get("/v1/account/usage?format=csv");
    expect(response.headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
    expect(await response.text()).toBe(
      `day,model,country,requests,characters,amount_usd\r\n${day},tiny,XX,3,2100,0.004200\r\n`,
    );
  });

  it.each(["from=yesterday", "to=2026-02-30", "format=xml"])("refuses %s", async (query) => {
    const response = await get(`/v1/account/usage?${query}`);
    expect(response.status).toBe(400);
    await problemOf(response);
  });
});

describe("the operator", () => {
  it("opens an account once, and finds it in the list", async () => {
    expect(await shop.operate("POST", "/accounts", { account: "acme" }, 201)).toMatchObject({ credit: 0, keys: [] });
    await shop.operate("POST", "/accounts", { account: "acme" }, 409);
    await shop.operate("POST", "/accounts", { account: "Not A Name" }, 400);
    const { accounts } = await shop.operate<{ accounts: string[] }>("GET", "/accounts");
    expect(accounts).toEqual(expect.arrayContaining(["acme", customer.account]));
    const page = await shop.operate<{ accounts: string[]; next: string }>("GET", "/accounts?limit=1");
    expect(page).toEqual({ accounts: ["acme"], next: "acme" });
  });

  it("tops up and refunds, each reference once", async () => {
    const { account } = await shop.addCustomer(0);
    const topUp = { amount: 500, reference: "invoice 1" };
    expect(await shop.operate("POST", `/accounts/${account}/top-ups`, topUp)).toEqual({ amount: 500, credit: 500 });
    expect(await shop.operate("POST", `/accounts/${account}/top-ups`, topUp)).toEqual({ amount: 0, credit: 500 });
    const refund = { amount: 900, reference: "refund 1" };
    expect(await shop.operate("POST", `/accounts/${account}/refunds`, refund)).toEqual({ amount: 500, credit: 0 });
    expect(await shop.operate("POST", `/accounts/${account}/refunds`, refund)).toEqual({ amount: 0, credit: 0 });
    for (const amount of [0, -1, 0.5, 1e13, "5"]) {
      await shop.operate("POST", `/accounts/${account}/top-ups`, { amount, reference: "x" }, 400);
    }
    const { transfers } = await shop.operate<{ transfers: object[] }>("GET", `/accounts/${account}/transfers`);
    expect(transfers).toMatchObject([
      { kind: "top_up", debit: "outside:admin", credit: "credit", amount: 500 },
      { kind: "refund", debit: "credit", credit: "outside:admin", amount: 500 },
    ]);
  });

  it("sees that all books agree, and what was earned", async () => {
    const books = await shop.operate<{ accounts: number; revenue: number; faults: object }>("GET", "/reconcile");
    expect(books.faults).toEqual({});
    expect(books.revenue).toBe(4_200);
    const usage = await shop.operate<{ days: object[] }>("GET", `/accounts/${customer.account}/usage`);
    expect(usage.days).toMatchObject([{ requests: 3, amount: 4_200 }]);
  });

  it.each(["", "/keys", "/top-ups", "/refunds"])("learns that there is no account for %j", async (path) => {
    const body = path === "" ? undefined : path === "/keys" ? {} : { amount: 1, reference: "x" };
    await shop.operate(body ? "POST" : "GET", `/accounts/nobody${path}`, body, 404);
  });

  it("alone may do this", async () => {
    for (const path of ["/accounts", "/accounts/acme", "/reconcile", "/accounts/acme/transfers"]) {
      expect((await get(`/v1/admin${path}`)).status).toBe(401);
    }
  });
});

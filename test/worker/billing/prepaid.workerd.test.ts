import { beforeAll, describe, expect, it } from "vitest";
import golden from "../../fixtures/tiny/golden.json";
import { type Answer, problemOf, putModel } from "../harness.ts";
import { eventually, openShop, standardPrice } from "./shop.ts";

const shop = openShop();

beforeAll(async () => {
  await putModel("tiny");
});

describe("a call with a key", () => {
  it("is charged by its characters, and says so", async () => {
    const customer = await shop.addCustomer(10_000);
    const text = "One dog runs. ".repeat(20);
    const response = await customer.translate({ text });
    expect(response.status).toBe(200);
    const price = standardPrice(text.length);
    expect(response.headers.get("charged-micro-usd")).toBe(String(price));
    expect(response.headers.get("credit-micro-usd")).toBe(String(10_000 - price));
    expect(((await response.json()) as Answer).translations).toHaveLength(1);
    expect(await customer.balances()).toEqual({ credit: 10_000 - price, reserved: 0, revenue: price });
  });

  it("costs the minimum if it is short, and nothing if it fails", async () => {
    const customer = await shop.addCustomer(1_000);
    expect((await customer.translate({ text: golden.text })).headers.get("charged-micro-usd")).toBe("100");
    for (const body of [{ text: "Привет" }, { text: "One.", target: "fr" }, { text: "One.", model: "none" }, {}]) {
      expect((await customer.translate(body)).status).toBeGreaterThanOrEqual(400);
    }
    expect(await customer.balances()).toEqual({ credit: 900, reserved: 0, revenue: 100 });
  });

  it("is refused when the credit does not suffice, and never goes below zero", async () => {
    const customer = await shop.addCustomer(250);
    const answers = await Promise.all(Array.from({ length: 8 }, () => customer.translate({ text: "One." })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 402, 402, 402, 402, 402, 402]);
    const refused = answers.find(({ status }) => status === 402)!;
    expect(await problemOf(refused)).toMatchObject({ type: "urn:edge-slm:problem:insufficient_credit", price: 100 });
    expect(await customer.balances()).toEqual({ credit: 50, reserved: 0, revenue: 200 });
  });

  it("is released when the caller left", async () => {
    const customer = await shop.addCustomer(1_000);
    const left = AbortSignal.abort();
    await customer.translate({ text: "One." }, {}, left).catch(() => {});
    expect(await customer.balances()).toEqual({ credit: 1_000, reserved: 0, revenue: 0 });
  });
});

describe("a stream", () => {
  it("is charged in full when it was read to its end", async () => {
    const customer = await shop.addCustomer(10_000);
    const text = "A dog runs. ".repeat(20);
    const response = await customer.translate({ text, stream: true });
    expect(await response.text()).toContain("event: result");
    await eventually(async () => (await customer.balances()).reserved === 0);
    expect((await customer.balances()).revenue).toBe(standardPrice(text.length));
  });

  it("is charged for the sentences that were begun when the reader left in the middle", async () => {
    const customer = await shop.addCustomer(10_000);
    const sentence = "A dog runs. ";
    const text = sentence.repeat(100);
    const response = await customer.translate({ text, stream: true });
    const reader = response.body!.getReader();
    for (let i = 0; i < 40; i++) await reader.read();
    await reader.cancel();
    await eventually(async () => (await customer.balances()).reserved === 0);
    const { credit, revenue } = await customer.balances();
    expect(credit + revenue).toBe(10_000);
    expect(revenue).toBeGreaterThanOrEqual(100);
    expect(revenue).toBeLessThan(text.length / 2);
  });

  it("costs nothing when its first token was never taken", async () => {
    const customer = await shop.addCustomer(10_000);
    const response = await customer.translate({ text: "A dog runs. ".repeat(100), stream: true });
    await response.body!.cancel();
    await eventually(async () => (await customer.balances()).reserved === 0);
    expect(await customer.balances()).toEqual({ credit: 10_000, reserved: 0, revenue: 0 });
  });
});

describe("Idempotency-Key", () => {
  it("gives the stored answer for the same request, and charges once", async () => {
    const customer = await shop.addCustomer(1_000);
    const headers = { "idempotency-key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"' };
    const first = await customer.translate({ text: "One." }, headers);
    const again = await customer.translate({ text: "One." }, headers);
    expect(again.status).toBe(200);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(again.headers.get("content-type")).toBe(first.headers.get("content-type"));
    expect(await again.text()).toBe(await first.text());
    expect((await customer.balances()).revenue).toBe(100);
  });

  it("does the same for streams", async () => {
    const customer = await shop.addCustomer(1_000);
    const headers = { "idempotency-key": "stream-1" };
    const ask = () => customer.translate({ text: "One.", stream: true }, headers);
    const first = await (await ask()).text();
    const again = await ask();
    expect(again.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const charge = 'event: payment\ndata: {"charged-micro-usd":"100","credit-micro-usd":"900"}\n\n';
    expect(first).toContain(`${charge}event: result\n`);
    expect(await again.text()).toBe(first.replace(charge, ""));
    expect((await customer.balances()).revenue).toBe(100);
  });

  it("lets a stream that broke off be repeated for the rest of its price", async () => {
    const customer = await shop.addCustomer(10_000);
    const headers = { "idempotency-key": "stream-2" };
    const text = "A dog runs. ".repeat(100);
    const response = await customer.translate({ text, stream: true }, headers);
    const reader = response.body!.getReader();
    for (let i = 0; i < 40; i++) await reader.read();
    await reader.cancel();
    await eventually(async () => (await customer.balances()).reserved === 0);
    const paid = (await customer.balances()).revenue;
    expect(paid).toBeGreaterThan(0);
    await (await customer.translate({ text, stream: true }, headers)).text();
    await eventually(async () => (await customer.balances()).reserved === 0);
    expect((await customer.balances()).revenue).toBe(standardPrice(text.length));
  });

  it("is 422 with another body", async () => {
    const customer = await shop.addCustomer(1_000);
    const headers = { "idempotency-key": "a" };
    await customer.translate({ text: "One." }, headers);
    const response = await customer.translate({ text: "Two." }, headers);
    expect(response.status).toBe(422);
    expect((await problemOf(response)).type).toBe("urn:edge-slm:problem:idempotency_mismatch");
    expect((await customer.balances()).revenue).toBe(100);
  });

  it("may be used again after a failure", async () => {
    const customer = await shop.addCustomer(1_000);
    const headers = { "idempotency-key": "b" };
    expect((await customer.translate({ text: "Привет" }, headers)).status).toBe(422);
    expect((await customer.translate({ text: "One." }, headers)).status).toBe(200);
  });

  it("sent 100 times at once computes one translation and charges one", async () => {
    const customer = await shop.addCustomer(100_000);
    const headers = { "idempotency-key": "c" };
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => customer.translate({ text: "One dog. ".repeat(20) }, headers)),
    );
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    const texts = await Promise.all(answers.filter(({ status }) => status === 200).map((answer) => answer.text()));
    expect(new Set(texts).size).toBe(1);
    const conflict = answers.find(({ status }) => status === 409)!;
    expect(conflict.headers.get("retry-after")).toBe("1");
    await problemOf(conflict);
    expect((await customer.balances()).revenue).toBe(180);
  });

  it.each(["", '""', "a b", '"a"b"', "x".repeat(256)])("%j is malformed", async (key) => {
    const customer = await shop.addCustomer(1_000);
    expect((await customer.translate({ text: "One." }, { "idempotency-key": key })).status).toBe(400);
  });
});

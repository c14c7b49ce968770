import Stripe from "stripe";
import { beforeAll, describe, expect, it } from "vitest";
import { problemOf } from "../harness.ts";
import { type Customer, openShop } from "./shop.ts";

const SECRET = "whsec_test";
const shop = openShop({ STRIPE_WEBHOOK_SECRET: SECRET });
const crypto = Stripe.createSubtleCryptoProvider();
let customer: Customer;

beforeAll(async () => {
  customer = await shop.addCustomer(0);
});

async function send(event: object | string, options: { secret?: string; timestamp?: number } = {}): Promise<Response> {
  const payload = typeof event === "string" ? event : JSON.stringify(event);
  const header = await Stripe.webhooks.generateTestHeaderStringAsync({
    payload,
    secret: options.secret ?? SECRET,
    cryptoProvider: crypto,
    ...(options.timestamp === undefined ? {} : { timestamp: options.timestamp }),
  });
  return shop.client.request("/v1/stripe", { method: "POST", headers: { "stripe-signature": header }, body: payload });
}

function checkout(id: string, changes: object = {}, type = "checkout.session.completed") {
  const session = {
    id,
    object: "checkout.session",
    client_reference_id: customer.account,
    payment_status: "paid",
    amount_total: 1_234,
    currency: "usd",
    payment_intent: `pi_${id}`,
    ...changes,
  };
  return { id: `evt_${id}`, object: "event", type, data: { object: session } };
}

function refund(id: string, amount_refunded: number) {
  const charge = { id: `ch_${id}`, object: "charge", payment_intent: `pi_${id}`, amount_refunded };
  return { id: `evt_r_${id}_${amount_refunded}`, object: "event", type: "charge.refunded", data: { object: charge } };
}

async function outcomeOf(response: Response): Promise<unknown> {
  expect(response.status).toBe(200);
  return ((await response.json()) as { outcome: string }).outcome;
}

describe("POST /v1/stripe", () => {
  it("adds what a checkout paid, once, however often and by whichever event it is told", async () => {
    expect(await outcomeOf(await send(checkout("a")))).toBe("counted");
    expect(await outcomeOf(await send(checkout("a")))).toBe("known");
    expect(await outcomeOf(await send(checkout("a", {}, "checkout.session.async_payment_succeeded")))).toBe("known");
    // 12.34 USD
    expect((await customer.balances()).credit).toBe(12_340_000);
  });

  it("waits for the money of a checkout that is not paid yet", async () => {
    expect(await outcomeOf(await send(checkout("b", { payment_status: "unpaid" })))).toBe("ignored");
    const paid = checkout("b", {}, "checkout.session.async_payment_succeeded");
    expect(await outcomeOf(await send(paid))).toBe("counted");
  });

  it("takes refunds off, told as sums, and never more than there is", async () => {
    const other = await shop.addCustomer(0);
    await send(checkout("c", { client_reference_id: other.account }));
    expect(await outcomeOf(await send(refund("c", 234)))).toBe("counted");
    expect((await other.balances()).credit).toBe(10_000_000);
    expect(await outcomeOf(await send(refund("c", 234)))).toBe("known");
    expect(await outcomeOf(await send(refund("c", 1_234)))).toBe("counted");
    expect((await other.balances()).credit).toBe(0);
    expect(await outcomeOf(await send(refund("unknown", 100)))).toBe("ignored");
  });

  it("passes by what does not concern it", async () => {
    expect(await outcomeOf(await send({ id: "evt_x", type: "customer.created", data: { object: {} } }))).toBe(
      "ignored",
    );
  });

  it.each([
    ["another secret", { secret: "whsec_other" }],
    ["an old time", { timestamp: Math.floor(Date.now() / 1000) - 301 }],
  ])("refuses %s", async (_, options) => {
    const response = await send(checkout("d"), options);
    expect(response.status).toBe(401);
    expect((await problemOf(response)).type).toBe("urn:edge-slm:problem:invalid_signature");
  });

  it("refuses a changed body, and none at all", async () => {
    const payload = JSON.stringify(checkout("e"));
    const header = await Stripe.webhooks.generateTestHeaderStringAsync({
      payload,
      secret: SECRET,
      cryptoProvider: crypto,
    });
    for (const [body, signature] of [
      [payload.replace("1234", "9999"), header],
      [payload, ""],
      [payload, "t=1,v1=00"],
      ["", header],
    ] as const) {
      const init = { method: "POST", headers: { "stripe-signature": signature }, body };
      expect((await shop.client.request("/v1/stripe", init)).status).toBe(401);
    }
  });

  it.each([
    ["no account", { client_reference_id: null }, 404],
    ["an account that is not", { client_reference_id: "nobody" }, 404],
    ["another currency", { currency: "eur" }, 400],
    ["no sum", { amount_total: null }, 400],
  ])("tells Stripe of %s", async (_, changes, status) => {
    const response = await send(checkout("f", changes));
    expect(response.status).toBe(status);
    await problemOf(response);
  });

  it("is 503 without a secret", async () => {
    const response = await openShop().client.request("/v1/stripe", { method: "POST", body: "{}" });
    expect(response.status).toBe(503);
    expect((await problemOf(response)).detail).toContain("STRIPE_WEBHOOK_SECRET");
  });
});

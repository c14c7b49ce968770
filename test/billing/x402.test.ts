/** Pays for translations as a stranger does: the real client, real signatures, a Worker and a facilitator over HTTP. */
import { decodePaymentRequiredHeader, decodePaymentResponseHeader } from "@x402/core/http";
import type { PaymentPayload } from "@x402/core/types";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { operate, reconcile } from "../../scripts/chaos/billing/operator.ts";
import { ask, forgePayments, makeBuyer, pay } from "../../scripts/chaos/billing/payments.ts";
import { type ChaosShop, prepareShop, RESERVATION_SECONDS, SELLER } from "../../scripts/chaos/billing/shop.ts";
import type { RunningWorker } from "../../scripts/chaos/billing/workerd.ts";
import { Disturbance } from "../../scripts/facilitator/server.ts";

let shop: ChaosShop;
let worker: RunningWorker;

beforeAll(async () => {
  shop = await prepareShop();
  worker = await shop.start();
}, 180_000);
afterAll(async () => {
  await worker?.close();
  await shop?.close();
}, 30_000);
afterEach(() => {
  shop.facilitator.disturb = () => {};
});

const BODY = { text: "A dog runs. ".repeat(20), source: "en", target: "de" };
const PRICE = BODY.text.length;

async function demandFor(body: object = BODY) {
  const response = await ask(worker.url, body);
  expect(response.status).toBe(402);
  return decodePaymentRequiredHeader(response.headers.get("payment-required")!);
}

/** A payment for a request, signed and not sent. */
async function signFor(body: object = BODY, buyer = makeBuyer()): Promise<PaymentPayload> {
  return buyer.client.createPaymentPayload(await demandFor(body));
}

function settlements(): number {
  return shop.facilitator.token.transfers();
}

function withIdentifier(payment: PaymentPayload, id: string): PaymentPayload {
  return { ...payment, extensions: { "payment-identifier": { info: { required: false, id } } } };
}

describe("a stranger", () => {
  it("is told what this very request costs, and to whom", async () => {
    const response = await ask(worker.url, BODY);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ type: "urn:edge-slm:problem:payment_required", price: PRICE });
    expect(await demandFor()).toMatchObject({
      x402Version: 2,
      resource: { url: `${worker.url}/v1/translate` },
      accepts: [{ scheme: "exact", network: "eip155:84532", amount: String(PRICE), payTo: SELLER }],
      extensions: { "payment-identifier": { info: { required: false } } },
    });
    expect((await demandFor({ ...BODY, text: "One." })).accepts[0]!.amount).toBe("100");
  });

  it("pays with the client of @x402/fetch, gets the translation and a receipt, and the seller has the money", async () => {
    const buyer = makeBuyer();
    const before = shop.facilitator.token.balanceOf(SELLER);
    const response = await buyer.fetch(`${worker.url}/v1/translate`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(BODY),
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ translations: [{ segments: 20 }] });
    const receipt = decodePaymentResponseHeader(response.headers.get("payment-response")!);
    expect(receipt).toMatchObject({ success: true, network: "eip155:84532", payer: buyer.address });
    expect(shop.facilitator.token.balanceOf(SELLER) - before).toBe(BigInt(PRICE));
    const account = await operate<object>(worker.url, "GET", `/accounts/x402-${buyer.address.toLowerCase()}`);
    expect(account).toMatchObject({ credit: 0, revenue: PRICE, unresolved_payments: 0 });
    expect((await reconcile(worker.url)).faults).toEqual({});
  });

  it("pays nothing for a request that fails", async () => {
    const before = settlements();
    const body = { ...BODY, text: "Привет" };
    const response = await ask(worker.url, body, pay(await signFor(body)));
    expect(response.status).toBe(422);
    expect(settlements()).toBe(before);
  });

  it("gets the stored answer for the same payment, and pays once", async () => {
    const headers = pay(await signFor());
    const before = settlements();
    const first = await ask(worker.url, BODY, headers);
    const again = await ask(worker.url, BODY, headers);
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(await again.text()).toBe(await first.text());
    expect(again.headers.get("payment-response")).toBe(first.headers.get("payment-response"));
    expect(settlements()).toBe(before + 1);
  });

  it("sent ten times at once pays once", async () => {
    const headers = pay(await signFor());
    const before = settlements();
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(worker.url, BODY, headers)));
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true);
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    expect(settlements()).toBe(before + 1);
  });
});

describe("payment-identifier", () => {
  it("makes a request the same one, even with a new signature", async () => {
    const buyer = makeBuyer();
    const id = "pay_7d5d747be160e280504c099d984bcfe0";
    const before = settlements();
    const first = await ask(worker.url, BODY, pay(withIdentifier(await signFor(BODY, buyer), id)));
    const again = await ask(worker.url, BODY, pay(withIdentifier(await signFor(BODY, buyer), id)));
    expect(await again.text()).toBe(await first.text());
    expect(settlements()).toBe(before + 1);
    const other = { ...BODY, text: BODY.text.replaceAll("dog", "cat") };
    const conflict = await ask(worker.url, other, pay(withIdentifier(await signFor(other, buyer), id)));
    expect(conflict.status).toBe(409);
    expect(settlements()).toBe(before + 1);
  });

  it("is nobody else's: another payer with it pays for itself", async () => {
    const id = "pay_00000000000000000000000000000000";
    const before = settlements();
    for (let i = 0; i < 2; i++) await ask(worker.url, BODY, pay(withIdentifier(await signFor(), id)));
    expect(settlements()).toBe(before + 2);
  });
});

describe("a stream", () => {
  const body = { ...BODY, stream: true };

  it("is settled at its first token, and the receipt is in its header", async () => {
    const before = settlements();
    const headers = pay(await signFor(body));
    const response = await ask(worker.url, body, headers);
    expect(response.headers.get("payment-response")).not.toBeNull();
    const text = await response.text();
    expect(text).toContain("event: result");
    expect(settlements()).toBe(before + 1);
    const again = await ask(worker.url, body, headers);
    expect(await again.text()).toBe(text);
    expect(settlements()).toBe(before + 1);
  });

  it("that broke off is given again for the same payment", async () => {
    const before = settlements();
    const headers = pay(await signFor(body));
    const response = await ask(worker.url, body, headers);
    const reader = response.body!.getReader();
    await reader.read();
    await reader.cancel();
    const repeat = async () => {
      for (let i = 0; i < 100; i++) {
        const again = await ask(worker.url, body, headers);
        if (again.status !== 409) return again;
        await new Promise((done) => setTimeout(done, 100));
      }
      throw new Error("still in work");
    };
    const again = await repeat();
    expect(again.status).toBe(200);
    expect(await again.text()).toContain("event: result");
    expect(settlements()).toBe(before + 1);
  });

  it("is not sent if its payment cannot be settled", async () => {
    shop.facilitator.disturb = (path, when) => {
      if (path === "settle" && when === "before") throw new Error("no");
    };
    const response = await ask(worker.url, body, pay(await signFor(body)));
    expect(response.status).toBe(503);
    expect(await response.text()).not.toContain("delta");
  });
});

describe("when the facilitator fails", () => {
  it("at the check, nothing is computed, and the payment is good afterwards", async () => {
    const headers = pay(await signFor());
    shop.facilitator.disturb = (path) => {
      if (path === "verify") throw new Disturbance();
    };
    const response = await ask(worker.url, BODY, headers);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("5");
    shop.facilitator.disturb = () => {};
    expect((await ask(worker.url, BODY, headers)).status).toBe(200);
  });

  it.each(["before", "after"] as const)(
    "in the settlement, %s the money moved, the repeated request settles it once and gets the answer",
    async (moment) => {
      const headers = pay(await signFor());
      const before = settlements();
      shop.facilitator.disturb = (path, when) => {
        if (path === "settle" && when === moment) throw new Disturbance();
      };
      const response = await ask(worker.url, BODY, headers);
      expect(response.status).toBe(503);
      expect(await response.text()).not.toContain("translations");
      shop.facilitator.disturb = () => {};
      const again = await ask(worker.url, BODY, headers);
      expect(again.status).toBe(200);
      expect(await again.json()).toMatchObject({ translations: [{ segments: 20 }] });
      expect(settlements()).toBe(before + 1);
      expect((await reconcile(worker.url)).faults).toEqual({});
    },
  );

  it("by a definite no, the answer is withheld", async () => {
    const buyer = makeBuyer();
    const payment = await signFor(BODY, buyer);
    // Between check and settlement the payer spends the nonce otherwise.
    shop.facilitator.disturb = (path, when) => {
      if (path !== "verify" || when !== "after") return;
      const { from, to, value, validAfter, validBefore, nonce } = payment.payload.authorization as Record<
        string,
        string
      >;
      const args = [from, to, value, validAfter, validBefore, nonce];
      for (const index of [2, 3, 4]) args[index] = BigInt(args[index]!) as never;
      void shop.facilitator.token.signer.writeContract({
        address: "0x0000000000000000000000000000000000000000",
        abi: [],
        functionName: "transferWithAuthorization",
        args,
      });
    };
    const response = await ask(worker.url, BODY, pay(payment));
    expect(response.status).toBe(402);
    const receipt = decodePaymentResponseHeader(response.headers.get("payment-response")!);
    expect(receipt).toMatchObject({ success: false, errorReason: "invalid_exact_evm_nonce_already_used" });
    expect(await response.text()).not.toContain("translations");
  });
});

it("refuses forged payments before any work", async () => {
  const { taken, steps, sent } = await forgePayments(worker.url, 63);
  expect(taken).toEqual([]);
  expect(steps).toBe(0);
  expect(sent).toBeGreaterThan(63);
});

it("takes the Worker's death between answer and settlement: the payment is good for the repeated request", async () => {
  const headers = pay(await signFor());
  const before = settlements();
  const killed = Promise.withResolvers<void>();
  shop.facilitator.disturb = (path, when) => {
    if (path === "settle" && when === "after") {
      worker.kill().then(killed.resolve);
      throw new Disturbance();
    }
  };
  await ask(worker.url, BODY, headers).catch(() => {});
  await killed.promise;
  shop.facilitator.disturb = () => {};
  worker = await shop.start();
  await new Promise((done) => setTimeout(done, RESERVATION_SECONDS * 1000));
  const again = await ask(worker.url, BODY, headers);
  expect(again.status).toBe(200);
  expect(await again.json()).toMatchObject({ translations: [{ segments: 20 }] });
  expect(settlements()).toBe(before + 1);
  expect((await reconcile(worker.url)).faults).toEqual({});
}, 120_000);

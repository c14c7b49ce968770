/** Pays for translations as a stranger does: the real client, real signatures, a Worker and a facilitator over HTTP. */
import { decodePaymentRequiredHeader, decodePaymentResponseHeader } from "@x402/core/http";
import type { PaymentPayload } from "@x402/core/types";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { operate, reconcile } from "../../scripts/chaos/billing/operator.ts";
import { ask, forgePayments, makeBuyer, pay, SCHEMES } from "../../scripts/chaos/billing/payments.ts";
import { type ChaosShop, prepareShop, RESERVATION_SECONDS, SELLER } from "../../scripts/chaos/billing/shop.ts";
import type { RunningWorker } from "../../scripts/chaos/worker-process.ts";
import { Disturbance } from "../../scripts/facilitator/server.ts";

let shop: ChaosShop;
let worker: RunningWorker;

beforeAll(async () => {
  shop = await prepareShop();
  worker = await shop.start();
}, 180_000);
afterAll(async () => {
  await worker?.kill();
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
  return shop.facilitator.token.transfers;
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
      accepts: SCHEMES.map((scheme) => ({ scheme, network: "eip155:84532", amount: String(PRICE), payTo: SELLER })),
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

describe("upto: a stranger who signs for the most that a request may cost", () => {
  const stream = { ...BODY, text: "A dog runs. ".repeat(30), stream: true };
  const sellersMoney = () => shop.facilitator.token.balanceOf(SELLER);
  const signUpto = (body: object, buyer = makeBuyer("upto")) => signFor(body, buyer);
  /** Reads some events of a stream, and leaves. */
  const readSome = async (response: Response, chunks: number) => {
    const reader = response.body!.getReader();
    for (let i = 0; i < chunks; i++) await reader.read();
    await reader.cancel();
  };
  const eventually = async (check: () => Promise<boolean>) => {
    for (let i = 0; i < 300; i++) {
      if (await check()) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error("it never came to be");
  };
  const accountOf = (address: string) =>
    operate<{ revenue: number; unresolved_payments: number }>(
      worker.url,
      "GET",
      `/accounts/x402-${address.toLowerCase()}`,
    );

  it("pays the whole price of an answer in one piece, by the client of @x402/fetch", async () => {
    const buyer = makeBuyer("upto");
    const before = sellersMoney();
    const response = await buyer.fetch(`${worker.url}/v1/translate`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(BODY),
    });
    expect(response.status).toBe(200);
    const receipt = decodePaymentResponseHeader(response.headers.get("payment-response")!);
    expect(receipt).toMatchObject({ success: true, payer: buyer.address, amount: String(PRICE) });
    expect(sellersMoney() - before).toBe(BigInt(PRICE));
    expect(await accountOf(buyer.address)).toMatchObject({ revenue: PRICE, unresolved_payments: 0 });
  });

  it("gets the receipt of a whole stream before its last event, and the stored answer for the same payment", async () => {
    const headers = pay(await signUpto(stream));
    const before = sellersMoney();
    const text = await (await ask(worker.url, stream, headers)).text();
    const payment = /event: payment\ndata: (.*)\n\nevent: result\n/.exec(text)![1]!;
    const receipt = decodePaymentResponseHeader(JSON.parse(payment)["payment-response"]);
    expect(receipt).toMatchObject({ success: true, amount: String(stream.text.length) });
    const again = await ask(worker.url, stream, headers);
    expect(again.headers.get("payment-response")).toBe(JSON.parse(payment)["payment-response"]);
    expect(await again.text()).toBe(text.replace(/event: payment\n.*\n\n/, ""));
    expect(sellersMoney() - before).toBe(BigInt(stream.text.length));
  });

  it("pays of a stream that it left for the sentences that were begun, once", async () => {
    const buyer = makeBuyer("upto");
    const payment = withIdentifier(await signUpto(stream, buyer), "pay_11111111111111111111111111111111");
    const before = sellersMoney();
    const account = () => accountOf(buyer.address).catch(() => ({ revenue: 0, unresolved_payments: 0 }));
    await readSome(await ask(worker.url, stream, pay(payment)), 8);
    await eventually(async () => (await account()).revenue > 0);
    const { revenue, unresolved_payments } = await account();
    expect(unresolved_payments).toBe(0);
    expect(revenue).toBeGreaterThanOrEqual(100);
    expect(revenue).toBeLessThan(stream.text.length);
    expect(sellersMoney() - before).toBe(BigInt(revenue));
    // The payment is used up; its identifier is good for another one.
    expect((await ask(worker.url, stream, pay(payment))).status).toBe(402);
    const next = withIdentifier(await signUpto(stream, buyer), "pay_11111111111111111111111111111111");
    expect(await (await ask(worker.url, stream, pay(next))).text()).toContain("event: result");
    expect(sellersMoney() - before).toBe(BigInt(revenue + stream.text.length));
    expect((await reconcile(worker.url)).faults).toEqual({});
  });

  it("pays nothing for a stream that failed, and its payment is still good", async () => {
    const before = sellersMoney();
    const headers = pay(await signUpto(stream));
    await fetch(`${worker.url}/fail?share=1`);
    try {
      expect(await (await ask(worker.url, stream, headers)).text()).toContain("event: error");
    } finally {
      await fetch(`${worker.url}/fail?share=0`);
    }
    expect(sellersMoney()).toBe(before);
    let text = "";
    await eventually(async () => {
      const again = await ask(worker.url, stream, headers);
      text = await again.text();
      return again.status === 200;
    });
    expect(text).toContain("event: result");
    expect(sellersMoney() - before).toBe(BigInt(stream.text.length));
  });

  it("is refused before any work if it has not approved Permit2, or has too little", async () => {
    const { token } = shop.facilitator;
    const [hasNotApproved, isPoor] = [makeBuyer("upto"), makeBuyer("upto")];
    token.approvePermit2(hasNotApproved.address, BigInt(PRICE - 1));
    token.move(isPoor.address, SELLER, token.balanceOf(isPoor.address));
    for (const [buyer, reason] of [
      [hasNotApproved, "permit2_allowance_required"],
      [isPoor, "permit2_insufficient_balance"],
    ] as const) {
      const response = await ask(worker.url, BODY, pay(await signUpto(BODY, buyer)));
      expect(response.status).toBe(402);
      expect(((await response.json()) as { detail: string }).detail).toContain(reason);
    }
  });

  it.each(["before", "after"] as const)(
    "whose settlement was not heard of, %s the money moved, settles by repeating the request, once",
    async (moment) => {
      const headers = pay(await signUpto(BODY));
      const before = sellersMoney();
      shop.facilitator.disturb = (path, when) => {
        if (path === "settle" && when === moment) throw new Disturbance();
      };
      expect((await ask(worker.url, BODY, headers)).status).toBe(503);
      shop.facilitator.disturb = () => {};
      const again = await ask(worker.url, BODY, headers);
      expect(again.status).toBe(200);
      expect(await again.json()).toMatchObject({ translations: [{ segments: 20 }] });
      expect(sellersMoney() - before).toBe(BigInt(PRICE));
      expect((await reconcile(worker.url)).faults).toEqual({});
    },
  );

  it("does not get the end of a stream whose settlement failed, until it is settled", async () => {
    const headers = pay(await signUpto(stream));
    const before = sellersMoney();
    shop.facilitator.disturb = (path, when) => {
      if (path === "settle" && when === "before") throw new Disturbance();
    };
    const text = await (await ask(worker.url, stream, headers)).text();
    expect(text).toContain("facilitator_unavailable");
    expect(text).not.toContain("event: result");
    shop.facilitator.disturb = () => {};
    const again = await ask(worker.url, stream, headers);
    expect(await again.text()).toContain("event: result");
    expect(sellersMoney() - before).toBe(BigInt(stream.text.length));
  });

  it("is never settled for more than it signed: the facilitator refuses", async () => {
    const payment = await signUpto(BODY);
    const before = sellersMoney();
    const settle = async (amount: number) => {
      const paymentRequirements = { ...payment.accepted, amount: String(amount) };
      const response = await fetch(`${shop.facilitator.url}/settle`, {
        method: "POST",
        body: JSON.stringify({ paymentPayload: payment, paymentRequirements }),
      });
      return response.json();
    };
    expect(await settle(PRICE + 1)).toMatchObject({
      success: false,
      errorReason: "invalid_upto_evm_payload_settlement_exceeds_amount",
    });
    expect(sellersMoney()).toBe(before);
    expect(await settle(PRICE - 1)).toMatchObject({ success: true, amount: String(PRICE - 1) });
    expect(await settle(1)).toMatchObject({ success: false });
    expect(sellersMoney() - before).toBe(BigInt(PRICE - 1));
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
      void shop.facilitator.signer.writeContract({
        address: shop.facilitator.token.address as `0x${string}`,
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

it.each(SCHEMES)("refuses forged payments by %s before any work", async (scheme) => {
  const { taken, steps, sent } = await forgePayments(worker.url, 58, scheme);
  expect(taken).toEqual([]);
  expect(steps).toBe(0);
  expect(sent).toBeGreaterThan(58);
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

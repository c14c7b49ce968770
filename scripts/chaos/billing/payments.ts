/** Payments that are not what they should be: each must be refused before anything is computed. */
import { x402Client } from "@x402/core/client";
import { decodePaymentRequiredHeader, encodePaymentSignatureHeader } from "@x402/core/http";
import type { PaymentPayload, PaymentRequired } from "@x402/core/types";
import { ExactEvmScheme } from "@x402/evm/exact/client";
import { wrapFetchWithPayment } from "@x402/fetch";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

const REQUEST = { text: "A dog runs. A cat sleeps.", source: "en", target: "de" };
/** Of the same length, so of the same price. */
const OTHER_REQUEST = { ...REQUEST, text: "A dog runs. A cat sneezes.".slice(0, REQUEST.text.length) };

export function makeBuyer() {
  const account = privateKeyToAccount(generatePrivateKey());
  // It also signs for tokens that nobody knows: that is what is tried here.
  const client = new x402Client().setSpendControls(false).register("eip155:*", new ExactEvmScheme(account));
  return { address: account.address, client, fetch: wrapFetchWithPayment(fetch, client) };
}

export function ask(url: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/v1/translate`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

export function pay(payload: PaymentPayload): Record<string, string> {
  return { "payment-signature": encodePaymentSignatureHeader(payload) };
}

type Forge = (payment: Forged, payloadOf: (required: PaymentRequired) => Promise<PaymentPayload>) => unknown;

/** A payment with its parts within reach. */
interface Forged extends PaymentPayload {
  payload: { signature: string; authorization: Record<string, string> };
}

const randomHex = (bytes: number) => `0x${Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex")}`;
const nowSeconds = () => Math.floor(Date.now() / 1000);

/** Each changes one thing. Where it says `signed`, the payer signed it so. */
const FORGERIES: Record<string, Forge> = {
  "amount in the authorization": ({ payload }) => {
    payload.authorization.value = String(Math.floor(Math.random() * 200));
  },
  "amount accepted": ({ accepted }) => {
    accepted.amount = String(Math.floor(Math.random() * 90));
  },
  "both amounts": ({ accepted, payload }) => {
    accepted.amount = "1";
    payload.authorization.value = "1";
  },
  "recipient in the authorization": ({ payload }) => {
    payload.authorization.to = randomHex(20);
  },
  "recipient accepted": ({ accepted }) => {
    accepted.payTo = randomHex(20);
  },
  payer: ({ payload }) => {
    payload.authorization.from = randomHex(20);
  },
  nonce: ({ payload }) => {
    payload.authorization.nonce = randomHex(32);
  },
  "time of expiry": ({ payload }) => {
    payload.authorization.validBefore = String(nowSeconds() + 10_000 + Math.floor(Math.random() * 1000));
  },
  expired: ({ payload }) => {
    payload.authorization.validBefore = String(nowSeconds() - 1);
  },
  "not valid yet": ({ payload }) => {
    payload.authorization.validAfter = String(nowSeconds() + 1000);
  },
  chain: ({ accepted }) => {
    accepted.network = "eip155:1";
  },
  scheme: ({ accepted }) => {
    accepted.scheme = "upto";
  },
  asset: ({ accepted }) => {
    accepted.asset = randomHex(20);
  },
  signature: ({ payload }) => {
    const at = 2 + Math.floor(Math.random() * 128);
    const digit = (Number.parseInt(payload.signature[at]!, 16) ^ (1 + Math.floor(Math.random() * 15))).toString(16);
    payload.signature = payload.signature.slice(0, at) + digit + payload.signature.slice(at + 1);
  },
  "signature of another length": ({ payload }) => {
    payload.signature = payload.signature.slice(0, -2 * (1 + Math.floor(Math.random() * 5)));
  },
  "version of the protocol": (payment) => {
    payment.x402Version = 1;
  },
  "signed for another amount": (_, payloadOf) => payloadWith(payloadOf, (accepts) => ({ ...accepts, amount: "1" })),
  "signed for another recipient": (_, payloadOf) => payloadWith(payloadOf, (a) => ({ ...a, payTo: randomHex(20) })),
  "signed for another chain": (_, payloadOf) => payloadWith(payloadOf, (a) => ({ ...a, network: "eip155:8453" })),
  "signed for another token": (_, payloadOf) => payloadWith(payloadOf, (a) => ({ ...a, asset: randomHex(20) })),
  "signed, and expired": (_, payloadOf) => payloadWith(payloadOf, (a) => ({ ...a, maxTimeoutSeconds: 1 })),
};

let demand: PaymentRequired;

/** Signs other requirements than were asked for, and says that it accepted those that were. */
async function payloadWith(
  payloadOf: (required: PaymentRequired) => Promise<PaymentPayload>,
  change: (accepts: PaymentRequired["accepts"][0]) => PaymentRequired["accepts"][0],
): Promise<PaymentPayload> {
  const payload = await payloadOf({ ...demand, accepts: demand.accepts.map(change) });
  return { ...payload, accepted: demand.accepts[0]! };
}

export interface ForgeryVerdict {
  sent: number;
  /** By status. */
  statuses: Record<number, number>;
  /** What was not refused. */
  taken: string[];
  /** Steps of the decoder that were computed meanwhile. */
  steps: number;
}

/** @param count of forged payments, besides those that are replayed */
export async function forgePayments(url: string, count: number): Promise<ForgeryVerdict> {
  const verdict: ForgeryVerdict = { sent: 0, statuses: {}, taken: [], steps: 0 };
  const asked = await ask(url, REQUEST);
  demand = decodePaymentRequiredHeader(asked.headers.get("payment-required")!);
  const { client } = makeBuyer();
  const payloadOf = (required: PaymentRequired) => client.createPaymentPayload(required);
  const paid = await payloadOf(demand);
  if ((await ask(url, REQUEST, pay(paid))).status !== 200) throw new Error("chaos: a good payment was refused");
  const before = await stepsOf(url);
  const judge = async (what: string, response: Response) => {
    await response.text();
    verdict.sent++;
    verdict.statuses[response.status] = (verdict.statuses[response.status] ?? 0) + 1;
    if (response.status < 400) verdict.taken.push(what);
  };
  const kinds = Object.entries(FORGERIES);
  for (let i = 0; i < count; i++) {
    const [what, forge] = kinds[i % kinds.length]!;
    const payment = structuredClone(await payloadOf(demand)) as Forged;
    const forged = ((await forge(payment, payloadOf)) as PaymentPayload | undefined) ?? payment;
    await judge(what, await ask(url, REQUEST, pay(forged)));
  }
  for (let i = 0; i < Math.ceil(count / 20); i++) {
    await judge("replayed for another text", await ask(url, OTHER_REQUEST, pay(paid)));
    await judge("replayed for a longer text", await ask(url, { ...REQUEST, text: "A dog. ".repeat(50) }, pay(paid)));
  }
  verdict.steps = (await stepsOf(url)) - before;
  return verdict;
}

async function stepsOf(url: string): Promise<number> {
  return ((await (await fetch(`${url}/steps`)).json()) as { steps: number }).steps;
}

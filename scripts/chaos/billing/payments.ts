/** Payments that are not what they should be: each must be refused before anything is computed. */
import { x402Client } from "@x402/core/client";
import { decodePaymentRequiredHeader, encodePaymentSignatureHeader } from "@x402/core/http";
import type { PaymentPayload, PaymentRequirements } from "@x402/core/types";
import { ExactEvmScheme } from "@x402/evm/exact/client";
import { UptoEvmScheme } from "@x402/evm/upto/client";
import { wrapFetchWithPayment } from "@x402/fetch";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

const REQUEST = { text: "A dog runs. A cat sleeps.", source: "en", target: "de" };
/** Of the same length, so of the same price. */
const OTHER_REQUEST = { ...REQUEST, text: "A dog runs. A cat sneezes.".slice(0, REQUEST.text.length) };

export const SCHEMES = ["exact", "upto"] as const;
export type Scheme = (typeof SCHEMES)[number];

/** Somebody with a wallet that was never used. */
export function makeBuyer(scheme: Scheme = "exact") {
  const account = privateKeyToAccount(generatePrivateKey());
  const signer = scheme === "exact" ? new ExactEvmScheme(account) : new UptoEvmScheme(account);
  // It also signs for tokens that nobody knows: that is what is tried here.
  const client = new x402Client().setSpendControls(false).register("eip155:*", signer);
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

/** A payment with its parts within reach. */
interface Forged extends PaymentPayload {
  payload: {
    signature: string;
    authorization: Record<string, string>;
    permit2Authorization: Record<string, string> & {
      permitted: Record<string, string>;
      witness: Record<string, string>;
    };
  };
}

/** What a forger has: the seller's demand, and a payer that signs anything. */
interface Forger {
  scheme: Scheme;
  accepts: PaymentRequirements;
  sign: (accepts: PaymentRequirements) => Promise<PaymentPayload>;
}

/** Changes one thing of a good payment. Where it is called `signed`, the payer signed it so. */
type Forge = (payment: Forged, forger: Forger) => unknown;

const random = (n: number) => Math.floor(Math.random() * n);
const randomHex = (bytes: number) => `0x${Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex")}`;
const nowSeconds = () => Math.floor(Date.now() / 1000);

/** Signs other requirements than were asked for, and says that it accepted those that were. */
const signing =
  (change: Partial<PaymentRequirements> | ((accepts: PaymentRequirements) => Partial<PaymentRequirements>)): Forge =>
  async (_, { accepts, sign }) => ({
    ...(await sign({ ...accepts, ...(typeof change === "function" ? change(accepts) : change) })),
    accepted: accepts,
  });

const FORGERIES: Record<string, Forge> = {
  "amount accepted": ({ accepted }) => {
    accepted.amount = String(random(90));
  },
  "recipient accepted": ({ accepted }) => {
    accepted.payTo = randomHex(20);
  },
  chain: ({ accepted }) => {
    accepted.network = "eip155:1";
  },
  "the other scheme": ({ accepted }, { scheme }) => {
    accepted.scheme = scheme === "exact" ? "upto" : "exact";
  },
  "no known scheme": ({ accepted }) => {
    accepted.scheme = "whatever";
  },
  asset: ({ accepted }) => {
    accepted.asset = randomHex(20);
  },
  signature: ({ payload }) => {
    const at = 2 + random(128);
    const digit = (Number.parseInt(payload.signature[at]!, 16) ^ (1 + random(15))).toString(16);
    payload.signature = payload.signature.slice(0, at) + digit + payload.signature.slice(at + 1);
  },
  "signature of another length": ({ payload }) => {
    payload.signature = payload.signature.slice(0, -2 * (1 + random(5)));
  },
  "version of the protocol": (payment) => {
    payment.x402Version = 1;
  },
  "signed for less": signing({ amount: "1" }),
  "signed for more": signing(({ amount }) => ({ amount: String(Number(amount) + 1 + random(1000)) })),
  "signed for another recipient": signing(() => ({ payTo: randomHex(20) })),
  "signed for another chain": signing({ network: "eip155:8453" }),
  "signed for another token": signing(() => ({ asset: randomHex(20) })),
  "signed, and expired": signing({ maxTimeoutSeconds: 1 }),
};

const EXACT_FORGERIES: Record<string, Forge> = {
  "amount in the authorization": ({ payload }) => {
    payload.authorization.value = String(random(200) + 1_000);
  },
  "both amounts": ({ accepted, payload }) => {
    accepted.amount = "1";
    payload.authorization.value = "1";
  },
  "recipient in the authorization": ({ payload }) => {
    payload.authorization.to = randomHex(20);
  },
  payer: ({ payload }) => {
    payload.authorization.from = randomHex(20);
  },
  nonce: ({ payload }) => {
    payload.authorization.nonce = randomHex(32);
  },
  "time of expiry": ({ payload }) => {
    payload.authorization.validBefore = String(nowSeconds() + 10_000 + random(1000));
  },
  expired: ({ payload }) => {
    payload.authorization.validBefore = String(nowSeconds() - 1);
  },
  "not valid yet": ({ payload }) => {
    payload.authorization.validAfter = String(nowSeconds() + 1000);
  },
};

const UPTO_FORGERIES: Record<string, Forge> = {
  "amount in the permit": ({ payload }) => {
    payload.permit2Authorization.permitted.amount = String(random(200) + 1_000);
  },
  "both amounts": ({ accepted, payload }) => {
    accepted.amount = "1";
    payload.permit2Authorization.permitted.amount = "1";
  },
  "token in the permit": ({ payload }) => {
    payload.permit2Authorization.permitted.token = randomHex(20);
  },
  "recipient in the witness": ({ payload }) => {
    payload.permit2Authorization.witness.to = randomHex(20);
  },
  "facilitator in the witness": ({ payload }) => {
    payload.permit2Authorization.witness.facilitator = randomHex(20);
  },
  spender: ({ payload }) => {
    payload.permit2Authorization.spender = randomHex(20);
  },
  payer: ({ payload }) => {
    payload.permit2Authorization.from = randomHex(20);
  },
  nonce: ({ payload }) => {
    payload.permit2Authorization.nonce = BigInt(randomHex(32)).toString();
  },
  "nonce written otherwise": ({ payload }) => {
    payload.permit2Authorization.nonce = `0${payload.permit2Authorization.nonce}`;
  },
  deadline: ({ payload }) => {
    payload.permit2Authorization.deadline = String(nowSeconds() + 10_000 + random(1000));
  },
  expired: ({ payload }) => {
    payload.permit2Authorization.deadline = String(nowSeconds() - 1);
  },
  "not valid yet": ({ payload }) => {
    payload.permit2Authorization.witness.validAfter = String(nowSeconds() + 1000);
  },
  "signed for another facilitator": signing(({ extra }) => ({
    extra: { ...extra, facilitatorAddress: randomHex(20) },
  })),
  "signed, and over before a long stream is": signing({ maxTimeoutSeconds: 60 }),
};

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
export async function forgePayments(url: string, count: number, scheme: Scheme): Promise<ForgeryVerdict> {
  const verdict: ForgeryVerdict = { sent: 0, statuses: {}, taken: [], steps: 0 };
  const asked = await ask(url, REQUEST);
  const demand = decodePaymentRequiredHeader(asked.headers.get("payment-required")!);
  const accepts = demand.accepts.find((offer) => offer.scheme === scheme);
  if (!accepts) throw new Error(`chaos: ${scheme} is not offered`);
  const { client } = makeBuyer(scheme);
  const sign = (changed: PaymentRequirements) => client.createPaymentPayload({ ...demand, accepts: [changed] });
  const paid = await sign(accepts);
  if ((await ask(url, REQUEST, pay(paid))).status !== 200) throw new Error("chaos: a good payment was refused");
  const before = await stepsOf(url);
  const judge = async (what: string, response: Response) => {
    await response.text();
    verdict.sent++;
    verdict.statuses[response.status] = (verdict.statuses[response.status] ?? 0) + 1;
    if (response.status !== 400 && response.status !== 402)
      verdict.taken.push(`${scheme}, ${what}: ${response.status}`);
  };
  const kinds = Object.entries({ ...FORGERIES, ...(scheme === "exact" ? EXACT_FORGERIES : UPTO_FORGERIES) });
  for (let i = 0; i < count; i++) {
    const [what, forge] = kinds[i % kinds.length]!;
    const payment = structuredClone(await sign(accepts)) as Forged;
    const forged = ((await forge(payment, { scheme, accepts, sign })) as PaymentPayload | undefined) ?? payment;
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

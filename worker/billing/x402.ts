/**
 * A stranger pays for one request: x402 version 2 over HTTP (https://github.com/x402-foundation/x402), scheme `exact`
 * with EIP-3009 authorizations. The facilitator checks signatures and moves the money; this file knows the protocol,
 * what a payment must say, and in which order things happen:
 *
 *   402 and PAYMENT-REQUIRED → PAYMENT-SIGNATURE → own checks → facilitator's /verify → the nonce is taken → work
 *   → the answer is held → facilitator's /settle → the money is counted → the answer and PAYMENT-RESPONSE
 *
 * If the Worker dies or the facilitator is not heard of between the last two, the payer repeats its request with the
 * same payment, which is settled again. If the chain then says that the nonce is used, the first attempt counts as
 * having gone through: the answer is given rather than withheld from somebody who paid for it.
 */
import {
  decodePaymentSignatureHeader,
  encodePaymentRequiredHeader,
  encodePaymentResponseHeader,
  HTTPFacilitatorClient,
} from "@x402/core/http";
import type { PaymentPayload, PaymentRequired, PaymentRequirements, SettleResponse } from "@x402/core/types";
import { SettleError, VerifyError } from "@x402/core/types";
import { z } from "zod";
import type { Env, X402Settings } from "../env.ts";
import { Problem } from "../errors.ts";
import { describeIssues } from "../model/config.ts";
import type { Answer, Charge, Outcome, Work } from "./charge.ts";
import { directoryOf, ledgerOf } from "./directory.ts";
import type { Ledger } from "./ledger.ts";
import { formatMoney } from "./money.ts";
import type { BegunPayment, PaymentRequest } from "./payments.ts";

/** How long a signed payment must be good for, which covers the work and its settlement. */
const MAX_TIMEOUT_SECONDS = 300;
/** Less than this is not enough to settle in. */
const MIN_LEFT_SECONDS = 20;
const FACILITATOR_TIMEOUT_MS = 20_000;
const NONCE_USED = "invalid_exact_evm_nonce_already_used";

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^0x[0-9a-fA-F]{${2 * bytes}}$`), `expected ${bytes} bytes as 0x…`);
const integer = z.string().regex(/^\d{1,78}$/, "expected a whole number in digits");

const paymentSchema = z.looseObject({
  x402Version: z.literal(2),
  accepted: z.looseObject({
    scheme: z.string(),
    network: z.string(),
    amount: z.string(),
    asset: z.string(),
    payTo: z.string(),
    maxTimeoutSeconds: z.number(),
  }),
  payload: z.strictObject({
    signature: z.string().regex(/^0x[0-9a-fA-F]{130,}$/, "expected a signature as 0x…"),
    authorization: z.strictObject({
      from: hex(20),
      to: hex(20),
      value: integer,
      validAfter: integer,
      validBefore: integer,
      nonce: hex(32),
    }),
  }),
  extensions: z
    .looseObject({
      "payment-identifier": z
        .looseObject({
          info: z.looseObject({
            id: z
              .string()
              .regex(/^[\w-]{16,128}$/)
              .optional(),
          }),
        })
        .optional(),
    })
    .nullish(),
});

type Payment = z.infer<typeof paymentSchema>;

/** https://github.com/x402-foundation/x402/blob/main/specs/extensions/payment_identifier.md */
const IDENTIFIER_EXTENSION = {
  "payment-identifier": {
    info: { required: false },
    schema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      properties: { required: { type: "boolean" }, id: { type: "string", minLength: 16, maxLength: 128 } },
      required: ["required"],
    },
  },
};

export interface X402Options {
  env: Env;
  settings: X402Settings;
  url: string;
  country: string;
  lifeMs: number;
  /** Digest of what is asked for. */
  fingerprint: string;
}

/** What a request costs, in the protocol's words. */
function requirementsOf({ amount }: Work, settings: X402Settings): PaymentRequirements {
  return {
    scheme: "exact",
    network: settings.network,
    amount: String(amount),
    asset: settings.asset,
    payTo: settings.payTo,
    maxTimeoutSeconds: MAX_TIMEOUT_SECONDS,
    extra: { name: settings.assetName, version: settings.assetVersion },
  };
}

/** 402, and how to pay. @param error why the payment that came was not taken */
export function demandPayment(
  work: Work,
  settings: X402Settings,
  url: string,
  error?: string,
  headers: Record<string, string> = {},
): Problem {
  const required: PaymentRequired = {
    x402Version: 2,
    error: error ?? "PAYMENT-SIGNATURE header is required",
    resource: { url, description: `${work.characters} characters through ${work.model}`, mimeType: "application/json" },
    accepts: [requirementsOf(work, settings)],
    extensions: IDENTIFIER_EXTENSION,
  };
  const price = `${formatMoney(work.amount)} USD`;
  const detail =
    error === undefined
      ? `this request costs ${price}; send an API key as authorization: Bearer, or pay by x402 as the header payment-required says`
      : `the payment was not taken: ${error}; this request costs ${price}`;
  return new Problem("payment_required", detail, {
    extensions: { price: work.amount, accepts: required.accepts },
    headers: { ...headers, "payment-required": encodePaymentRequiredHeader(required), "cache-control": "no-store" },
  });
}

export class X402Charge implements Charge {
  readonly scheme = "x402";
  readonly keepsAnswer = true;
  readonly settlesAtFirstToken = true;
  readonly headers = {};
  readonly #options: X402Options;
  readonly #header: string;
  readonly #facilitator: HTTPFacilitatorClient;
  #work: Work | undefined;
  #payment: Payment | undefined;
  #ledger: DurableObjectStub<Ledger> | undefined;
  /** Of a payment that was settled before its stream broke off. */
  #receipt: string | undefined;

  /** @param header PAYMENT-SIGNATURE */
  constructor(options: X402Options, header: string) {
    this.#options = options;
    this.#header = header;
    const { facilitatorUrl: url, facilitatorToken: token } = options.settings;
    const authorization: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    this.#facilitator = new HTTPFacilitatorClient({
      url,
      timeoutMs: FACILITATOR_TIMEOUT_MS,
      createAuthHeaders: async () => ({ verify: authorization, settle: authorization }),
    });
  }

  async reserve(work: Work): Promise<Answer | undefined> {
    this.#work = work;
    const payment = readPayment(this.#header);
    const fault = this.#faultOf(payment);
    if (fault) throw this.#refuse(fault);
    this.#payment = payment;
    const payer = `x402-${payment.payload.authorization.from.toLowerCase()}`;
    const ledger = ledgerOf(this.#options.env, payer);
    this.#ledger = ledger;
    const request = await this.#requestOf(payment);
    // The very payment that was taken before shows who asks; an identifier does not, so that it comes after the check.
    const own = { ...request, identifier: undefined };
    let known: BegunPayment | undefined = await ledger.findPayment(own);
    if (!known) {
      const refusal = await this.#verify(payment);
      // Its twin may have been settled meanwhile, which makes the nonce a used one.
      if (refusal) known = await ledger.findPayment(own);
      if (refusal && !known) throw this.#refuse(refusal);
    }
    if (known?.kind === "held" && !known.answer) {
      await this.#settleHeld(true);
      known = { kind: "begun" };
    }
    if (known && known.kind !== "begun") return this.#repeated(known);
    const begun = await ledger.beginPayment(payer, request);
    if (begun.made) await directoryOf(this.#options.env).add(payer);
    if (begun.kind !== "begun") return this.#repeated(begun);
    this.#receipt = begun.receipt;
    return undefined;
  }

  async settle({ answer }: Outcome): Promise<Record<string, string>> {
    if (this.#receipt !== undefined) return { "payment-response": this.#receipt };
    await this.#ledger!.holdPayment(this.#nonce, answer);
    return { "payment-response": await this.#settleHeld(false) };
  }

  async finish(answer: Answer | undefined): Promise<void> {
    if (answer) await this.#ledger!.storeAnswer(this.#nonce, answer);
    else await this.#ledger!.dropPayment(this.#nonce);
  }

  async release(): Promise<void> {
    await this.#ledger!.dropPayment(this.#nonce);
  }

  /** The chain takes nothing back. The payer gets the answer by repeating the request with the same payment. */
  async reverse(): Promise<void> {}

  /** A stream is settled at its first token. */
  async extend(): Promise<void> {}

  get #nonce(): string {
    return this.#payment!.payload.authorization.nonce.toLowerCase();
  }

  /** What is wrong with a payment that can be seen without asking anybody. The facilitator checks the same, and more. */
  #faultOf({ accepted, payload: { authorization } }: Payment): string | undefined {
    const expected = requirementsOf(this.#work!, this.#options.settings);
    for (const name of ["scheme", "network", "amount", "asset", "payTo", "maxTimeoutSeconds"] as const) {
      if (accepted[name] !== expected[name]) {
        return `accepted.${name}: expected ${expected[name]}, got ${JSON.stringify(accepted[name])}`;
      }
    }
    if (authorization.to.toLowerCase() !== expected.payTo.toLowerCase()) {
      return `authorization.to: expected ${expected.payTo}, got ${authorization.to}`;
    }
    if (BigInt(authorization.value) !== BigInt(expected.amount)) {
      return `authorization.value: expected ${expected.amount}, got ${authorization.value}`;
    }
    const nowSeconds = BigInt(Math.floor(Date.now() / 1000));
    if (BigInt(authorization.validAfter) > nowSeconds) return "authorization.validAfter: it is not valid yet";
    if (BigInt(authorization.validBefore) < nowSeconds + BigInt(MIN_LEFT_SECONDS)) {
      return `authorization.validBefore: expected ${MIN_LEFT_SECONDS} s from now or more`;
    }
    return undefined;
  }

  async #requestOf({ payload, extensions }: Payment): Promise<PaymentRequest> {
    const { fingerprint, country, lifeMs } = this.#options;
    const { amount, model, characters } = this.#work!;
    const identifier = extensions?.["payment-identifier"]?.info.id;
    const paymentHash = await sha256(JSON.stringify(payload).toLowerCase());
    return { nonce: this.#nonce, identifier, paymentHash, fingerprint, amount, model, country, characters, lifeMs };
  }

  /** @returns why the facilitator refuses it, if it does */
  async #verify(payment: Payment): Promise<string | undefined> {
    const requirements = requirementsOf(this.#work!, this.#options.settings);
    const result = await this.#facilitator
      .verify(payment as unknown as PaymentPayload, requirements)
      .catch((error: unknown) => {
        if (error instanceof VerifyError) return { isValid: false, invalidReason: error.invalidReason };
        throw facilitatorUnavailable(error);
      });
    return result.isValid ? undefined : (result.invalidReason ?? "invalid payment");
  }

  /** What a payment that was seen before is answered. */
  async #repeated(known: Exclude<BegunPayment, { kind: "begun" }>): Promise<Answer> {
    switch (known.kind) {
      case "answered":
        return known.answer;
      case "held":
        if (known.nonce !== this.#nonce || !known.answer) break;
        return {
          ...known.answer,
          headers: { ...known.answer.headers, "payment-response": await this.#settleHeld(true) },
        };
      case "mismatch":
        throw new Problem("payment_conflict", "payment-identifier: it was sent with another request before");
      case "used":
        throw this.#refuse("the nonce was used before");
      case "in_progress":
        throw new Problem("request_in_progress", "the first request with this payment is still in work; retry", {
          headers: { "retry-after": "1" },
        });
    }
    throw new Problem("payment_conflict", "payment-identifier: repeat the request with its first payment-signature");
  }

  /**
   * @param again whether it was tried before, and may have gone through
   * @returns the header PAYMENT-RESPONSE
   */
  async #settleHeld(again: boolean): Promise<string> {
    const result = await this.#askToSettle();
    if (!result.success && !(again && result.errorReason === NONCE_USED)) {
      await this.#ledger!.dropPayment(this.#nonce);
      throw this.#refuse(result.errorReason ?? "it could not be settled", {
        "payment-response": encodePaymentResponseHeader(result),
      });
    }
    const { errorReason: _, errorMessage: __, ...settled } = result;
    const receipt = encodePaymentResponseHeader({ ...settled, success: true });
    await this.#ledger!.settlePayment(this.#nonce, receipt);
    return receipt;
  }

  /** @throws Problem facilitator_unavailable if nobody knows how it ended; the payment stays held */
  async #askToSettle(): Promise<SettleResponse> {
    const requirements = requirementsOf(this.#work!, this.#options.settings);
    try {
      const result = await this.#facilitator.settle(this.#payment as unknown as PaymentPayload, requirements);
      if (result.errorReason !== "settlement_pending") return result;
    } catch (error) {
      // The facilitator said no, in so many words.
      if (error instanceof SettleError && error.errorReason && error.errorReason !== "settlement_pending") {
        const { errorReason, transaction, network, payer } = error;
        return { success: false, errorReason, transaction, network, ...(payer ? { payer } : {}) };
      }
      await this.#ledger!.suspendPayment(this.#nonce);
      throw facilitatorUnavailable(error);
    }
    await this.#ledger!.suspendPayment(this.#nonce);
    throw facilitatorUnavailable("settlement_pending");
  }

  #refuse(reason: string, headers?: Record<string, string>): Problem {
    return demandPayment(this.#work!, this.#options.settings, this.#options.url, reason, headers);
  }
}

/** @throws Problem malformed_request */
function readPayment(header: string): Payment {
  let decoded: unknown;
  try {
    decoded = decodePaymentSignatureHeader(header);
  } catch {
    throw new Problem("malformed_request", "payment-signature: expected base64 of a JSON object");
  }
  const result = paymentSchema.safeParse(decoded);
  if (!result.success) throw new Problem("malformed_request", `payment-signature: ${describeIssues(result.error)}`);
  return result.data;
}

function facilitatorUnavailable(cause: unknown): Problem {
  return new Problem(
    "facilitator_unavailable",
    "the payment could not be checked or settled; repeat the request with the same payment-signature, which is charged once",
    { headers: { "retry-after": "5" }, cause },
  );
}

async function sha256(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toHex();
}

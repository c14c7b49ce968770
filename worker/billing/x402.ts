/**
 * A stranger pays for one request: x402 version 2 over HTTP (https://github.com/x402-foundation/x402). The facilitator
 * checks signatures and moves the money, x402-schemes.ts knows what a payment says; this file, in which order things
 * happen:
 *
 *   402 and PAYMENT-REQUIRED → PAYMENT-SIGNATURE → own checks → facilitator's /verify → the nonce is taken → work
 *   → the answer is held → facilitator's /settle → the money is counted → the answer and PAYMENT-RESPONSE
 *
 * A stream by `exact` is settled in full before its first token goes out. One by `upto` is settled for what was sent:
 * before its last event, or when its reader left.
 *
 * If the Worker dies or the facilitator is not heard of between holding and counting, the payer repeats its request with
 * the same payment, which is settled again. If the chain then says that the nonce is used, the first attempt counts as
 * having gone through: the answer is given rather than withheld from somebody who paid for it.
 */
import { encodePaymentRequiredHeader, encodePaymentResponseHeader } from "@x402/core/http";
import type { PaymentRequired, PaymentRequirements } from "@x402/core/types";
import type { Env, X402Settings } from "../env.ts";
import { Problem } from "../errors.ts";
import type { Answer, Charge, Outcome, Work } from "./charge.ts";
import { directoryOf, ledgerOf } from "./directory.ts";
import { Facilitator, facilitatorUnavailable } from "./facilitator.ts";
import type { Ledger } from "./ledger.ts";
import { formatMoney } from "./money.ts";
import type { BegunPayment, PaymentRequest } from "./payments.ts";
import { faultOf, readPayment, requirementsOf, type Scheme, type SignedPayment } from "./x402-schemes.ts";

/**
 * What a facilitator says of a nonce that was used before. Of Permit2 it may find out no more than that the settlement
 * fails, after signature, time, balance and approval were found to be good.
 */
const NONCE_USED: Record<Scheme, readonly (string | undefined)[]> = {
  exact: ["invalid_exact_evm_nonce_already_used"],
  upto: ["permit2_invalid_nonce", "permit2_simulation_failed"],
};

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

/** 402, and how to pay. @param error why the payment that came was not taken */
export async function demandPayment(
  work: Work,
  settings: X402Settings,
  url: string,
  error?: string,
  headers: Record<string, string> = {},
): Promise<Problem> {
  const signer = await new Facilitator(settings).uptoSigner();
  const schemes: Scheme[] = signer === undefined ? ["exact"] : ["exact", "upto"];
  const required: PaymentRequired = {
    x402Version: 2,
    error: error ?? "PAYMENT-SIGNATURE header is required",
    resource: { url, description: `${work.characters} characters through ${work.model}`, mimeType: "application/json" },
    accepts: schemes.map((scheme) => requirementsOf(scheme, work.amount, settings, signer)),
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
  readonly headers = {};
  readonly #options: X402Options;
  readonly #header: string;
  readonly #facilitator: Facilitator;
  #work: Work | undefined;
  #payment: SignedPayment | undefined;
  #ledger: DurableObjectStub<Ledger> | undefined;
  /** Of a payment that was settled in full before its stream broke off. */
  #receipt: string | undefined;

  /** @param header PAYMENT-SIGNATURE */
  constructor(options: X402Options, header: string) {
    this.#options = options;
    this.#header = header;
    this.#facilitator = new Facilitator(options.settings);
  }

  get settlesAtFirstToken(): boolean {
    return this.#payment?.scheme === "exact" || this.#receipt !== undefined;
  }

  async reserve(work: Work): Promise<Answer | undefined> {
    this.#work = work;
    const payment = readPayment(this.#header);
    this.#payment = payment;
    const fault = faultOf(payment, this.#requirements(work.amount));
    if (fault) throw await this.#refuse(fault);
    const payer = `x402-${payment.from.toLowerCase()}`;
    const ledger = ledgerOf(this.#options.env, payer);
    this.#ledger = ledger;
    const request = await this.#requestOf(payment);
    // The very payment that was taken before shows who asks; an identifier does not, so that it comes after the check.
    const own = { ...request, identifier: undefined };
    let known: BegunPayment | undefined = await ledger.findPayment(own);
    if (!known) {
      const refusal = await this.#facilitator.verify(payment.message, this.#requirements(work.amount));
      // Its twin may have been settled meanwhile, which makes the nonce a used one.
      if (refusal) known = await ledger.findPayment(own);
      if (refusal && !known) throw await this.#refuse(refusal);
    }
    if (known?.kind === "held" && !known.answer) {
      await this.#settleHeld(known.due, true);
      known = { kind: "begun" };
    }
    if (known && known.kind !== "begun") return this.#repeated(known);
    const begun = await ledger.beginPayment(payer, request);
    if (begun.made) await directoryOf(this.#options.env).add(payer);
    if (begun.kind !== "begun") return this.#repeated(begun);
    this.#receipt = begun.receipt;
    return undefined;
  }

  async settle({ due, characters, answer }: Outcome): Promise<Record<string, string>> {
    if (this.#receipt !== undefined) return { "payment-response": this.#receipt };
    const isHeld = await this.#ledger!.holdPayment(this.#nonce, { due, characters, ...(answer ? { answer } : {}) });
    if (!isHeld) {
      const seconds = this.#options.lifeMs / 1000;
      throw new Problem("took_too_long", `the request took longer than ${seconds} s; nothing was paid`);
    }
    return { "payment-response": await this.#settleHeld(due, false) };
  }

  async finish(answer: Answer | undefined): Promise<void> {
    if (answer) await this.#ledger!.storeAnswer(this.#nonce, answer);
    else await this.#ledger!.suspendPayment(this.#nonce);
  }

  async release(): Promise<void> {
    await this.#ledger!.releasePayment(this.#nonce);
  }

  /** The chain takes nothing back. The payer gets the answer by repeating the request with the same payment. */
  async reverse(): Promise<void> {}

  async extend(): Promise<void> {
    if (!this.settlesAtFirstToken) await this.#ledger!.extendPayment(this.#nonce, this.#options.lifeMs);
  }

  get #nonce(): string {
    return this.#payment!.nonce;
  }

  #requirements(amount: number): PaymentRequirements {
    const { scheme, facilitator } = this.#payment!;
    return requirementsOf(scheme, amount, this.#options.settings, facilitator);
  }

  async #requestOf({ message, identifier }: SignedPayment): Promise<PaymentRequest> {
    const { fingerprint, country, lifeMs } = this.#options;
    const { amount, model, characters } = this.#work!;
    const paymentHash = await sha256(JSON.stringify(message.payload).toLowerCase());
    return { nonce: this.#nonce, identifier, paymentHash, fingerprint, amount, model, country, characters, lifeMs };
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
          headers: { ...known.answer.headers, "payment-response": await this.#settleHeld(known.due, true) },
        };
      case "mismatch":
        throw new Problem("payment_conflict", "payment-identifier: it was sent with another request before");
      case "used":
        throw await this.#refuse("the nonce was used before");
      case "in_progress":
        throw new Problem("request_in_progress", "the first request with this payment is still in work; retry", {
          headers: { "retry-after": "1" },
        });
    }
    throw new Problem("payment_conflict", "payment-identifier: repeat the request with its first payment-signature");
  }

  /**
   * @param due micro-units, of `upto` perhaps less than was signed
   * @param again whether it was tried before, and may have gone through
   * @returns the header PAYMENT-RESPONSE
   * @throws Problem facilitator_unavailable if nobody knows how it ended; the payment stays held
   */
  async #settleHeld(due: number, again: boolean): Promise<string> {
    const { scheme, message } = this.#payment!;
    const outcome = await this.#facilitator.settle(message, this.#requirements(due));
    if ("unknown" in outcome) {
      await this.#ledger!.suspendPayment(this.#nonce);
      throw facilitatorUnavailable(outcome.unknown);
    }
    const { result } = outcome;
    if (!result.success && !(again && NONCE_USED[scheme].includes(result.errorReason))) {
      await this.#ledger!.dropPayment(this.#nonce);
      throw await this.#refuse(result.errorReason ?? "it could not be settled", {
        "payment-response": encodePaymentResponseHeader(result),
      });
    }
    const { errorReason: _, errorMessage: __, ...settled } = result;
    const receipt = encodePaymentResponseHeader({ ...settled, success: true });
    await this.#ledger!.settlePayment(this.#nonce, receipt);
    return receipt;
  }

  #refuse(reason: string, headers?: Record<string, string>): Promise<Problem> {
    return demandPayment(this.#work!, this.#options.settings, this.#options.url, reason, headers);
  }
}

async function sha256(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toHex();
}

/**
 * The x402 facilitator that the settings name: it checks signatures and moves the money. Here its answers are sorted
 * into yes, no and nobody knows.
 */
import { HTTPFacilitatorClient } from "@x402/core/http";
import type { PaymentPayload, PaymentRequirements, SettleResponse } from "@x402/core/types";
import { SettleError, VerifyError } from "@x402/core/types";
import type { X402Settings } from "../env.ts";
import { Problem } from "../errors.ts";

const TIMEOUT_MS = 20_000;
/** Of what it supports: somebody waits for a 402, which can do without. */
const SUPPORTED_TIMEOUT_MS = 2_000;
/** How long an isolate believes what it was told, and how long it does without if it was told nothing. */
const SUPPORTED_LIFE_MS = 10 * 60_000;
const UNHEARD_LIFE_MS = 30_000;
const PENDING = "settlement_pending";

/** By facilitator and network. Values, not promises: a Worker may not wait for what another request began. */
const uptoSigners = new Map<string, { signer: string | undefined; untilMs: number }>();

export class Facilitator {
  readonly #settings: X402Settings;

  constructor(settings: X402Settings) {
    this.#settings = settings;
  }

  /** @returns the address that settles `upto` payments, which their payer signs; undefined if it settles none */
  async uptoSigner(): Promise<string | undefined> {
    const { facilitatorUrl, network } = this.#settings;
    const name = `${facilitatorUrl} ${network}`;
    const known = uptoSigners.get(name);
    if (known && known.untilMs > Date.now()) return known.signer;
    const heard = await this.#client(SUPPORTED_TIMEOUT_MS)
      .getSupported()
      .catch((error: unknown) => {
        console.error(`x402: ${facilitatorUrl} does not say what it supports; \`upto\` is not offered`, error);
      });
    const address = heard?.kinds.find((kind) => kind.scheme === "upto" && kind.network === network)?.extra
      ?.facilitatorAddress;
    const signer = typeof address === "string" ? address : undefined;
    uptoSigners.set(name, { signer, untilMs: Date.now() + (heard ? SUPPORTED_LIFE_MS : UNHEARD_LIFE_MS) });
    return signer;
  }

  /**
   * @returns why it refuses the payment, if it does
   * @throws Problem facilitator_unavailable
   */
  async verify(payment: PaymentPayload, requirements: PaymentRequirements): Promise<string | undefined> {
    const result = await this.#client(TIMEOUT_MS)
      .verify(payment, requirements)
      .catch((error: unknown) => {
        if (error instanceof VerifyError) return { isValid: false, invalidReason: error.invalidReason };
        throw facilitatorUnavailable(error);
      });
    return result.isValid ? undefined : (result.invalidReason ?? "invalid payment");
  }

  /** @returns what became of it: success, or a definite no; or why nobody knows */
  async settle(
    payment: PaymentPayload,
    requirements: PaymentRequirements,
  ): Promise<{ result: SettleResponse } | { unknown: unknown }> {
    try {
      const result = await this.#client(TIMEOUT_MS).settle(payment, requirements);
      return result.errorReason === PENDING ? { unknown: PENDING } : { result };
    } catch (error) {
      if (!(error instanceof SettleError) || !error.errorReason || error.errorReason === PENDING) {
        return { unknown: error };
      }
      const { errorReason, transaction, network, payer } = error;
      return { result: { success: false, errorReason, transaction, network, ...(payer ? { payer } : {}) } };
    }
  }

  #client(timeoutMs: number): HTTPFacilitatorClient {
    const { facilitatorUrl: url, facilitatorToken: token } = this.#settings;
    const own: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    const createAuthHeaders = async () => ({ verify: own, settle: own, supported: own });
    return new HTTPFacilitatorClient({ url, timeoutMs, createAuthHeaders });
  }
}

export function facilitatorUnavailable(cause: unknown): Problem {
  return new Problem(
    "facilitator_unavailable",
    "the payment could not be checked or settled; repeat the request with the same payment-signature, which is charged once",
    { headers: { "retry-after": "5" }, cause },
  );
}

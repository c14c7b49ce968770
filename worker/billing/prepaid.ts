/** A customer with an API key spends the credit of its account. */
import type { Env } from "../env.ts";
import { Problem } from "../errors.ts";
import type { Task } from "../model/config.ts";
import type { Answer, Charge, Outcome, Work } from "./charge.ts";
import { ledgerOf } from "./directory.ts";
import type { RateState } from "./key-ring.ts";
import type { KeyReference, Scope } from "./keys.ts";
import type { Ledger, SettleResult } from "./ledger.ts";
import { rateLimitHeaders } from "./rate-limit-headers.ts";
import type { Refusal, ReserveRequest, SettleRequest, Ticket } from "./reservations.ts";

const SCOPE_OF: Record<Task, Scope> = {
  translation: "translate",
  classification: "classify",
  embedding: "embed",
  "question-answering": "answer",
  recommendation: "recommend",
};

export interface PrepaidOptions {
  env: Env;
  key: KeyReference;
  country: string;
  repeat: { key: string; fingerprint: string } | undefined;
  lifeMs: number;
}

export class PrepaidCharge implements Charge {
  readonly scheme = "prepaid";
  readonly settlesAtFirstToken = false;
  readonly #options: PrepaidOptions;
  readonly #ledger: DurableObjectStub<Ledger>;
  #request: ReserveRequest | undefined;
  #ticket: Ticket | undefined;
  #work: Work | undefined;
  headers: Record<string, string> = {};

  constructor(options: PrepaidOptions) {
    this.#options = options;
    this.#ledger = ledgerOf(options.env, options.key.account);
  }

  get keepsAnswer(): boolean {
    return this.#options.repeat !== undefined;
  }

  async reserve(work: Work): Promise<Answer | undefined> {
    const { key, country, repeat, lifeMs } = this.#options;
    const { amount, model, task } = work;
    const request = { key, scope: SCOPE_OF[task], amount, model, country, lifeMs, ...(repeat ? { repeat } : {}) };
    const result = await this.#ledger.reserve(request);
    this.headers = keyHeaders(result.rate);
    if (result.kind === "refused") throw refusalProblem(result.refusal, this.headers);
    if (result.kind === "answered") return result.answer;
    this.#request = request;
    this.#ticket = result.ticket;
    this.#work = work;
    return undefined;
  }

  async settle(outcome: Outcome): Promise<Record<string, string>> {
    const result = await this.#settleOnce({ ticket: this.#ticket!, request: this.#request!, outcome });
    if (result.kind === "refused") throw refusalProblem(result.refusal, this.headers);
    if (result.kind === "over") {
      const seconds = this.#options.lifeMs / 1000;
      throw new Problem("took_too_long", `the request took longer than ${seconds} s; nothing was charged`);
    }
    return { "charged-micro-usd": String(result.charged), "credit-micro-usd": String(result.credit) };
  }

  /** A ledger that died in the middle may have settled or not; the next one knows. */
  async #settleOnce(request: SettleRequest): Promise<SettleResult> {
    try {
      return await this.#ledger.settle(request);
    } catch (error) {
      console.error("the ledger did not answer; asking again", error);
      return await ledgerOf(this.#options.env, this.#options.key.account).settle(request);
    }
  }

  async finish(): Promise<void> {}

  async release(): Promise<void> {
    await this.#ledger.release(this.#ticket!.id);
  }

  async reverse(): Promise<void> {
    // Who sent an Idempotency-Key has the answer there.
    if (this.keepsAnswer || !this.#work) return;
    const { model, characters } = this.#work;
    const { key, country } = this.#options;
    await this.#ledger.reverse(this.#ticket!.id, key.keyId, { model, country, characters });
  }

  async extend(): Promise<void> {
    await this.#ledger.extend(this.#ticket!.id, this.#options.lifeMs);
  }
}

export function keyHeaders(rate: RateState | undefined): Record<string, string> {
  return rate ? rateLimitHeaders({ name: "key", windowSeconds: 60, ...rate }) : {};
}

export function refusalProblem(refusal: Refusal, rateHeaders: Record<string, string>): Problem {
  const { problem, detail, retryAfterSeconds, extensions = {} } = refusal;
  const headers = { ...rateHeaders };
  if (problem === "unauthorized") headers["www-authenticate"] = "Bearer";
  if (retryAfterSeconds !== undefined) headers["retry-after"] = String(retryAfterSeconds);
  return new Problem(problem, detail, { headers, extensions });
}

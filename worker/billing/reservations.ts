/**
 * Credit that is set aside for requests in work. It is held in the ledger's memory alone, because a reservation matters
 * only while somebody may still settle it: one that is not settled is released in the end, whoever died. So a request
 * costs one commit, its settlement, and one that failed costs none.
 *
 * The ledger's object may be restarted while the Worker goes on, and then it knows nothing of what was reserved. A
 * settlement therefore brings its request along: it is reserved anew and settled at once, if the credit still suffices
 * and nobody else has answered for its Idempotency-Key meanwhile. Each reservation is settled once, by its id.
 */
import { type Answers, packAnswer } from "./answers.ts";
import type { Books } from "./books.ts";
import type { Answer, Outcome } from "./charge.ts";
import type { KeyRing } from "./key-ring.ts";
import type { KeyReference, Scope } from "./keys.ts";
import { formatMoney } from "./money.ts";
import { today, type Usage } from "./usage.ts";

export interface ReserveRequest {
  key: KeyReference;
  scope: Scope;
  /** Micro-units for the whole work. */
  amount: number;
  model: string;
  country: string;
  /** The caller's Idempotency-Key, and a digest of what it asks for. */
  repeat?: { key: string; fingerprint: string };
  /** After this, the Worker counts as dead. */
  lifeMs: number;
}

export interface Refusal {
  problem:
    | "unauthorized"
    | "key_forbidden"
    | "rate_limited"
    | "insufficient_credit"
    | "spending_limit"
    | "request_in_progress"
    | "idempotency_mismatch";
  detail: string;
  retryAfterSeconds?: number;
  extensions?: Record<string, number>;
}

export interface Ticket {
  id: string;
  /** Of the ledger's object, from one restart to the next. */
  life: string;
}

export type Reserved =
  | { kind: "reserved"; ticket: Ticket }
  | { kind: "answered"; answer: Answer }
  | { kind: "refused"; refusal: Refusal };

export interface SettleRequest {
  ticket: Ticket;
  /** As it was reserved. */
  request: ReserveRequest;
  /** Of what the caller got, what it paid for before included. */
  outcome: Outcome;
}

export type Settled =
  | { kind: "charged"; charged: number }
  /** The reservation had run out. */
  | { kind: "over" }
  /** The ledger was restarted, and what was reserved is spent. */
  | { kind: "refused"; refusal: Refusal };

interface Reservation {
  keyId: string;
  /** Micro-units set aside. */
  amount: number;
  /** Micro-units that were paid for the same request before, which the caller left. */
  paid: number;
  repeat: ReserveRequest["repeat"];
  expiresMs: number;
}

/** Seconds after which a request that found its twin in work may look again. */
const RETRY_SECONDS = 1;

export class Reservations {
  readonly #books: Books;
  readonly #keys: KeyRing;
  readonly #usage: Usage;
  readonly #answers: Answers;
  readonly #open = new Map<string, Reservation>();
  readonly #life = crypto.randomUUID();

  constructor(books: Books, keys: KeyRing, usage: Usage, answers: Answers) {
    this.#books = books;
    this.#keys = keys;
    this.#usage = usage;
    this.#answers = answers;
  }

  reserve(request: ReserveRequest, id = newId(request)): Reserved {
    this.#expire();
    const { key, amount: price, repeat, lifeMs } = request;
    const twin = repeat && this.#open.values().find((open) => open.repeat?.key === repeat.key);
    const before = repeat && this.#answers.find(repeat.key);
    const fingerprint = twin?.repeat?.fingerprint ?? before?.fingerprint;
    if (repeat && fingerprint !== undefined && fingerprint !== repeat.fingerprint) {
      const detail = "Idempotency-Key: it was sent with another request before; expected a new key for a new request";
      return { kind: "refused", refusal: { problem: "idempotency_mismatch", detail } };
    }
    if (before?.answer) return { kind: "answered", answer: before.answer };
    if (twin) return refuseInProgress("the first request with it is still in work");
    const paid = before?.paid ?? 0;
    const amount = Math.max(0, price - paid);
    const credit = this.#books.balances().credit - this.held();
    if (credit < amount) {
      const detail = `the request costs ${formatMoney(amount)}, the account has ${formatMoney(credit)}; top it up`;
      return refuseFor("insufficient_credit", detail, { price: amount, credit });
    }
    const left = this.#keys.left(key.keyId) - this.held(key.keyId);
    if (left < amount) {
      const detail = `the request costs ${formatMoney(amount)}, the key may spend ${formatMoney(left)} more this month`;
      return refuseFor("spending_limit", detail, { price: amount, left });
    }
    this.#open.set(id, { keyId: key.keyId, amount, paid, repeat, expiresMs: Date.now() + lifeMs });
    return { kind: "reserved", ticket: { id, life: this.#life } };
  }

  /** Within a transaction of the caller's. */
  settle({ ticket, request, outcome }: SettleRequest): Settled {
    const { id } = ticket;
    this.#expire();
    if (!this.#open.has(id)) {
      const before = this.#books.amountOf("settle", id);
      // The settlement was heard, its answer was not.
      if (before !== undefined) return { kind: "charged", charged: before };
      if (ticket.life === this.#life) return { kind: "over" };
      const anew = this.reserve(request, id);
      if (anew.kind === "answered") return refuseInProgress("the same request was answered meanwhile");
      if (anew.kind === "refused") return anew;
    }
    const { keyId, amount, paid, repeat } = this.#open.get(id)!;
    const { due, characters, answer } = outcome;
    const charged = Math.min(amount, Math.max(0, due - paid));
    if (charged > 0) {
      this.#books.post({ kind: "settle", debit: "credit", credit: "revenue", amount: charged, reference: id });
      this.#keys.spend(keyId, charged);
    }
    const { model, country } = request;
    this.#usage.add({ day: today(), model, country }, 1, characters, charged);
    if (repeat) this.#answers.store(repeat.key, repeat.fingerprint, charged, packAnswer(answer));
    this.#open.delete(id);
    return { kind: "charged", charged };
  }

  release(id: string): void {
    this.#open.delete(id);
  }

  extend(id: string, lifeMs: number): void {
    const reservation = this.#open.get(id);
    if (reservation) reservation.expiresMs = Date.now() + lifeMs;
  }

  /** @param keyId of a key, or of all. @returns micro-units set aside */
  held(keyId?: string): number {
    this.#expire();
    let sum = 0;
    for (const { keyId: of, amount } of this.#open.values()) if (keyId === undefined || of === keyId) sum += amount;
    return sum;
  }

  #expire(): void {
    const nowMs = Date.now();
    for (const [id, { expiresMs }] of this.#open) if (expiresMs <= nowMs) this.#open.delete(id);
  }
}

/** The customer finds its own key in the transfers. */
function newId({ repeat }: ReserveRequest): string {
  const id = crypto.randomUUID();
  return repeat ? `${repeat.key}/${id.slice(0, 8)}` : id;
}

function refuseInProgress(why: string): { kind: "refused"; refusal: Refusal } {
  const detail = `Idempotency-Key: ${why}; retry to get its answer`;
  return { kind: "refused", refusal: { problem: "request_in_progress", detail, retryAfterSeconds: RETRY_SECONDS } };
}

function refuseFor(
  problem: "insufficient_credit" | "spending_limit",
  detail: string,
  extensions: Record<string, number>,
): Reserved {
  return { kind: "refused", refusal: { problem, detail, extensions } };
}

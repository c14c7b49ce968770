/**
 * Payments for single requests (x402) of one payer, in SQLite. A payment is known by its nonce, which is good for one
 * request only, and by the payer's own identifier of it, if it gives one.
 *
 * `working` → `held` (the answer is here, the money is asked for) → `settled`. A payment is held before it is settled
 * outside, because that may succeed without our hearing of it: the payer repeats its request and gets the answer. What
 * is due is the amount, or less if the payer left a metered stream: such a payment is used up, and has no answer.
 */
import { ANSWER_LIFE_MS, packAnswer } from "./answers.ts";
import type { Books } from "./books.ts";
import type { Answer, Outcome } from "./charge.ts";
import { today, type Usage } from "./usage.ts";

export interface PaymentRequest {
  nonce: string;
  /** The payer's `payment-identifier`. */
  identifier: string | undefined;
  /** Digest of the signed payment: who has it has the payment. */
  paymentHash: string;
  /** Digest of what is asked for. */
  fingerprint: string;
  /** Micro-units for the whole work. */
  amount: number;
  model: string;
  country: string;
  characters: number;
  /** After this, the Worker counts as dead. */
  lifeMs: number;
}

export type BegunPayment = {
  made?: boolean;
} /** To be worked for; with a receipt, it is paid already, and its stream broke off. */ & (
  | { kind: "begun"; receipt?: string }
  /** It was paid. */
  | { kind: "answered"; answer: Answer }
  /** It may have been paid. */
  | { kind: "held"; nonce: string; due: number; answer: Answer | undefined }
  | { kind: "in_progress" }
  /** The nonce was used otherwise, or the identifier. */
  | { kind: "used" }
  | { kind: "mismatch" }
);

interface Row extends Record<string, SqlStorageValue> {
  nonce: string;
  identifier: string | null;
  payment_hash: string;
  fingerprint: string;
  state: "working" | "held" | "settled";
  amount: number;
  due: number;
  model: string;
  country: string;
  characters: number;
  answer: string | null;
  receipt: string | null;
  open_until_ms: number;
  ends_ms: number;
}

const SCHEMA = `
  CREATE TABLE payments (
    nonce TEXT PRIMARY KEY,
    identifier TEXT,
    payment_hash TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    amount INTEGER NOT NULL,
    due INTEGER NOT NULL,
    model TEXT NOT NULL,
    country TEXT NOT NULL,
    characters INTEGER NOT NULL,
    answer TEXT,
    receipt TEXT,
    open_until_ms INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX payments_by_identifier ON payments (identifier) WHERE identifier IS NOT NULL;
  CREATE INDEX payments_by_end ON payments (ends_ms);
`;

export class Payments {
  readonly #sql: SqlStorage;
  readonly #books: Books;
  readonly #usage: Usage;

  constructor(sql: SqlStorage, books: Books, usage: Usage) {
    this.#sql = sql;
    this.#books = books;
    this.#usage = usage;
  }

  create(): void {
    this.#sql.exec(SCHEMA);
  }

  find({ nonce, identifier, paymentHash, fingerprint }: PaymentRequest): BegunPayment | undefined {
    const same = this.#row(nonce);
    // A nonce is good for one signed payment, and that one for one request.
    if (same && (same.payment_hash !== paymentHash || same.fingerprint !== fingerprint)) return { kind: "used" };
    if (same) return stateOf(same);
    if (identifier === undefined) return undefined;
    // One that was settled in part is over: its identifier is free again.
    const query = "SELECT * FROM payments WHERE identifier = ? AND NOT (state = 'settled' AND due < amount)";
    const [twin] = this.#sql.exec<Row>(query, identifier).toArray();
    if (!twin) return undefined;
    if (twin.fingerprint !== fingerprint) return { kind: "mismatch" };
    const state = stateOf(twin);
    // Its stream broke off. Only the payment that paid for it gets it again.
    return state?.kind === "begun" ? { kind: "used" } : state;
  }

  begin(request: PaymentRequest): BegunPayment {
    const { nonce, identifier, paymentHash, fingerprint, amount, model, country, characters, lifeMs } = request;
    const openUntilMs = Date.now() + lifeMs;
    const known = this.find(request);
    if (known?.kind === "begun") {
      this.#sql.exec("UPDATE payments SET open_until_ms = ? WHERE nonce = ?", openUntilMs, nonce);
    }
    if (known) return known;
    this.expire();
    this.#sql.exec(
      "INSERT INTO payments VALUES (?, ?, ?, ?, 'working', ?, ?, ?, ?, ?, NULL, NULL, ?, ?)",
      nonce,
      identifier ?? null,
      paymentHash,
      fingerprint,
      amount,
      amount,
      model,
      country,
      characters,
      openUntilMs,
      openUntilMs,
    );
    return { kind: "begun" };
  }

  /** The payer of a long stream is still there. */
  extend(nonce: string, openUntilMs: number): void {
    const query = "UPDATE payments SET open_until_ms = ?, ends_ms = ? WHERE nonce = ? AND state = 'working'";
    this.#sql.exec(query, openUntilMs, openUntilMs, nonce);
  }

  /** @param outcome its answer, if that is whole by now. @returns false if the payment is over */
  hold(nonce: string, { due, characters, answer }: Outcome): boolean {
    const query = `
      UPDATE payments SET state = 'held', due = MIN(amount, ?), characters = ?, answer = ?
      WHERE nonce = ? AND state = 'working'`;
    return this.#sql.exec(query, due, characters, packAnswer(answer) ?? null, nonce).rowsWritten > 0;
  }

  /** Nobody knows whether it was settled: whoever repeats the request may try. */
  suspend(nonce: string): void {
    this.#sql.exec("UPDATE payments SET open_until_ms = 0 WHERE nonce = ?", nonce);
  }

  /** Counts the money. @param receipt what the payer is told of it */
  settle(nonce: string, receipt: string): void {
    const row = this.#row(nonce);
    if (row?.state !== "held") return;
    const { due: amount, model, country, characters } = row;
    if (amount > 0) {
      this.#books.post({ kind: "top_up", debit: "outside:x402", credit: "credit", amount, reference: nonce });
      this.#books.post({ kind: "sale", debit: "credit", credit: "revenue", amount, reference: nonce });
    }
    this.#usage.add({ day: today(), model, country }, 1, characters, amount);
    const query = "UPDATE payments SET state = 'settled', receipt = ?, ends_ms = ? WHERE nonce = ?";
    this.#sql.exec(query, receipt, Date.now() + ANSWER_LIFE_MS, nonce);
  }

  /** The whole answer of a stream, which was settled at its first token. */
  store(nonce: string, answer: Answer): void {
    const query = "UPDATE payments SET answer = ?, open_until_ms = 0 WHERE nonce = ?";
    this.#sql.exec(query, packAnswer(answer) ?? null, nonce);
  }

  /** The work failed, and its money was not asked for. */
  release(nonce: string): void {
    this.#sql.exec("DELETE FROM payments WHERE nonce = ? AND state = 'working'", nonce);
    this.suspend(nonce);
  }

  /** It cannot be settled. */
  drop(nonce: string): void {
    this.#sql.exec("DELETE FROM payments WHERE nonce = ? AND state <> 'settled'", nonce);
  }

  /**
   * Forgets what is over. Work that nobody finished was not paid, and its nonce is free again; what is held stays,
   * because it may be paid for.
   * @returns when the next one is over, or Infinity
   */
  expire(): number {
    this.#sql.exec("DELETE FROM payments WHERE ends_ms <= ? AND state <> 'held'", Date.now());
    const query = "SELECT MIN(ends_ms) AS next FROM payments WHERE state <> 'held'";
    return this.#sql.exec<{ next: number | null }>(query).one().next ?? Infinity;
  }

  /** Held for longer than a request lives. */
  unresolved(): number {
    const query = "SELECT COUNT(*) AS count FROM payments WHERE state = 'held' AND open_until_ms <= ?";
    return this.#sql.exec<{ count: number }>(query, Date.now()).one().count;
  }

  #row(nonce: string): Row | undefined {
    return this.#sql.exec<Row>("SELECT * FROM payments WHERE nonce = ?", nonce).toArray()[0];
  }
}

/** @returns undefined if it is as if it had never been */
function stateOf({ state, nonce, amount, due, answer: text, receipt, open_until_ms }: Row): BegunPayment | undefined {
  const answer = text === null ? undefined : (JSON.parse(text) as Answer);
  if (state === "settled" && answer) {
    return { kind: "answered", answer: { ...answer, headers: { ...answer.headers, "payment-response": receipt! } } };
  }
  if (state === "settled" && due < amount) return { kind: "used" };
  if (open_until_ms > Date.now()) return { kind: "in_progress" };
  if (state === "settled") return { kind: "begun", receipt: receipt! };
  return state === "held" ? { kind: "held", nonce, due, answer } : undefined;
}

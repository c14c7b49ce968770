/**
 * The ledger of one account: a Durable Object, so one place in the world where its requests come one after the other,
 * with SQLite. It reserves before the work, settles what was used, releases on failure; each call is one transaction.
 *
 * What happens if the Worker dies, by the moment:
 * - before `reserve` is written: nothing happened.
 * - after it: the reservation runs out, and the alarm releases it. A caller that left is settled by the Worker, which
 *   lives on to do so; that nobody settled proves that the Worker died, so the call failed, whatever of it was sent, and
 *   a failed call is not charged. A long stream says from time to time that it is alive.
 * - after `settle`, before the caller has the answer: the charge stands, and the answer is kept with it under the
 *   Idempotency-Key: the repeated request gets it for nothing. Without a key the Worker reverses the charge if it sees
 *   that the caller left; the loss on the last metres of the line is the caller's, who can avoid it by a key.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../env.ts";
import { Answers } from "./answers.ts";
import { type Balances, type Book, Books, type Transfer } from "./books.ts";
import type { Answer, Outcome } from "./charge.ts";
import { type KeyInfo, KeyRing, type NewKey, type RateState, thisMonth } from "./key-ring.ts";
import type { KeyReference, Scope } from "./keys.ts";
import { formatMoney } from "./money.ts";
import { type BegunPayment, type PaymentRequest, Payments } from "./payments.ts";
import { type Refusal, Reservations } from "./reservations.ts";
import { today, Usage, type UsageRow } from "./usage.ts";

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

export type ReserveResult = { rate?: RateState } & (
  | { kind: "reserved"; id: string }
  | { kind: "answered"; answer: Answer }
  | { kind: "refused"; refusal: Refusal }
);

export interface SettleRequest {
  id: string;
  /** Micro-units for what the caller got, what it paid before included. */
  due: number;
  /** For how many characters that is. */
  characters: number;
  /** To be kept; without it, the caller left in the middle. */
  answer?: Answer;
}

export interface SettleResult {
  /** undefined: the reservation had run out, and nothing is charged. */
  charged: number | undefined;
  credit: number;
}

export interface Overview extends Balances {
  account: string;
  createdMs: number;
  keys: KeyInfo[];
  /** Payments (x402) whose settlement outside was never heard of. */
  unresolvedPayments: number;
}

const UNKNOWN: Refusal = { problem: "unauthorized", detail: "there is no such key" };

export class Ledger extends DurableObject<Env> {
  readonly #books: Books;
  readonly #keys: KeyRing;
  readonly #usage: Usage;
  readonly #answers: Answers;
  readonly #reservations: Reservations;
  readonly #payments: Payments;
  #exists: boolean;
  /** When the alarm is set for; undefined until it is known. */
  #alarmMs: number | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const { sql } = ctx.storage;
    this.#books = new Books(sql);
    this.#keys = new KeyRing(sql);
    this.#usage = new Usage(sql);
    this.#answers = new Answers(sql);
    this.#reservations = new Reservations(sql, this.#books, this.#keys, this.#usage, this.#answers);
    this.#payments = new Payments(sql, this.#books, this.#usage);
    // A key that somebody made up names an account that is not: its object has no tables, and stores nothing.
    this.#exists = sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'account'").toArray().length > 0;
  }

  /** @returns false if it is there already */
  create(account: string): boolean {
    if (this.#exists) return false;
    this.#transaction(() => {
      this.ctx.storage.sql.exec("CREATE TABLE account (id TEXT NOT NULL, created_ms INTEGER NOT NULL) STRICT");
      this.ctx.storage.sql.exec("INSERT INTO account VALUES (?, ?)", account, Date.now());
      for (const part of [this.#books, this.#keys, this.#usage, this.#answers, this.#reservations, this.#payments]) {
        part.create();
      }
    });
    this.#exists = true;
    return true;
  }

  async reserve(request: ReserveRequest): Promise<ReserveResult> {
    if (!this.#exists) return { kind: "refused", refusal: UNKNOWN };
    const result = this.#transaction((): ReserveResult => {
      const { rate, refusal } = this.#keys.authorize(request.key, request.scope);
      const known = rate ? { rate } : {};
      if (refusal) return { ...known, kind: "refused", refusal };
      return { ...known, ...this.#reservations.reserve(request) };
    });
    if (result.kind === "reserved") await this.#wakeAt(Date.now() + request.lifeMs);
    return result;
  }

  settle(request: SettleRequest): SettleResult {
    const charged = this.#transaction(() => this.#reservations.settle(request));
    return { charged, credit: this.#books.balances().credit };
  }

  release(id: string): void {
    this.#transaction(() => this.#reservations.release(id));
  }

  /** Gives back what was settled, because nobody got the answer. */
  reverse(id: string, keyId: string, place: { model: string; country: string; characters: number }): void {
    this.#transaction(() => {
      const amount = this.#books.amountOf("settle", id);
      if (amount === undefined || this.#books.amountOf("reverse", id) !== undefined) return;
      this.#books.post({ kind: "reverse", debit: "revenue", credit: "credit", amount, reference: id });
      this.#usage.add({ ...place, day: today() }, -1, -place.characters, -amount);
      this.#keys.giveBack(keyId, thisMonth(), amount);
    });
  }

  /** A stream is alive. */
  async extend(id: string, lifeMs: number): Promise<void> {
    this.#transaction(() => this.#reservations.extend(id, Date.now() + lifeMs));
    await this.#wakeAt(Date.now() + lifeMs);
  }

  /** Money from outside. @returns false if this event was counted before */
  topUp(source: string, reference: string, amount: number): boolean {
    return this.#transaction(() => {
      if (this.#books.amountOf("top_up", reference) !== undefined) return false;
      this.#books.post({ kind: "top_up", debit: `outside:${source}`, credit: "credit", amount, reference });
      return true;
    });
  }

  /**
   * Money back to outside, as far as it was not spent.
   * @param reference of the payment that is refunded, or of the refund
   * @param sum micro-units that went back under this reference so far, this time included
   * @returns undefined if that was counted before; `missing`: what was spent already
   */
  refund(source: string, reference: string, sum: number): { taken: number; missing: number } | undefined {
    return this.#transaction(() => {
      const told = this.#books.refunded(reference);
      if (sum <= told) return undefined;
      this.#books.noteRefund(reference, sum);
      const taken = Math.min(sum - told, this.#books.balances().credit);
      if (taken > 0) {
        const credit: Book = `outside:${source}`;
        const own = told === 0 ? reference : `${reference}/${sum}`;
        this.#books.post({ kind: "refund", debit: "credit", credit, amount: taken, reference: own });
      }
      return { taken, missing: sum - told - taken };
    });
  }

  /** Of a payer without an account, whose verified payment makes one. @param payer named `x402-<address>` */
  async beginPayment(payer: string, request: PaymentRequest): Promise<BegunPayment> {
    const made = this.create(payer);
    const result = this.#transaction(() => this.#payments.begin(request));
    if (result.kind === "begun") await this.#wakeAt(Date.now() + request.lifeMs);
    return { ...result, made };
  }

  /** What is known of a payment, without beginning one. */
  findPayment(request: PaymentRequest): BegunPayment | undefined {
    return this.#exists ? this.#payments.find(request) : undefined;
  }

  /** The payment is about to be settled outside. @returns false if it is over, because the work took too long */
  holdPayment(nonce: string, outcome: Outcome): boolean {
    return this.#payments.hold(nonce, outcome);
  }

  /** A stream is alive. */
  async extendPayment(nonce: string, lifeMs: number): Promise<void> {
    this.#payments.extend(nonce, Date.now() + lifeMs);
    await this.#wakeAt(Date.now() + lifeMs);
  }

  suspendPayment(nonce: string): void {
    this.#payments.suspend(nonce);
  }

  settlePayment(nonce: string, receipt: string): void {
    this.#transaction(() => this.#payments.settle(nonce, receipt));
  }

  storeAnswer(nonce: string, answer: Answer): void {
    this.#payments.store(nonce, answer);
  }

  releasePayment(nonce: string): void {
    this.#transaction(() => this.#payments.release(nonce));
  }

  dropPayment(nonce: string): void {
    this.#payments.drop(nonce);
  }

  /** For requests of the account about itself. */
  authorize(key: KeyReference, scope: Scope): { rate?: RateState; refusal?: Refusal } {
    return this.#exists ? this.#keys.authorize(key, scope) : { refusal: UNKNOWN };
  }

  /** @returns undefined if there is no such account */
  overview(): Overview | undefined {
    if (!this.#exists) return undefined;
    const query = "SELECT id, created_ms FROM account";
    const { id, created_ms } = this.ctx.storage.sql.exec<{ id: string; created_ms: number }>(query).one();
    return {
      account: id,
      createdMs: created_ms,
      ...this.#books.balances(),
      keys: this.#keys.list(),
      unresolvedPayments: this.#payments.unresolved(),
    };
  }

  usage(from: string, to: string): UsageRow[] {
    return this.#exists ? this.#usage.rows(from, to) : [];
  }

  transfers(after: number, limit: number): Transfer[] {
    return this.#exists ? this.#books.transfers(after, limit) : [];
  }

  addKey(reference: KeyReference, key: NewKey): void {
    this.#keys.add(reference, key);
  }

  rotateKey(oldId: string, fresh: KeyReference, graceMs: number): boolean {
    return this.#transaction(() => this.#keys.rotate(oldId, fresh, graceMs));
  }

  revokeKey(keyId: string): boolean {
    return this.#keys.revoke(keyId);
  }

  /** Counts everything anew. @returns what does not agree */
  reconcile(): string[] {
    if (!this.#exists) return [];
    const faults = [...this.#books.reconcile(), ...this.#reservations.reconcile()];
    const { revenue } = this.#books.balances();
    const used = this.#usage.total();
    if (used !== revenue) faults.push(`usage: its days give ${formatMoney(used)}, revenue is ${formatMoney(revenue)}`);
    return faults;
  }

  override async alarm(): Promise<void> {
    this.#alarmMs = undefined;
    if (!this.#exists) return;
    const nextMs = this.#transaction(() =>
      Math.min(this.#reservations.expire(), this.#answers.purge(), this.#payments.expire()),
    );
    if (nextMs < Infinity) await this.#wakeAt(nextMs);
  }

  #transaction<T>(work: () => T): T {
    return this.ctx.storage.transactionSync(work);
  }

  async #wakeAt(ms: number): Promise<void> {
    this.#alarmMs ??= (await this.ctx.storage.getAlarm()) ?? Infinity;
    if (this.#alarmMs <= ms) return;
    this.#alarmMs = ms;
    await this.ctx.storage.setAlarm(ms);
  }
}

/**
 * The ledger of one account: a Durable Object, so one place in the world where its requests come one after the other,
 * with SQLite. It reserves before the work, settles what was used, releases on failure. Settling is the one commit that a
 * request waits for, and it is on disk before the answer leaves.
 *
 * What happens if the Worker dies, by the moment:
 * - before `settle`: nothing happened. What it reserved runs out; that nobody settled proves that the Worker died, for it
 *   lives on to settle for a caller that left. So the call failed, whatever of it was sent, and a failed call is not
 *   charged. A long stream says from time to time that it is alive.
 * - after `settle`, before the caller has the answer: the charge stands, and the answer is kept with it under the
 *   Idempotency-Key: the repeated request gets it for nothing. Without a key the Worker reverses the charge if it sees
 *   that the caller left; the loss on the last metres of the line is the caller's, who can avoid it by a key.
 *
 * What happens if the ledger dies, the Worker not: reservations.ts.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../env.ts";
import { ANSWER_LIFE_MS, Answers } from "./answers.ts";
import { type Balances, type Book, Books, type Transfer } from "./books.ts";
import type { Answer, Outcome } from "./charge.ts";
import { type KeyInfo, KeyRing, type NewKey, type RateState } from "./key-ring.ts";
import type { KeyReference, Scope } from "./keys.ts";
import { formatMoney } from "./money.ts";
import { type BegunPayment, type PaymentRequest, Payments } from "./payments.ts";
import {
  type Refusal,
  Reservations,
  type Reserved,
  type ReserveRequest,
  type Settled,
  type SettleRequest,
} from "./reservations.ts";
import { today, Usage, type UsageRow } from "./usage.ts";

export type ReserveResult = { rate?: RateState } & Reserved;

export type SettleResult = Settled & {
  /** Micro-units that the account may spend. */
  credit: number;
};

/** Of the credit, what is set aside is not in it. */
export interface Overview extends Balances {
  reserved: number;
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
    this.#reservations = new Reservations(this.#books, this.#keys, this.#usage, this.#answers);
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
      for (const part of [this.#books, this.#keys, this.#usage, this.#answers, this.#payments]) part.create();
    });
    this.#exists = true;
    return true;
  }

  reserve(request: ReserveRequest): ReserveResult {
    if (!this.#exists) return { kind: "refused", refusal: UNKNOWN };
    const { rate, refusal } = this.#keys.authorize(request.key, request.scope);
    const known = rate ? { rate } : {};
    return { ...known, ...(refusal ? { kind: "refused", refusal } : this.#reservations.reserve(request)) };
  }

  /** May be called again with the same ticket, and charges once. */
  async settle(request: SettleRequest): Promise<SettleResult> {
    const settled = this.#transaction(() => this.#reservations.settle(request));
    if (request.request.repeat) await this.#wakeAt(Date.now() + ANSWER_LIFE_MS);
    return { ...settled, credit: this.#credit };
  }

  release(id: string): void {
    this.#reservations.release(id);
  }

  /** Gives back what was settled, because nobody got the answer. */
  reverse(id: string, keyId: string, place: { model: string; country: string; characters: number }): void {
    this.#transaction(() => {
      const amount = this.#books.amountOf("settle", id);
      if (amount === undefined || this.#books.amountOf("reverse", id) !== undefined) return;
      this.#books.post({ kind: "reverse", debit: "revenue", credit: "credit", amount, reference: id });
      this.#usage.add({ ...place, day: today() }, -1, -place.characters, -amount);
      this.#keys.giveBack(keyId, amount);
    });
  }

  /** A stream is alive. */
  extend(id: string, lifeMs: number): void {
    this.#reservations.extend(id, lifeMs);
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
   * Money back to outside, as far as it was neither spent nor set aside.
   * @param reference of the payment that is refunded, or of the refund
   * @param sum micro-units that went back under this reference so far, this time included
   * @returns undefined if that was counted before; `missing`: what was spent already
   */
  refund(source: string, reference: string, sum: number): { taken: number; missing: number } | undefined {
    return this.#transaction(() => {
      const told = this.#books.refunded(reference);
      if (sum <= told) return undefined;
      this.#books.noteRefund(reference, sum);
      const taken = Math.min(sum - told, this.#credit);
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
      credit: this.#credit,
      reserved: this.#reservations.held(),
      revenue: this.#books.balances().revenue,
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
    const faults = this.#books.reconcile();
    const { credit, revenue } = this.#books.balances();
    const reserved = this.#reservations.held();
    if (reserved > credit) faults.push(`reservations: they hold ${formatMoney(reserved)} of ${formatMoney(credit)}`);
    const used = this.#usage.total();
    if (used !== revenue) faults.push(`usage: its days give ${formatMoney(used)}, revenue is ${formatMoney(revenue)}`);
    return faults;
  }

  override async alarm(): Promise<void> {
    this.#alarmMs = undefined;
    if (!this.#exists) return;
    const nextMs = this.#transaction(() => Math.min(this.#answers.purge(), this.#payments.expire()));
    if (nextMs < Infinity) await this.#wakeAt(nextMs);
  }

  /** Micro-units that may be spent. */
  get #credit(): number {
    return this.#books.balances().credit - this.#reservations.held();
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

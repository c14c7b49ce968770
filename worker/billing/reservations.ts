/** Credit that is set aside for requests in work, in SQLite. Each ends once: settled, released, or run out. */
import { type Answers, packAnswer } from "./answers.ts";
import type { Books } from "./books.ts";
import type { Answer } from "./charge.ts";
import type { KeyRing } from "./key-ring.ts";
import type { ReserveRequest, SettleRequest } from "./ledger.ts";
import { formatMoney } from "./money.ts";
import { today, type Usage } from "./usage.ts";

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

export interface Reservation extends Record<string, SqlStorageValue> {
  id: string;
  key_id: string;
  /** Month of the key's limit that it counts in. */
  month: string;
  /** Micro-units set aside. */
  amount: number;
  /** Micro-units that were paid for the same request before, which the caller left. */
  paid: number;
  model: string;
  country: string;
  repeat_key: string | null;
  expires_ms: number;
}

const SCHEMA = `
  CREATE TABLE reservations (
    id TEXT PRIMARY KEY,
    key_id TEXT NOT NULL,
    month TEXT NOT NULL,
    amount INTEGER NOT NULL,
    paid INTEGER NOT NULL,
    model TEXT NOT NULL,
    country TEXT NOT NULL,
    repeat_key TEXT,
    expires_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

type Reserved =
  | { kind: "reserved"; id: string }
  | { kind: "answered"; answer: Answer }
  | { kind: "refused"; refusal: Refusal };

/** Seconds after which a request that found its twin in work may look again. */
const RETRY_SECONDS = 1;

export class Reservations {
  readonly #sql: SqlStorage;
  readonly #books: Books;
  readonly #keys: KeyRing;
  readonly #usage: Usage;
  readonly #answers: Answers;

  constructor(sql: SqlStorage, books: Books, keys: KeyRing, usage: Usage, answers: Answers) {
    this.#sql = sql;
    this.#books = books;
    this.#keys = keys;
    this.#usage = usage;
    this.#answers = answers;
  }

  create(): void {
    this.#sql.exec(SCHEMA);
  }

  reserve({ key, amount: price, model, country, repeat, lifeMs }: ReserveRequest): Reserved {
    // What ran out and still holds this key must go before the key is held anew; the alarm may be late.
    if (repeat) this.expire();
    const before = repeat && this.#answers.find(repeat.key);
    if (before && before.fingerprint !== repeat.fingerprint) {
      const detail = "Idempotency-Key: it was sent with another request before; expected a new key for a new request";
      return { kind: "refused", refusal: { problem: "idempotency_mismatch", detail } };
    }
    if (before?.answer) return { kind: "answered", answer: before.answer };
    if (before && before.openUntilMs > Date.now()) {
      const detail = "Idempotency-Key: the first request with it is still in work; retry to get its answer";
      const refusal: Refusal = { problem: "request_in_progress", detail, retryAfterSeconds: RETRY_SECONDS };
      return { kind: "refused", refusal };
    }
    const paid = before?.paid ?? 0;
    const amount = Math.max(0, price - paid);
    const { credit } = this.#books.balances();
    if (credit < amount) {
      const detail = `the request costs ${formatMoney(amount)}, the account has ${formatMoney(credit)}; top it up`;
      return refuseFor("insufficient_credit", detail, { price: amount, credit });
    }
    const left = this.#keys.left(key.keyId);
    if (left < amount) {
      const detail = `the request costs ${formatMoney(amount)}, the key may spend ${formatMoney(left)} more this month`;
      return refuseFor("spending_limit", detail, { price: amount, left });
    }
    // The customer finds its own key in the transfers.
    const id = repeat ? `${repeat.key}/${crypto.randomUUID().slice(0, 8)}` : crypto.randomUUID();
    if (amount > 0) this.#books.post({ kind: "reserve", debit: "credit", credit: "reserved", amount, reference: id });
    const month = this.#keys.spend(key.keyId, amount);
    const expiresMs = Date.now() + lifeMs;
    if (repeat) this.#answers.open(repeat.key, repeat.fingerprint, expiresMs);
    this.#sql.exec(
      "INSERT INTO reservations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      id,
      key.keyId,
      month,
      amount,
      paid,
      model,
      country,
      repeat?.key ?? null,
      expiresMs,
    );
    return { kind: "reserved", id };
  }

  /** @returns micro-units charged; undefined if the reservation is over */
  settle({ id, due, characters, answer }: SettleRequest): number | undefined {
    const reservation = this.#find(id);
    if (!reservation) return undefined;
    const charged = this.#end(reservation, due);
    const { model, country } = reservation;
    this.#usage.add({ day: today(), model, country }, 1, characters, charged);
    const { repeat_key: key } = reservation;
    if (key !== null) {
      const text = packAnswer(answer);
      if (text !== undefined) this.#answers.store(key, text);
      else this.#answers.close(key, charged);
    }
    return charged;
  }

  release(id: string): void {
    const reservation = this.#find(id);
    if (reservation) this.#drop(reservation);
  }

  extend(id: string, expiresMs: number): void {
    const reservation = this.#find(id);
    if (!reservation) return;
    this.#sql.exec("UPDATE reservations SET expires_ms = ? WHERE id = ?", expiresMs, id);
    if (reservation.repeat_key !== null) this.#answers.extend(reservation.repeat_key, expiresMs);
  }

  /** Releases what ran out. @returns when the next one will, or Infinity */
  expire(): number {
    const query = "SELECT * FROM reservations WHERE expires_ms <= ?";
    for (const reservation of this.#sql.exec<Reservation>(query, Date.now()).toArray()) {
      this.#drop(reservation);
    }
    const next = this.#sql.exec<{ next: number | null }>("SELECT MIN(expires_ms) AS next FROM reservations").one().next;
    return next ?? Infinity;
  }

  /** Every reservation is open, or was ended by transfers of its whole amount. @returns what does not agree */
  reconcile(): string[] {
    const query = `
      SELECT reference, SUM(CASE kind WHEN 'reserve' THEN amount ELSE -amount END) AS rest
      FROM transfers WHERE kind IN ('reserve', 'settle', 'release') GROUP BY reference`;
    const rests = new Map<string, number>();
    for (const { reference, rest } of this.#sql.exec<{ reference: string; rest: number }>(query)) {
      rests.set(reference, rest);
    }
    const open = this.#sql.exec<Reservation>("SELECT * FROM reservations").toArray();
    const faults: string[] = [];
    for (const { id, amount } of open) {
      const rest = rests.get(id) ?? 0;
      if (rest !== amount) faults.push(`reservation ${id}: it holds ${amount}, its transfers give ${rest}`);
      rests.delete(id);
    }
    for (const [id, rest] of rests) {
      if (rest !== 0) faults.push(`reservation ${id}: it is over, and ${rest} of it went nowhere`);
    }
    return faults;
  }

  #find(id: string): Reservation | undefined {
    return this.#sql.exec<Reservation>("SELECT * FROM reservations WHERE id = ?", id).toArray()[0];
  }

  #drop(reservation: Reservation): void {
    this.#end(reservation, reservation.paid);
    if (reservation.repeat_key !== null) this.#answers.close(reservation.repeat_key, 0);
  }

  /** @param due for all that the caller got of this request. @returns micro-units charged now */
  #end({ id, amount, paid, key_id, month }: Reservation, due: number): number {
    const charged = Math.min(amount, Math.max(0, due - paid));
    const rest = amount - charged;
    if (charged > 0) {
      this.#books.post({ kind: "settle", debit: "reserved", credit: "revenue", amount: charged, reference: id });
    }
    if (rest > 0) {
      this.#books.post({ kind: "release", debit: "reserved", credit: "credit", amount: rest, reference: id });
    }
    this.#keys.giveBack(key_id, month, rest);
    this.#sql.exec("DELETE FROM reservations WHERE id = ?", id);
    return charged;
  }
}

function refuseFor(
  problem: "insufficient_credit" | "spending_limit",
  detail: string,
  extensions: Record<string, number>,
): Reserved {
  return { kind: "refused", refusal: { problem, detail, extensions } };
}

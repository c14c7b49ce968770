/**
 * Double-entry bookkeeping of one account in SQLite. A transfer is one row that debits one book and credits another by
 * the same amount, so no row can be out of balance; rows are never changed nor deleted, which triggers enforce. The
 * books' balances are kept beside the rows, and the database itself refuses one below zero. After TigerBeetle's data
 * model (https://docs.tigerbeetle.com/coding/data-modeling/); the first phase of its two-phase transfers, credit that is
 * set aside, is not in the books but in memory (reservations.ts).
 *
 *   outside:<source> → credit → revenue        top-up, settle
 *                      credit ← revenue        reverse
 *   outside:<source> ← credit                  refund
 *   outside:x402     → credit → revenue        top-up and sale: a payment for one request
 */
import { checkAmount } from "./money.ts";

/** `credit` is the customer's, `revenue` the owner's; `outside:` may go below zero, the rest not. */
export type Book = "credit" | "revenue" | `outside:${string}`;

export type TransferKind = "top_up" | "refund" | "settle" | "reverse" | "sale";

export interface NewTransfer {
  kind: TransferKind;
  debit: Book;
  credit: Book;
  /** Micro-units, above 0. */
  amount: number;
  /** The request or the event outside that it belongs to; of each kind it has one transfer only. */
  reference: string;
}

export type Transfer = NewTransfer & { seq: number; ms: number };

export type Balances = { credit: number; revenue: number };

const SCHEMA = `
  CREATE TABLE books (
    name TEXT PRIMARY KEY,
    balance INTEGER NOT NULL,
    CHECK (balance >= 0 OR name LIKE 'outside:%'),
    CHECK (balance BETWEEN -9007199254740991 AND 9007199254740991)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE transfers (
    seq INTEGER PRIMARY KEY,
    ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    reference TEXT NOT NULL,
    CHECK (debit <> credit)
  ) STRICT;
  CREATE UNIQUE INDEX one_transfer_of_a_kind ON transfers (reference, kind);
  CREATE TABLE refunds (reference TEXT PRIMARY KEY, sum INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TRIGGER transfers_stay BEFORE UPDATE ON transfers BEGIN SELECT RAISE(ABORT, 'transfers are never changed'); END;
  CREATE TRIGGER transfers_remain BEFORE DELETE ON transfers BEGIN SELECT RAISE(ABORT, 'transfers are never deleted'); END;
  INSERT INTO books (name, balance) VALUES ('credit', 0), ('revenue', 0);
`;

export class Books {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  create(): void {
    this.#sql.exec(SCHEMA);
  }

  /** Within a transaction of the caller's. @throws Error if a book would go below zero */
  post({ kind, debit, credit, amount, reference }: NewTransfer): void {
    checkAmount(amount);
    this.#sql.exec(
      "INSERT INTO transfers (ms, kind, debit, credit, amount, reference) VALUES (?, ?, ?, ?, ?, ?)",
      Date.now(),
      kind,
      debit,
      credit,
      amount,
      reference,
    );
    this.#add(debit, -amount);
    this.#add(credit, amount);
  }

  #add(book: Book, amount: number): void {
    // An upsert would check the row that it proposes, with its negative amount, before it looks for the one to change.
    const { rowsWritten } = this.#sql.exec("UPDATE books SET balance = balance + ? WHERE name = ?", amount, book);
    if (rowsWritten === 0) this.#sql.exec("INSERT INTO books (name, balance) VALUES (?, ?)", book, amount);
  }

  /** @returns micro-units of the transfer, or undefined if there is none */
  amountOf(kind: TransferKind, reference: string): number | undefined {
    const query = "SELECT amount FROM transfers WHERE kind = ? AND reference = ?";
    return this.#sql.exec<{ amount: number }>(query, kind, reference).toArray()[0]?.amount;
  }

  /** @returns micro-units that were to go back under a reference so far */
  refunded(reference: string): number {
    const query = "SELECT sum FROM refunds WHERE reference = ?";
    return this.#sql.exec<{ sum: number }>(query, reference).toArray()[0]?.sum ?? 0;
  }

  noteRefund(reference: string, sum: number): void {
    const query = "INSERT INTO refunds VALUES (?, ?) ON CONFLICT DO UPDATE SET sum = excluded.sum";
    this.#sql.exec(query, reference, sum);
  }

  balances(): Balances {
    const rows = this.#sql.exec<{ name: string; balance: number }>("SELECT name, balance FROM books").toArray();
    const { credit = 0, revenue = 0 } = Object.fromEntries(rows.map((row) => [row.name, row.balance]));
    return { credit, revenue };
  }

  /** In order, after a sequence number. */
  transfers(after: number, limit: number): Transfer[] {
    const query = "SELECT * FROM transfers WHERE seq > ? ORDER BY seq LIMIT ?";
    return this.#sql.exec(query, after, limit).toArray() as unknown as Transfer[];
  }

  /** Sums every row anew. @returns what does not agree; nothing, if all is well */
  reconcile(): string[] {
    const query = `
      SELECT name, balance, COALESCE(SUM(amount), 0) AS total FROM books LEFT JOIN (
        SELECT credit AS book, amount FROM transfers UNION ALL SELECT debit, -amount FROM transfers
      ) ON book = name GROUP BY name`;
    const books = this.#sql.exec<{ name: string; balance: number; total: number }>(query).toArray();
    const faults = books
      .filter(({ balance, total }) => balance !== total)
      .map(({ name, balance, total }) => `book ${name}: its balance is ${balance}, its transfers give ${total}`);
    for (const { name, total } of books) {
      if (total < 0 && !name.startsWith("outside:")) faults.push(`book ${name}: below zero, ${total}`);
    }
    const sum = books.reduce((all, { total }) => all + total, 0);
    if (sum !== 0) faults.push(`all books together: expected 0, got ${sum}`);
    return faults;
  }
}

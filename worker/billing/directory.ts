/**
 * Which accounts there are, for the operator's lists, and which payment of Stripe's was whose: a single Durable Object.
 * No request for a translation comes here; a key names its account.
 */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../env.ts";

export interface AccountEntry extends Record<string, SqlStorageValue> {
  account: string;
  created_ms: number;
}

export class AccountDirectory extends DurableObject<Env> {
  readonly #sql: SqlStorage;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS accounts (account TEXT PRIMARY KEY, created_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS payments (payment TEXT PRIMARY KEY, account TEXT NOT NULL) STRICT, WITHOUT ROWID;
    `);
  }

  add(account: string): void {
    this.#sql.exec("INSERT INTO accounts VALUES (?, ?) ON CONFLICT DO NOTHING", account, Date.now());
  }

  /** Ordered by name, after a name. */
  list(after: string, limit: number): AccountEntry[] {
    const query = "SELECT * FROM accounts WHERE account > ? ORDER BY account LIMIT ?";
    return this.#sql.exec<AccountEntry>(query, after, limit).toArray();
  }

  notePayment(payment: string, account: string): void {
    this.#sql.exec("INSERT INTO payments VALUES (?, ?) ON CONFLICT DO NOTHING", payment, account);
  }

  accountOfPayment(payment: string): string | undefined {
    const query = "SELECT account FROM payments WHERE payment = ?";
    return this.#sql.exec<{ account: string }>(query, payment).toArray()[0]?.account;
  }
}

export function directoryOf(env: Env): DurableObjectStub<AccountDirectory> {
  return env.ACCOUNT_DIRECTORY.getByName("directory");
}

export function ledgerOf(env: Env, account: string) {
  return env.LEDGER.getByName(account);
}

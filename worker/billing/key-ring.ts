/** The API keys of one account in SQLite: hashes, scopes, limits, and what each key spent. */
import type { KeyReference, Scope } from "./keys.ts";

export interface NewKey {
  name: string;
  scopes: Scope[];
  /** Milliseconds since 1970; null: never. */
  expiresMs: number | null;
  /** Micro-units in a calendar month (UTC); null: no limit but the credit. */
  monthlyLimit: number | null;
  /** Requests in a minute; null: no limit. */
  requestsPerMinute: number | null;
}

export interface KeyInfo extends NewKey {
  keyId: string;
  createdMs: number;
  revokedMs: number | null;
  lastUsedMs: number | null;
  /** Micro-units of this month. */
  spentThisMonth: number;
}

/** What a client is told of its limit, as RateLimit header fields. */
export interface RateState {
  limit: number;
  remaining: number;
  resetSeconds: number;
}

export type KeyRefusal = { problem: "unauthorized" | "key_forbidden" | "rate_limited"; detail: string };

interface Row extends Record<string, SqlStorageValue> {
  key_id: string;
  hash: ArrayBuffer;
  name: string;
  scopes: string;
  created_ms: number;
  expires_ms: number | null;
  revoked_ms: number | null;
  last_used_ms: number | null;
  monthly_limit: number | null;
  requests_per_minute: number | null;
  month: string;
  spent: number;
}

const SCHEMA = `
  CREATE TABLE keys (
    key_id TEXT PRIMARY KEY,
    hash BLOB NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER,
    last_used_ms INTEGER,
    monthly_limit INTEGER,
    requests_per_minute INTEGER,
    month TEXT NOT NULL,
    spent INTEGER NOT NULL CHECK (spent >= 0)
  ) STRICT, WITHOUT ROWID;
`;

const WINDOW_MS = 60_000;
/** Compared with if there is no such key, so that this takes as long. */
const NO_HASH = new Uint8Array(32);
/** Last use is a date for people; to the minute is enough, and saves a written row. */
const LAST_USE_STEP_MS = 60_000;

export class KeyRing {
  readonly #sql: SqlStorage;
  /** Requests of the current minute, by key. In memory: an object that forgets them had no requests for a while. */
  readonly #windows = new Map<string, { startMs: number; count: number }>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  create(): void {
    this.#sql.exec(SCHEMA);
  }

  add({ keyId, hash }: KeyReference, key: NewKey): void {
    this.#sql.exec(
      `INSERT INTO keys (key_id, hash, name, scopes, created_ms, expires_ms, monthly_limit, requests_per_minute, month, spent)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', 0)`,
      keyId,
      hash.slice().buffer,
      key.name,
      key.scopes.join(" "),
      Date.now(),
      key.expiresMs,
      key.monthlyLimit,
      key.requestsPerMinute,
    );
  }

  /** Puts a new key in the place of one, which goes on working for `graceMs`. @returns whether there is such a key */
  rotate(oldId: string, fresh: KeyReference, graceMs: number): boolean {
    const old = this.list().find(({ keyId }) => keyId === oldId);
    if (!old || old.revokedMs !== null) return false;
    this.add(fresh, old);
    this.#sql.exec(
      "UPDATE keys SET month = ?, spent = ? WHERE key_id = ?",
      thisMonth(),
      old.spentThisMonth,
      fresh.keyId,
    );
    const endMs = Math.min(old.expiresMs ?? Infinity, Date.now() + graceMs);
    this.#sql.exec("UPDATE keys SET expires_ms = ? WHERE key_id = ?", endMs, oldId);
    return true;
  }

  /** @returns whether there is such a key */
  revoke(keyId: string): boolean {
    const query = "UPDATE keys SET revoked_ms = COALESCE(revoked_ms, ?) WHERE key_id = ?";
    return this.#sql.exec(query, Date.now(), keyId).rowsWritten > 0;
  }

  list(): KeyInfo[] {
    const rows = this.#sql.exec<Row>("SELECT * FROM keys ORDER BY created_ms, key_id").toArray();
    return rows.map((row) => ({
      keyId: row.key_id,
      name: row.name,
      scopes: row.scopes.split(" ") as Scope[],
      createdMs: row.created_ms,
      expiresMs: row.expires_ms,
      revokedMs: row.revoked_ms,
      lastUsedMs: row.last_used_ms,
      monthlyLimit: row.monthly_limit,
      requestsPerMinute: row.requests_per_minute,
      spentThisMonth: row.month === thisMonth() ? row.spent : 0,
    }));
  }

  /** Whether a key may do something now. Counts the request. */
  authorize({ keyId, hash }: KeyReference, scope: Scope): { rate?: RateState; refusal?: KeyRefusal } {
    const row = this.#sql.exec<Row>("SELECT * FROM keys WHERE key_id = ?", keyId).toArray()[0];
    const same = crypto.subtle.timingSafeEqual(row ? new Uint8Array(row.hash) : NO_HASH, hash);
    if (!row || !same) return refuse("unauthorized", "there is no such key");
    const nowMs = Date.now();
    if (row.revoked_ms !== null) return refuse("unauthorized", "the key was revoked");
    if (row.expires_ms !== null && row.expires_ms <= nowMs) {
      return refuse("unauthorized", `the key expired at ${new Date(row.expires_ms).toISOString()}`);
    }
    if (!row.scopes.split(" ").includes(scope)) {
      return refuse("key_forbidden", `expected a key with the scope ${scope}, this one has ${row.scopes || "none"}`);
    }
    const rate = this.#count(row, nowMs);
    if (rate && rate.remaining < 0) {
      const detail = `the key may send ${rate.limit} requests a minute; retry in ${rate.resetSeconds} s`;
      return { rate: { ...rate, remaining: 0 }, ...refuse("rate_limited", detail) };
    }
    if (row.last_used_ms === null || nowMs - row.last_used_ms >= LAST_USE_STEP_MS) {
      this.#sql.exec("UPDATE keys SET last_used_ms = ? WHERE key_id = ?", nowMs, keyId);
    }
    return rate ? { rate } : {};
  }

  #count({ key_id, requests_per_minute: limit }: Row, nowMs: number): RateState | undefined {
    if (limit === null) return undefined;
    const startMs = nowMs - (nowMs % WINDOW_MS);
    const last = this.#windows.get(key_id);
    const count = last?.startMs === startMs ? last.count + 1 : 1;
    this.#windows.set(key_id, { startMs, count });
    return { limit, remaining: limit - count, resetSeconds: Math.ceil((startMs + WINDOW_MS - nowMs) / 1000) };
  }

  /** @returns micro-units that the key may still spend this month; Infinity without a limit */
  left(keyId: string): number {
    const query = "SELECT monthly_limit, month, spent FROM keys WHERE key_id = ?";
    const { monthly_limit: limit, month: of, spent } = this.#sql.exec<Row>(query, keyId).one();
    return limit === null ? Infinity : limit - (of === thisMonth() ? spent : 0);
  }

  spend(keyId: string, amount: number): void {
    const now = thisMonth();
    const query = "UPDATE keys SET spent = CASE month WHEN ? THEN spent ELSE 0 END + ?, month = ? WHERE key_id = ?";
    this.#sql.exec(query, now, amount, now, keyId);
  }

  /** What was spent a moment ago, and was not after all. */
  giveBack(keyId: string, amount: number): void {
    const query = "UPDATE keys SET spent = MAX(0, spent - ?) WHERE key_id = ? AND month = ?";
    this.#sql.exec(query, amount, keyId, thisMonth());
  }
}

function refuse(problem: KeyRefusal["problem"], detail: string): { refusal: KeyRefusal } {
  return { refusal: { problem, detail } };
}

/** As 2026-11; UTC. */
function thisMonth(): string {
  return new Date().toISOString().slice(0, 7);
}

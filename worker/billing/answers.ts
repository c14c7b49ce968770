/**
 * What an account's requests were answered, for whoever repeats one (draft-ietf-httpapi-idempotency-key-header), in
 * SQLite. A key is open while its request is in work; then it has the answer, or, after a stream that the caller left,
 * what was paid of it. Kept for a day.
 */
import type { Answer } from "./charge.ts";

export const ANSWER_LIFE_MS = 24 * 3600_000;
/** SQLite in a Durable Object takes rows of 2 MB, and a character of JSON has three bytes at most. */
const MAX_CHARACTERS = 600_000;

export interface Repeated {
  fingerprint: string;
  answer: Answer | undefined;
  /** Micro-units paid so far, if the answer was sent in part. */
  paid: number;
  /** Until when the first request may still be in work; 0 if it is not. */
  openUntilMs: number;
}

interface Row extends Record<string, SqlStorageValue> {
  fingerprint: string;
  open_until_ms: number;
  paid: number;
  answer: string | null;
}

const SCHEMA = `
  CREATE TABLE answers (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    open_until_ms INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL,
    paid INTEGER NOT NULL,
    answer TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX answers_by_end ON answers (ends_ms);
`;

export class Answers {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  create(): void {
    this.#sql.exec(SCHEMA);
  }

  find(key: string): Repeated | undefined {
    const query = "SELECT fingerprint, open_until_ms, paid, answer FROM answers WHERE key = ? AND ends_ms > ?";
    const row = this.#sql.exec<Row>(query, key, Date.now()).toArray()[0];
    if (!row) return undefined;
    const { fingerprint, paid, open_until_ms: openUntilMs } = row;
    return { fingerprint, paid, openUntilMs, answer: row.answer === null ? undefined : JSON.parse(row.answer) };
  }

  open(key: string, fingerprint: string, openUntilMs: number): void {
    this.#sql.exec(
      `INSERT INTO answers (key, fingerprint, open_until_ms, ends_ms, paid) VALUES (?, ?, ?, ?, 0)
       ON CONFLICT DO UPDATE SET open_until_ms = excluded.open_until_ms, ends_ms = excluded.ends_ms`,
      key,
      fingerprint,
      openUntilMs,
      Date.now() + ANSWER_LIFE_MS,
    );
  }

  extend(key: string, openUntilMs: number): void {
    this.#sql.exec("UPDATE answers SET open_until_ms = ? WHERE key = ?", openUntilMs, key);
  }

  store(key: string, answer: string): void {
    this.#sql.exec("UPDATE answers SET open_until_ms = 0, answer = ? WHERE key = ?", answer, key);
  }

  /** The request is over without an answer to keep; what was paid of it counts when it is repeated. */
  close(key: string, paid: number): void {
    this.#sql.exec("UPDATE answers SET open_until_ms = 0, paid = paid + ? WHERE key = ?", paid, key);
    this.#sql.exec("DELETE FROM answers WHERE key = ? AND paid = 0", key);
  }

  /** @returns when the next one is due, or Infinity */
  purge(): number {
    this.#sql.exec("DELETE FROM answers WHERE ends_ms <= ?", Date.now());
    const query = "SELECT MIN(ends_ms) AS next FROM answers";
    return this.#sql.exec<{ next: number | null }>(query).one().next ?? Infinity;
  }
}

/** @returns undefined if it is too long to be kept: the repeated request is computed anew then, and is paid already */
export function packAnswer(answer: Answer | undefined): string | undefined {
  const text = JSON.stringify(answer);
  return text !== undefined && text.length <= MAX_CHARACTERS ? text : undefined;
}

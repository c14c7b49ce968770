/**
 * What an account's requests were answered, for whoever repeats one (draft-ietf-httpapi-idempotency-key-header), in
 * SQLite: the answer, or, after a stream that the caller left, what was paid of it. Kept for a day. Of requests in work,
 * reservations.ts knows.
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
}

interface Row extends Record<string, SqlStorageValue> {
  fingerprint: string;
  paid: number;
  answer: string | null;
}

const SCHEMA = `
  CREATE TABLE answers (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
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
    const query = "SELECT fingerprint, paid, answer FROM answers WHERE key = ? AND ends_ms > ?";
    const row = this.#sql.exec<Row>(query, key, Date.now()).toArray()[0];
    if (!row) return undefined;
    const { fingerprint, paid } = row;
    return { fingerprint, paid, answer: row.answer === null ? undefined : JSON.parse(row.answer) };
  }

  /** @param paid micro-units, added to what was paid before. @param answer if it was sent whole */
  store(key: string, fingerprint: string, paid: number, answer: string | undefined): void {
    if (paid === 0 && answer === undefined) return;
    this.#sql.exec(
      `INSERT INTO answers (key, fingerprint, ends_ms, paid, answer) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
       fingerprint = excluded.fingerprint, ends_ms = excluded.ends_ms, paid = paid + excluded.paid, answer = excluded.answer`,
      key,
      fingerprint,
      Date.now() + ANSWER_LIFE_MS,
      paid,
      answer ?? null,
    );
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

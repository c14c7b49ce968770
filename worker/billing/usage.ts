/** What an account used, by day (UTC), model and country, in SQLite: kept beside the books, and it must agree with them. */

export interface UsageRow extends Record<string, SqlStorageValue> {
  day: string;
  model: string;
  /** ISO 3166-1 alpha-2, or XX. */
  country: string;
  requests: number;
  characters: number;
  /** Micro-units. */
  amount: number;
}

const SCHEMA = `
  CREATE TABLE usage (
    day TEXT NOT NULL, model TEXT NOT NULL, country TEXT NOT NULL,
    requests INTEGER NOT NULL, characters INTEGER NOT NULL, amount INTEGER NOT NULL,
    PRIMARY KEY (day, model, country)
  ) STRICT, WITHOUT ROWID;
`;

/** Where a request is counted. */
export type UsagePlace = Pick<UsageRow, "day" | "model" | "country">;

export class Usage {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  create(): void {
    this.#sql.exec(SCHEMA);
  }

  add({ day, model, country }: UsagePlace, requests: number, characters: number, amount: number): void {
    this.#sql.exec(
      `INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
       requests = requests + excluded.requests, characters = characters + excluded.characters, amount = amount + excluded.amount`,
      day,
      model,
      country,
      requests,
      characters,
      amount,
    );
  }

  /** @param from first day, @param to last day, as 2026-11-24 */
  rows(from: string, to: string): UsageRow[] {
    const query = "SELECT * FROM usage WHERE day BETWEEN ? AND ? ORDER BY day, model, country";
    return this.#sql.exec<UsageRow>(query, from, to).toArray();
  }

  total(): number {
    return this.#sql.exec<{ total: number }>("SELECT COALESCE(SUM(amount), 0) AS total FROM usage").one().total;
  }
}

export function today(): string {
  return new Date().toISOString().slice(0, 10);
}

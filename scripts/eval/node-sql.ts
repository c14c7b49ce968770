/** SQLite of Node in memory, as the Worker's Durable Objects have it: what runs there is measured here. */
import { DatabaseSync } from "node:sqlite";
import type { Sql } from "../../worker/knowledge/search-index.ts";

export function openMemorySql(): Sql {
  const database = new DatabaseSync(":memory:");
  const statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
  return <Row>(query: string, ...bindings: (string | number | null | Uint8Array)[]) => {
    let statement = statements.get(query);
    if (!statement) {
      statement = database.prepare(query);
      statements.set(query, statement);
    }
    return statement.all(...bindings) as Row[];
  };
}

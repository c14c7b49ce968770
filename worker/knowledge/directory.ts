/** Which knowledge bases there are: one object for all. What is in one, its own object says. */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../env.ts";

const SCHEMA = "CREATE TABLE IF NOT EXISTS bases (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE)";

export class KnowledgeDirectory extends DurableObject<Env> {
  readonly #sql = this.ctx.storage.sql;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#sql.exec(SCHEMA);
  }

  /** Once or again. */
  add(id: string): void {
    this.#sql.exec("INSERT OR IGNORE INTO bases (id) VALUES (?)", id);
  }

  remove(id: string): void {
    this.#sql.exec("DELETE FROM bases WHERE id = ?", id);
  }

  /** Oldest first. @param after the last one that the caller has */
  list(after: number, limit: number): { seq: number; id: string }[] {
    const query = "SELECT seq, id FROM bases WHERE seq > ? ORDER BY seq LIMIT ?";
    return this.#sql.exec<{ seq: number; id: string }>(query, after, limit).toArray();
  }
}

export function knowledgeDirectoryOf(env: Pick<Env, "KNOWLEDGE_DIRECTORY">): DurableObjectStub<KnowledgeDirectory> {
  return env.KNOWLEDGE_DIRECTORY.get(env.KNOWLEDGE_DIRECTORY.idFromName("all"));
}

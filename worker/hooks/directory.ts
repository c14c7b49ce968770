/** Which hooks there are: one object for all. What a hook is, its own object says. */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../env.ts";

const SCHEMA = "CREATE TABLE IF NOT EXISTS hooks (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE)";

export class HookDirectory extends DurableObject<Env> {
  readonly #sql = this.ctx.storage.sql;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#sql.exec(SCHEMA);
  }

  add(id: string): void {
    this.#sql.exec("INSERT INTO hooks (id) VALUES (?)", id);
  }

  remove(id: string): void {
    this.#sql.exec("DELETE FROM hooks WHERE id = ?", id);
  }

  /** Oldest first. @param after the last one that the caller has */
  list(after: number, limit: number): { seq: number; id: string }[] {
    const query = "SELECT seq, id FROM hooks WHERE seq > ? ORDER BY seq LIMIT ?";
    return this.#sql.exec<{ seq: number; id: string }>(query, after, limit).toArray();
  }
}

export function directoryOf(env: Pick<Env, "HOOK_DIRECTORY">): DurableObjectStub<HookDirectory> {
  return env.HOOK_DIRECTORY.get(env.HOOK_DIRECTORY.idFromName("all"));
}

/**
 * Questions that a knowledge base could not answer, on their way to a person: kept until the webhook has answered 2xx,
 * tried again on the schedule of the hooks' deliveries, and given up at its end. Signed as Standard Webhooks says, and
 * sent by the same code as the hooks' deliveries, to where those may go.
 */
import type { Settings } from "../env.ts";
import { attempt } from "../hooks/delivery.ts";
import { nextAttemptMs } from "../hooks/retry.ts";
import { requireHooksKey, signingSecret, unseal } from "../hooks/secrets.ts";
import { signDelivery } from "../hooks/signatures.ts";
import { logError } from "../log.ts";
import type { Base } from "./base.ts";
import type { Turn } from "./follow-up.ts";
import type { Sql } from "./search-index.ts";

export interface Handoff {
  question: string;
  history: Turn[];
  reason: string;
  confidence: number;
  /** What was found and not trusted, best first. */
  alternatives: unknown[];
}

const SCHEMA =
  "CREATE TABLE IF NOT EXISTS handoffs (id TEXT PRIMARY KEY, body TEXT NOT NULL, attempts INTEGER NOT NULL, due_ms INTEGER NOT NULL)";
/** Of one turn of the alarm. */
const MAX_DELIVERED = 20;
/** What waits at most: a webhook that is down for days must not fill the disk. */
const MAX_WAITING = 10_000;

interface Row {
  id: string;
  body: string;
  attempts: number;
}

export class Handoffs {
  readonly #sql: Sql;
  readonly #settings: Settings;

  constructor(sql: Sql, settings: Settings) {
    this.#sql = sql;
    this.#settings = settings;
    sql(SCHEMA);
  }

  add(handoff: Handoff, nowMs: number): void {
    const id = `handoff_${crypto.randomUUID().replaceAll("-", "")}`;
    const body = JSON.stringify({ type: "handoff", timestamp: new Date(nowMs).toISOString(), data: handoff });
    this.#sql("INSERT INTO handoffs VALUES (?, ?, 0, ?)", id, body, nowMs);
    this.#sql(
      "DELETE FROM handoffs WHERE id NOT IN (SELECT id FROM handoffs ORDER BY due_ms DESC LIMIT ?)",
      MAX_WAITING,
    );
  }

  /** When the next attempt is due, if any is. */
  nextMs(): number | undefined {
    return this.#sql<{ due: number | null }>("SELECT min(due_ms) AS due FROM handoffs")[0]?.due ?? undefined;
  }

  /** Attempts what is due. @throws Error if it cannot be signed; it stays then, for later */
  async deliver(base: Base, nowMs: number): Promise<void> {
    const query = "SELECT id, body, attempts FROM handoffs WHERE due_ms <= ? ORDER BY due_ms LIMIT ?";
    const due = this.#sql<Row>(query, nowMs, MAX_DELIVERED);
    const url = base.handoff_webhook;
    // Nobody wants to hear of them any more.
    if (url === undefined) return due.forEach(({ id }) => void this.#forget(id));
    // Counted before they are made: whoever makes them may die.
    for (const { id, attempts } of due) this.#plan(id, attempts + 1, null, nowMs);
    const secret = await webhookSecret(base, url, this.#settings.hooksKey);
    await Promise.all(due.map((row) => this.#attempt(base, url, secret, row, nowMs)));
  }

  async #attempt(base: Base, url: string, secret: string, { id, body, attempts }: Row, nowMs: number): Promise<void> {
    const headers = {
      ...(await signDelivery(id, body, [secret], nowMs)),
      "content-type": "application/json",
      "user-agent": "edge-slm-knowledge/1",
    };
    const claim = { event: id, round: 1, attempt: attempts + 1, leaseMs: nowMs, url, headers, body };
    const { status, error, retryAfterMs } = await attempt(claim, this.#settings);
    if (error === null) return this.#forget(id);
    if (this.#plan(id, attempts + 1, retryAfterMs, Date.now())) return;
    logError(
      `knowledge base ${base.id}: a handoff was given up after ${attempts + 1} attempts, the last: ${status ?? error}`,
    );
    this.#forget(id);
  }

  #forget(id: string): void {
    this.#sql("DELETE FROM handoffs WHERE id = ?", id);
  }

  /** @returns whether there is another attempt */
  #plan(id: string, attempts: number, retryAfterMs: number | null, nowMs: number): boolean {
    const { retrySeconds } = this.#settings;
    const dueMs = nextAttemptMs(retrySeconds, attempts, retryAfterMs ?? undefined, nowMs, Math.random());
    // The last attempt counts as made once it has had its time.
    const nextMs = dueMs ?? nowMs + LAST_ATTEMPT_MS;
    this.#sql("UPDATE handoffs SET attempts = ?, due_ms = ? WHERE id = ?", attempts, nextMs, id);
    return dueMs !== undefined;
  }
}

const LAST_ATTEMPT_MS = 60_000;

/** @throws Error if HOOKS_KEY is missing, or another one than the seed was sealed with */
export async function webhookSecret(base: Base, url: string, hooksKey: string | undefined): Promise<string> {
  const seed = await unseal(base.sealedSeed!, `knowledge ${base.id}`, requireHooksKey(hooksKey));
  return signingSecret(seed, url);
}

/**
 * The events of one hook in the SQLite of its object: what came, what was answered, what has to be done and when. Only
 * SQL and the states of an event; `hook-object.ts` says when they change.
 *
 *   received ──┬─→ delivering ──┬─→ delivered
 *              ├─→ stored       └─→ dead
 *              ├─→ dropped
 *              └─→ dead
 *
 * `due_ms` is when an event has to be looked at again: a received one to be sent to the queue once more, a delivering
 * one to be attempted, one that is done to be deleted. A replay starts the next round, and what comes late from the
 * round before changes nothing.
 */
import type { TaskAnswer } from "../classify.ts";
import { BREAKER_FAILURES, breakerOpenMs } from "./retry.ts";

export const EVENT_STATUSES = ["received", "delivering", "delivered", "stored", "dropped", "dead"] as const;
export type EventStatus = (typeof EVENT_STATUSES)[number];
const DONE = ["delivered", "stored", "dropped", "dead"] as const satisfies EventStatus[];

/** An event that the intake has checked. */
export interface IncomingEvent {
  /** Equal for events that are the same. */
  dedupeKey: string;
  /** What the sender calls it, and its kind. */
  senderId: string | null;
  type: string | null;
  /** JSON if `isJson`, else plain text. */
  payload: string;
  isJson: boolean;
  /** The headers to pass on. */
  headers: Record<string, string>;
}

/** What was found out about an event. */
export interface EventAnswer {
  model: { id: string; version: string };
  task: string;
  answer: TaskAnswer;
}

/** A row but for what may be large. */
export interface EventSummary extends Record<string, SqlStorageValue> {
  seq: number;
  id: string;
  dedupe_key: string;
  sender_id: string | null;
  type: string | null;
  received_ms: number;
  status: EventStatus;
  due_ms: number;
  round: number;
  /** How often it went to the queue in this round. */
  enqueued: number;
  label: string | null;
  answer: string | null;
  rule: number | null;
  destination: string | null;
  attempts: number;
  reason: string | null;
}

/** A row, as `SELECT *` gives it. */
export interface EventRow extends EventSummary {
  payload: string;
  is_json: number;
  headers: string;
}

export interface AttemptRow extends Record<string, SqlStorageValue> {
  round: number;
  attempt: number;
  started_ms: number;
  duration_ms: number | null;
  status: number | null;
  error: string | null;
}

export interface DestinationRow extends Record<string, SqlStorageValue> {
  url: string;
  /** In a row. */
  failures: number;
  /** Nothing is sent before, but the probe. */
  open_until_ms: number;
  /** The event whose attempt shows whether the destination is back. */
  probe: string | null;
  gone: number;
}

/** What has become of an event that was classified. */
export interface Routing {
  status: EventStatus;
  answer: EventAnswer | null;
  rule: number | null;
  destination: string | null;
  reason: string | null;
}

export interface EventFilter {
  status?: EventStatus;
  label?: string;
  type?: string;
  /** Only those before this one. */
  beforeSeq?: number;
  limit: number;
}

/** Of an EventSummary. */
const SUMMARY = `seq, id, dedupe_key, sender_id, type, received_ms, status, due_ms, round, enqueued, label, answer, rule,
  destination, attempts, reason`;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  dedupe_key TEXT NOT NULL UNIQUE,
  sender_id TEXT,
  type TEXT,
  received_ms INTEGER NOT NULL,
  status TEXT NOT NULL,
  due_ms INTEGER NOT NULL,
  round INTEGER NOT NULL DEFAULT 1,
  enqueued INTEGER NOT NULL DEFAULT 1,
  payload TEXT NOT NULL,
  is_json INTEGER NOT NULL,
  headers TEXT NOT NULL,
  label TEXT,
  answer TEXT,
  rule INTEGER,
  destination TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  reason TEXT
);
CREATE INDEX IF NOT EXISTS events_due ON events (status, due_ms);
CREATE TABLE IF NOT EXISTS attempts (
  event_id TEXT NOT NULL,
  round INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  duration_ms INTEGER,
  status INTEGER,
  error TEXT,
  PRIMARY KEY (event_id, round, attempt)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS destinations (
  url TEXT PRIMARY KEY,
  failures INTEGER NOT NULL DEFAULT 0,
  open_until_ms INTEGER NOT NULL DEFAULT 0,
  probe TEXT,
  gone INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
`;

export class EventStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(SCHEMA);
  }

  /** @returns the id of the new event, or of the one that it repeats */
  insert(id: string, event: IncomingEvent, nowMs: number, dueMs: number): { id: string; isNew: boolean } {
    const { dedupeKey, senderId, type, payload, isJson, headers } = event;
    const known = this.#one<{ id: string }>("SELECT id FROM events WHERE dedupe_key = ?", dedupeKey);
    if (known) return { id: known.id, isNew: false };
    this.#sql.exec(
      `INSERT INTO events (id, dedupe_key, sender_id, type, received_ms, status, due_ms, payload, is_json, headers)
       VALUES (?, ?, ?, ?, ?, 'received', ?, ?, ?, ?)`,
      ...[id, dedupeKey, senderId, type, nowMs, dueMs, payload, Number(isJson), JSON.stringify(headers)],
    );
    return { id, isNew: true };
  }

  find(id: string): EventRow | undefined {
    return this.#one<EventRow>("SELECT * FROM events WHERE id = ?", id);
  }

  /** Newest first. */
  list({ status, label, type, beforeSeq, limit }: EventFilter): EventSummary[] {
    const filters = { "status = ?": status, "label = ?": label, "type = ?": type, "seq < ?": beforeSeq };
    const used = Object.entries(filters).filter(([, value]) => value !== undefined);
    const where = used.length > 0 ? `WHERE ${used.map(([text]) => text).join(" AND ")}` : "";
    const query = `SELECT ${SUMMARY} FROM events ${where} ORDER BY seq DESC LIMIT ?`;
    return this.#sql.exec<EventSummary>(query, ...used.map(([, value]) => value), limit).toArray();
  }

  count(): Record<EventStatus, number> {
    const counts = Object.fromEntries(EVENT_STATUSES.map((status) => [status, 0])) as Record<EventStatus, number>;
    const query = "SELECT status, COUNT(*) AS count FROM events GROUP BY status";
    for (const { status, count } of this.#sql.exec<{ status: EventStatus; count: number }>(query)) {
      counts[status] = count;
    }
    return counts;
  }

  attempts(id: string): AttemptRow[] {
    const columns = "round, attempt, started_ms, duration_ms, status, error";
    const query = `SELECT ${columns} FROM attempts WHERE event_id = ? ORDER BY round, attempt`;
    return this.#sql.exec<AttemptRow>(query, id).toArray();
  }

  /** Received events that the queue should have brought back by now. */
  overdue(nowMs: number, limit: number): { id: string; enqueued: number; reason: string | null }[] {
    const query = `SELECT id, enqueued, reason FROM events WHERE status = 'received' AND due_ms <= ?
                   ORDER BY due_ms LIMIT ?`;
    return this.#sql.exec<{ id: string; enqueued: number; reason: string | null }>(query, nowMs, limit).toArray();
  }

  markEnqueued(id: string, dueMs: number): void {
    this.#sql.exec("UPDATE events SET enqueued = enqueued + 1, due_ms = ? WHERE id = ?", dueMs, id);
  }

  /** Why an event is still waiting, and until when the queue is to be left alone with it. */
  note(id: string, reason: string, dueMs: number): void {
    this.#sql.exec("UPDATE events SET reason = ?, due_ms = ? WHERE id = ? AND status = 'received'", reason, dueMs, id);
  }

  /** @returns whether it was waiting for this; the second time it is not */
  route(id: string, round: number, routing: Routing, dueMs: number): boolean {
    const { status, answer, rule, destination, reason } = routing;
    const label = answer?.answer.labels[0]?.label ?? null;
    const { rowsWritten } = this.#sql.exec(
      `UPDATE events SET status = ?, due_ms = ?, answer = ?, label = ?, rule = ?, destination = ?, reason = ?
       WHERE id = ? AND round = ? AND status = 'received'`,
      ...[status, dueMs, answer && JSON.stringify(answer), label, rule, destination, reason, id, round],
    );
    return rowsWritten > 0;
  }

  /**
   * Deliveries that are due and whose destination's circuit is closed; of one that may be tried again, one. Each counts
   * as an attempt from now on, and comes back at `leaseMs` if nobody says how it went.
   */
  claim(nowMs: number, leaseMs: number, limit: number): EventRow[] {
    const due = this.#sql
      .exec<EventRow & { failures: number }>(
        `SELECT events.*, IFNULL(failures, 0) AS failures FROM events LEFT JOIN destinations ON url = destination
         WHERE status = 'delivering' AND due_ms <= ?1 AND IFNULL(open_until_ms, 0) <= ?1 ORDER BY due_ms LIMIT ?2`,
        nowMs,
        limit,
      )
      .toArray();
    const claimed: EventRow[] = [];
    const probed = new Set<string>();
    for (const { failures, ...row } of due) {
      if (probed.has(row.destination!)) continue;
      if (failures >= BREAKER_FAILURES) {
        probed.add(row.destination!);
        const open = "UPDATE destinations SET open_until_ms = ?, probe = ? WHERE url = ?";
        this.#sql.exec(open, leaseMs, row.id, row.destination);
      }
      const attempt = row.attempts + 1;
      this.#sql.exec("UPDATE events SET attempts = ?, due_ms = ? WHERE id = ?", attempt, leaseMs, row.id);
      this.#sql.exec(
        "INSERT INTO attempts (event_id, round, attempt, started_ms) VALUES (?, ?, ?, ?)",
        ...[row.id, row.round, attempt, nowMs],
      );
      claimed.push({ ...row, attempts: attempt, due_ms: leaseMs });
    }
    return claimed;
  }

  /** Takes back the last attempt, which was never made. */
  unclaim(id: string, round: number, attempt: number, dueMs: number): void {
    const query = `UPDATE events SET attempts = attempts - 1, due_ms = ?
                   WHERE id = ? AND round = ? AND attempts = ? AND status = 'delivering'`;
    if (this.#sql.exec(query, dueMs, id, round, attempt).rowsWritten === 0) return;
    this.#sql.exec("DELETE FROM attempts WHERE event_id = ? AND round = ? AND attempt = ?", id, round, attempt);
  }

  recordAttempt(
    id: string,
    round: number,
    attempt: number,
    result: Omit<AttemptRow, "round" | "attempt" | "started_ms">,
  ) {
    this.#sql.exec(
      "UPDATE attempts SET duration_ms = ?, status = ?, error = ? WHERE event_id = ? AND round = ? AND attempt = ?",
      ...[result.duration_ms, result.status, result.error, id, round, attempt],
    );
  }

  postpone(id: string, dueMs: number, reason: string): void {
    this.#sql.exec("UPDATE events SET due_ms = ?, reason = ? WHERE id = ?", dueMs, reason, id);
  }

  /** @param dueMs when it may be deleted */
  finish(id: string, status: (typeof DONE)[number], reason: string | null, dueMs: number): void {
    this.#sql.exec("UPDATE events SET status = ?, reason = ?, due_ms = ? WHERE id = ?", status, reason, dueMs, id);
  }

  /** The next round: from the classifier on, with an attempt count of 0. */
  restart(id: string, dueMs: number): void {
    this.#sql.exec(
      `UPDATE events SET status = 'received', round = round + 1, enqueued = 1, due_ms = ?, attempts = 0, answer = NULL,
       label = NULL, rule = NULL, destination = NULL, reason = NULL WHERE id = ?`,
      dueMs,
      id,
    );
  }

  /** A destination that answered well. @returns whether others wait for it */
  closeCircuit(url: string): boolean {
    const query = "UPDATE destinations SET failures = 0, open_until_ms = 0 WHERE url = ? AND failures > 0";
    return this.#sql.exec(query, url).rowsWritten > 0;
  }

  /** One more failure in a row; enough of them open the circuit, and while it is open only the probe counts. */
  countFailure(url: string, eventId: string, nowMs: number): void {
    this.#sql.exec(
      `INSERT INTO destinations (url, failures) VALUES (?1, 1)
       ON CONFLICT (url) DO UPDATE SET failures = failures + 1 WHERE open_until_ms <= ?2 OR probe = ?3`,
      url,
      nowMs,
      eventId,
    );
    const query = "SELECT failures, open_until_ms, probe FROM destinations WHERE url = ?";
    const { failures, open_until_ms, probe } = this.#one<DestinationRow>(query, url)!;
    if (failures < BREAKER_FAILURES || (open_until_ms > nowMs && probe !== eventId)) return;
    const open = "UPDATE destinations SET open_until_ms = ?, probe = NULL WHERE url = ?";
    this.#sql.exec(open, nowMs + breakerOpenMs(failures), url);
  }

  /** A destination that wants nothing any more: what waits for it is dead. */
  markGone(url: string, reason: string, dueMs: number): void {
    this.#sql.exec("INSERT INTO destinations (url, gone) VALUES (?, 1) ON CONFLICT (url) DO UPDATE SET gone = 1", url);
    this.#sql.exec(
      "UPDATE events SET status = 'dead', reason = ?, due_ms = ? WHERE status = 'delivering' AND destination = ?",
      ...[reason, dueMs, url],
    );
  }

  isGone(url: string): boolean {
    return this.#one("SELECT 1 FROM destinations WHERE url = ? AND gone = 1", url) !== undefined;
  }

  forgetDestinations(): void {
    this.#sql.exec("DELETE FROM destinations");
  }

  destinations(): DestinationRow[] {
    return this.#sql.exec<DestinationRow>("SELECT * FROM destinations").toArray();
  }

  /** Deletes what is done and due. */
  expire(nowMs: number, limit: number): void {
    for (const status of DONE) {
      const query = "SELECT id FROM events WHERE status = ? AND due_ms <= ? LIMIT ?";
      for (const { id } of this.#sql.exec<{ id: string }>(query, status, nowMs, limit).toArray()) {
        this.#sql.exec("DELETE FROM events WHERE id = ?", id);
        this.#sql.exec("DELETE FROM attempts WHERE event_id = ?", id);
      }
    }
  }

  /** @returns when there is something to do next, or undefined */
  nextDueMs(nowMs: number): number | undefined {
    const times = EVENT_STATUSES.filter((status) => status !== "delivering").map((status) =>
      this.#time("SELECT due_ms AS time FROM events WHERE status = ? ORDER BY due_ms LIMIT 1", status),
    );
    const open = "SELECT url FROM destinations WHERE open_until_ms > ?";
    times.push(
      this.#time(
        `SELECT due_ms AS time FROM events WHERE status = 'delivering' AND destination NOT IN (${open})
         ORDER BY due_ms LIMIT 1`,
        nowMs,
      ),
      this.#time(`SELECT MIN(open_until_ms) AS time FROM destinations WHERE url IN (${open})`, nowMs),
    );
    const known = times.filter((time) => time !== undefined);
    return known.length > 0 ? Math.min(...known) : undefined;
  }

  #time(query: string, ...bindings: SqlStorageValue[]): number | undefined {
    return this.#one<{ time: number | null }>(query, ...bindings)?.time ?? undefined;
  }

  #one<Row extends Record<string, SqlStorageValue>>(query: string, ...bindings: SqlStorageValue[]): Row | undefined {
    return this.#sql.exec<Row>(query, ...bindings).toArray()[0];
  }
}

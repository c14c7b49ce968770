/**
 * A hook's Durable Object: the one place that knows its events, so nothing is lost and nothing happens twice.
 *
 * - An event is on disk before the sender hears 202. The queue is only a bell that calls the classifier: if a message is
 *   lost, the alarm rings again, for ever more rarely; in the end the event is dead, and listed as such.
 * - The classifier may bring its result twice; an event takes the first one of its round.
 * - An attempt at a delivery is counted before it is made, with a lease. Whoever makes it (the consumer the first, the
 *   alarm all others) may die: the alarm makes the next one when the lease is over. The receiver sees one `webhook-id`,
 *   whatever happens.
 */
import { DurableObject } from "cloudflare:workers";
import { type Env, readSettings, type Settings } from "../env.ts";
import { logError } from "../log.ts";
import { recordEvent } from "./analytics.ts";
import { Bell } from "./bell.ts";
import { ClaimSigner } from "./claims.ts";
import { Commits } from "./commits.ts";
import { ATTEMPT_TIMEOUT_MS, type Claim, deliverAll, MAX_CLAIMS, type Outcome } from "./delivery.ts";
import {
  type AttemptRow,
  type EventAnswer,
  type EventFilter,
  type EventRow,
  EventStore,
  type EventSummary,
  type IncomingEvent,
  type Routing,
} from "./event-store.ts";
import type { Hook } from "./hook.ts";
import { nextAttemptMs } from "./retry.ts";
import { matchRule } from "./rules.ts";
import { extractText } from "./text.ts";

/** How long the queue gets to bring an event back before it is sent again: doubled each time. */
const REQUEUE_MS = 15_000;
const MAX_REQUEUE_MS = 3600 * 1000;
/** Some seven hours. */
const MAX_ENQUEUED = 12;
/** An attempt has to begin in time to end by then; one that has said nothing has died. */
const LEASE_MS = ATTEMPT_TIMEOUT_MS + 15_000;
/** Until deliveries that could not be signed are looked at again. */
const UNSIGNED_RETRY_MS = 60_000;
/** Work of one turn of the alarm. */
const MAX_REQUEUED = 500;
const MAX_EXPIRED = 500;
/** The alarm does not ring more often than this. */
const MIN_ALARM_MS = 20;
const DAY_MS = 86_400_000;

/** An event that waits for the classifier. */
export interface Work {
  event: string;
  round: number;
  text: string;
}

export interface Classified extends Pick<Work, "event" | "round"> {
  /** Nothing if there was no text. */
  answer: EventAnswer | null;
}

export type Accepted = { status: "accepted" | "duplicate"; event: string } | { status: "outdated" | "unknown" };

export class HookObject extends DurableObject<Env> {
  readonly #settings: Settings;
  #hook: Hook | undefined;
  /** Only of a hook that exists: whoever asks for an invented one leaves nothing behind. */
  #store: EventStore | undefined;
  #alarmMs: number | undefined;
  readonly #signer: ClaimSigner;
  readonly #commits: Commits;
  readonly #bell: Bell;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#settings = readSettings(env);
    this.#signer = new ClaimSigner(this.#settings);
    this.#commits = new Commits(state);
    this.#bell = new Bell(state, () => this.env);
    state.blockConcurrencyWhile(async () => {
      this.#hook = state.storage.kv.get<Hook>("hook");
      if (!this.#hook) return;
      this.#store = new EventStore(state.storage.sql);
      this.#alarmMs = (await state.storage.getAlarm()) ?? undefined;
      if (this.#alarmMs === undefined) this.#wakeForNext();
    });
  }

  // ── The hook ──

  read(): Hook | undefined {
    return this.#hook;
  }

  /** @returns whether it was written: not if somebody else has changed the hook meanwhile */
  write(hook: Hook): boolean {
    if (hook.version !== (this.#hook?.version ?? 0) + 1) return false;
    this.ctx.storage.kv.put("hook", hook);
    this.#store ??= new EventStore(this.ctx.storage.sql);
    // Whoever changes the hook wants its destinations tried again.
    this.#store.forgetDestinations();
    this.#signer.forget();
    this.#hook = hook;
    this.#wake(Date.now());
    return true;
  }

  async remove(): Promise<void> {
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
    this.#bell.silence();
    this.#hook = undefined;
    this.#store = undefined;
    this.#alarmMs = undefined;
  }

  status() {
    return { counts: this.#events.count(), destinations: this.#events.destinations() };
  }

  // ── The intake ──

  /** @param version of the hook that the event was checked against */
  accept(version: number, event: IncomingEvent): Promise<Accepted> {
    return this.#commits.together(() => this.#accept(version, event));
  }

  #accept(version: number, event: IncomingEvent): Accepted {
    if (!this.#hook) return { status: "unknown" };
    if (version !== this.#hook.version) return { status: "outdated" };
    const nowMs = Date.now();
    const { id, isNew } = this.#events.insert(newEventId(), event, nowMs, nowMs + REQUEUE_MS);
    if (!isNew) {
      recordEvent(this.env, { hook: this.#hook.id, outcome: "duplicate" });
      return { status: "duplicate", event: id };
    }
    this.#wake(nowMs + REQUEUE_MS);
    this.#bell.ring(this.#hook.id, [id]);
    return { status: "accepted", event: id };
  }

  // ── The classifier ──

  /** @returns what to classify: of these events those that wait for it, or undefined if the hook is no more */
  take(ids: string[]): { model: string | undefined; task: string; work: Work[] } | undefined {
    if (!this.#hook) return undefined;
    const { model, task, text } = this.#hook;
    const work = [...new Set(ids)]
      .map((id) => this.#events.find(id))
      .filter((row) => row?.status === "received")
      .map((row) => ({ event: row!.id, round: row!.round, text: textOf(row!, text, this.#settings.maxCharacters) }));
    return { model, task, work };
  }

  /** Routes events. @returns the first deliveries that the caller has to attempt, now; `settle` has the next ones */
  async classified(results: Classified[]): Promise<Claim[]> {
    if (!this.#hook) return [];
    const nowMs = Date.now();
    for (const result of results) this.#route(result, nowMs);
    return this.#sign(this.#claim(MAX_CLAIMS));
  }

  #route({ event, round, answer }: Classified, nowMs: number): void {
    const routing = this.#routingOf(answer);
    const isDelivering = routing.status === "delivering";
    const isRouted = this.#events.route(event, round, routing, isDelivering ? nowMs : this.#expiryMs(nowMs));
    if (isRouted && !isDelivering) this.#report(this.#events.find(event)!, nowMs);
  }

  #routingOf(answer: EventAnswer | null): Routing {
    const { rules } = this.#hook!;
    const index = matchRule(rules, answer?.answer);
    const rule = index === undefined ? undefined : rules[index]!;
    const found = { answer, rule: index ?? null, destination: null, reason: answer ? null : "no_text" };
    if (!rule) return { ...found, status: "stored", reason: found.reason ?? "no_rule" };
    if (rule.action !== "deliver") return { ...found, status: rule.action === "drop" ? "dropped" : "stored" };
    const { destination } = rule;
    if (!this.#events.isGone(destination)) return { ...found, status: "delivering", destination };
    return { ...found, status: "dead", destination, reason: goneReason(destination) };
  }

  /** An event could not be classified; the queue brings it again, or buries it. */
  note(id: string, reason: string): void {
    this.#store?.note(id, reason, Date.now() + MAX_REQUEUE_MS);
  }

  /** The queue has given up on an event. */
  bury(ids: string[]): void {
    for (const id of ids) {
      const row = this.#store?.find(id);
      if (row?.status === "received") this.#finish(row, "dead", row.reason ?? "the classifier ended without a word");
    }
  }

  // ── Deliveries ──

  /** Counts attempts; the next alarm is set with them, so that both get to the disk or neither does. */
  #claim(limit: number): EventRow[] {
    const nowMs = Date.now();
    const rows = this.#store?.claim(nowMs, nowMs + LEASE_MS, limit) ?? [];
    this.#wakeForNext();
    return rows;
  }

  async #sign(rows: EventRow[]): Promise<Claim[]> {
    const hook = this.#hook;
    if (!hook) return [];
    const nowMs = Date.now();
    try {
      return await this.#signer.sign(hook, rows, nowMs);
    } catch (error) {
      // HOOKS_KEY is missing, or another one: no fault of the destinations'.
      logError(`hook ${hook.id}: deliveries cannot be signed`, {}, error);
      this.#signer.forget();
      for (const { id, round, attempts } of rows) this.#store?.unclaim(id, round, attempts, nowMs + UNSIGNED_RETRY_MS);
      return [];
    }
  }

  /** How attempts went. @returns the next deliveries to attempt, as many as are wanted and due */
  async settle(outcomes: Outcome[], wanted: number): Promise<Claim[]> {
    const rows = await this.#commits.together(() => {
      for (const outcome of outcomes) this.#settle(outcome);
      return this.#claim(wanted);
    });
    return this.#sign(rows);
  }

  #settle(outcome: Outcome): void {
    const row = this.#store?.find(outcome.event);
    if (!row || row.round !== outcome.round || row.destination === null) return;
    if (!outcome.isMade) {
      this.#events.unclaim(row.id, row.round, outcome.attempt, Date.now());
      return;
    }
    const { durationMs: duration_ms, status, error } = outcome;
    this.#events.recordAttempt(row.id, row.round, outcome.attempt, { duration_ms, status, error });
    const nowMs = Date.now();
    if (error === null) {
      if (this.#events.closeCircuit(row.destination)) this.#wake(nowMs);
      if (row.status !== "delivered") this.#finish(row, "delivered", null);
      return;
    }
    if (!outcome.isFinal) this.#events.countFailure(row.destination, row.id, nowMs);
    // A later attempt is on its way, or has come first.
    if (row.status !== "delivering" || row.attempts !== outcome.attempt) return;
    if (status === 410) {
      this.#events.markGone(row.destination, goneReason(row.destination), this.#expiryMs(nowMs));
      this.#report({ ...row, status: "dead", reason: error }, nowMs);
      return;
    }
    const { retrySeconds } = this.#settings;
    const { retryAfterMs } = outcome;
    const dueMs = nextAttemptMs(retrySeconds, row.attempts, retryAfterMs ?? undefined, nowMs, Math.random());
    if (outcome.isFinal || dueMs === undefined) {
      this.#finish(row, "dead", outcome.isFinal ? error : `${row.attempts} attempts failed; the last: ${error}`);
      return;
    }
    this.#events.postpone(row.id, dueMs, error);
    this.#wake(dueMs);
  }

  // ── The alarm ──

  override async alarm(): Promise<void> {
    this.#alarmMs = undefined;
    if (!this.#hook) return;
    try {
      const nowMs = Date.now();
      this.#requeue(nowMs);
      this.#events.expire(nowMs, MAX_EXPIRED);
      await deliverAll(this, await this.#sign(this.#claim(MAX_CLAIMS)), this.#settings);
    } catch (error) {
      // The runtime tries an alarm that fails six times and then never again, which would be the end of this hook.
      logError(`hook ${this.#hook?.id}: its alarm failed`, {}, error);
    } finally {
      this.#wakeForNext();
    }
  }

  /** Sends what the queue has lost again. */
  #requeue(nowMs: number): void {
    const overdue = this.#events.overdue(nowMs, MAX_REQUEUED);
    for (const { id, enqueued, reason } of overdue) {
      if (enqueued >= MAX_ENQUEUED) {
        const why = reason ?? "the classifier never answered";
        this.#finish(this.#events.find(id)!, "dead", `sent to the queue ${enqueued} times; ${why}`);
      } else {
        this.#events.markEnqueued(id, nowMs + Math.min(REQUEUE_MS * 2 ** enqueued, MAX_REQUEUE_MS));
      }
    }
    this.#bell.ring(
      this.#hook!.id,
      overdue.filter(({ enqueued }) => enqueued < MAX_ENQUEUED).map(({ id }) => id),
    );
  }

  #wakeForNext(): void {
    const nowMs = Date.now();
    const nextMs = this.#store?.nextDueMs(nowMs);
    if (nextMs !== undefined) this.#wake(Math.max(nextMs, nowMs + MIN_ALARM_MS));
  }

  /** Sets the alarm unless it rings sooner. */
  #wake(atMs: number): void {
    if (this.#alarmMs !== undefined && this.#alarmMs <= atMs) return;
    this.#alarmMs = atMs;
    this.ctx.waitUntil(this.ctx.storage.setAlarm(atMs));
  }

  // ── The operator ──

  list(filter: EventFilter): EventSummary[] {
    return this.#store?.list(filter) ?? [];
  }

  find(id: string): { row: EventRow; attempts: AttemptRow[] } | undefined {
    const row = this.#store?.find(id);
    return row && { row, attempts: this.#events.attempts(id) };
  }

  /** From the classifier on, by today's rules. @returns whether there is such an event */
  replay(id: string): boolean {
    if (!this.#hook || !this.#store?.find(id)) return false;
    const nowMs = Date.now();
    this.#events.restart(id, nowMs + REQUEUE_MS);
    this.#wake(nowMs + REQUEUE_MS);
    this.#bell.ring(this.#hook.id, [id]);
    return true;
  }

  get #events(): EventStore {
    if (!this.#store) throw new Error("HookObject: there is no such hook");
    return this.#store;
  }

  #finish(row: EventRow, status: "delivered" | "dead", reason: string | null): void {
    const nowMs = Date.now();
    this.#events.finish(row.id, status, reason, this.#expiryMs(nowMs));
    this.#report({ ...row, status, reason }, nowMs);
  }

  #expiryMs(nowMs: number): number {
    return nowMs + this.#hook!.retention_days * DAY_MS;
  }

  #report(row: Pick<EventRow, "status" | "label" | "reason" | "attempts" | "received_ms">, nowMs: number): void {
    const { status: outcome, label, reason, attempts, received_ms } = row;
    recordEvent(this.env, { hook: this.#hook!.id, outcome, label, reason, attempts, durationMs: nowMs - received_ms });
  }
}

/** 128 random bits; no full stop, which separates what is signed. */
function newEventId(): string {
  return `evt_${crypto.randomUUID().replaceAll("-", "")}`;
}

function goneReason(destination: string): string {
  return `${destination} answered 410: it wants no more; change the hook to try it again`;
}

function textOf(row: EventRow, text: Hook["text"], maxCharacters: number): string {
  const document: unknown = row.is_json ? JSON.parse(row.payload) : row.payload;
  return extractText(document, text).slice(0, maxCharacters);
}

export function hookObjectOf(env: Pick<Env, "HOOKS">, id: string): DurableObjectStub<HookObject> {
  return env.HOOKS.get(env.HOOKS.idFromName(id));
}

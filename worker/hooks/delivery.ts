/**
 * Attempts at deliveries: a POST that nobody may redirect, answered in time or failed. Knows nothing of what follows from
 * that; the hook's object draws the conclusions, and hands out the next delivery.
 */
import type { DestinationSettings } from "./destination.ts";
import { PublicNames } from "./destination.ts";
import { parseRetryAfter } from "./retry.ts";

/** Standard Webhooks recommends 15 to 30 s. */
export const ATTEMPT_TIMEOUT_MS = 15_000;

/** A delivery that is to be attempted. */
export interface Claim {
  event: string;
  round: number;
  attempt: number;
  /** When somebody else may make the attempt. */
  leaseMs: number;
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface Outcome extends Pick<Claim, "event" | "round" | "attempt"> {
  durationMs: number;
  /** HTTP status, if there was an answer. */
  status: number | null;
  error: string | null;
  /** The soonest time that the receiver allows for the next attempt. */
  retryAfterMs: number | null;
  /** Whether trying again makes no sense. */
  isFinal: boolean;
  /** Whether there was an attempt at all. */
  isMade: boolean;
}

/** Attempts at a time: as many connections as an invocation may open. What waits for one would time out in the queue. */
export const LANES = 6;
/** After this the rest is left to the object's alarm. */
const MAX_DELIVERING_MS = 60_000;

/** Deliveries that a caller holds at a time: enough that its lanes need not wait for the object's disk. */
export const MAX_CLAIMS = 3 * LANES;

/** Where the deliveries come from. */
export interface Deliveries {
  /** @returns deliveries that are due, as many as are wanted at most */
  settle(outcomes: Outcome[], wanted: number): Promise<Claim[]>;
}

const names = new PublicNames();

/** Makes these attempts, and those that are due meanwhile. */
export async function deliverAll(hook: Deliveries, claims: Claim[], settings: DestinationSettings): Promise<void> {
  const endMs = Date.now() + MAX_DELIVERING_MS;
  const waiting = [...claims];
  const done: Outcome[] = [];
  let settling: Promise<void> | undefined;
  // One call at a time: what is done meanwhile goes together in the next one.
  const settle = async () => {
    while (done.length > 0) {
      const wanted = Date.now() < endMs ? MAX_CLAIMS - waiting.length : 0;
      waiting.push(...(await hook.settle(done.splice(0), wanted)));
    }
    settling = undefined;
  };
  const deliver = async () => {
    for (;;) {
      if (waiting.length === 0) await settling;
      const claim = waiting.shift();
      if (!claim) return;
      // Others were slow, and soon somebody else may make this attempt.
      const isLate = Date.now() > claim.leaseMs - ATTEMPT_TIMEOUT_MS;
      done.push(isLate ? { ...outcomeOf(claim), isMade: false } : await attempt(claim, settings));
      settling ??= settle();
    }
  };
  await Promise.all(Array.from({ length: LANES }, deliver));
  await settling;
}

/** Never fails. */
export async function attempt(claim: Claim, settings: DestinationSettings): Promise<Outcome> {
  const startMs = Date.now();
  const outcome = outcomeOf(claim);
  const spend = () => ({ durationMs: Date.now() - startMs });
  try {
    const refusal = await names.refuse(claim.url, settings);
    if (refusal !== undefined) return { ...outcome, ...spend(), error: refusal, isFinal: true };
    const response = await fetch(claim.url, {
      method: "POST",
      headers: claim.headers,
      body: claim.body,
      redirect: "manual",
      signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
    });
    await response.body?.cancel();
    const { status } = response;
    if (response.ok) return { ...outcome, ...spend(), status };
    const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), Date.now()) ?? null;
    return { ...outcome, ...spend(), status, error: `the receiver answered ${status}`, retryAfterMs };
  } catch (error) {
    const isTimeout = error instanceof Error && error.name === "TimeoutError";
    const reason = isTimeout ? `no answer within ${ATTEMPT_TIMEOUT_MS / 1000} s` : String(error);
    return { ...outcome, ...spend(), error: reason };
  }
}

function outcomeOf({ event, round, attempt }: Claim): Outcome {
  const result = { durationMs: 0, status: null, error: null, retryAfterMs: null, isFinal: false, isMade: true };
  return { event, round, attempt, ...result };
}

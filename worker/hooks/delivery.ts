/**
 * One attempt at a delivery: a POST that nobody may redirect, answered in time or failed. Knows nothing of what comes
 * after; the hook's object draws the conclusions.
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
}

const names = new PublicNames();

/** Never fails. */
export async function attempt(claim: Claim, settings: DestinationSettings): Promise<Outcome> {
  const startMs = Date.now();
  const outcome = {
    event: claim.event,
    round: claim.round,
    attempt: claim.attempt,
    status: null,
    error: null,
    retryAfterMs: null,
    isFinal: false,
  };
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

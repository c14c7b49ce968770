/**
 * When a failed delivery is tried again, and when a destination is left in peace.
 */

/** Delays after each failure: the schedule of the Standard Webhooks specification, 75 hours in all. */
export const RETRY_SECONDS = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
/** Up to this share is added to a delay, so that what failed together does not come back together. */
const JITTER = 0.2;
/** A receiver that asks for more is asked again after this. */
const MAX_RETRY_AFTER_MS = 24 * 3600 * 1000;

/** Failures in a row that open the circuit, and how long it stays open: doubled each time a probe fails. */
export const BREAKER_FAILURES = 10;
const BREAKER_OPEN_MS = 30_000;
const BREAKER_MAX_OPEN_MS = 3600 * 1000;

/**
 * @param attempts made so far, all failed
 * @param retryAfterMs the soonest time that the receiver allows
 * @param random in [0, 1)
 * @returns when to try again, or undefined after the last attempt
 */
export function nextAttemptMs(
  schedule: readonly number[],
  attempts: number,
  retryAfterMs: number | undefined,
  nowMs: number,
  random: number,
): number | undefined {
  const delaySeconds = schedule[attempts - 1];
  if (delaySeconds === undefined) return undefined;
  const dueMs = nowMs + Math.round(delaySeconds * 1000 * (1 + JITTER * random));
  return Math.max(dueMs, Math.min(retryAfterMs ?? 0, nowMs + MAX_RETRY_AFTER_MS));
}

/** `Retry-After` (RFC 9110): seconds, or a date. @returns a time, or undefined if there is none */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header.trim())) return nowMs + Number(header) * 1000;
  const timeMs = Date.parse(header);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** @param failures in a row, from BREAKER_FAILURES on */
export function breakerOpenMs(failures: number): number {
  return Math.min(BREAKER_OPEN_MS * 2 ** (failures - BREAKER_FAILURES), BREAKER_MAX_OPEN_MS);
}

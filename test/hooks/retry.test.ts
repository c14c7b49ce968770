import { describe, expect, it } from "vitest";
import {
  BREAKER_FAILURES,
  breakerOpenMs,
  nextAttemptMs,
  parseRetryAfter,
  RETRY_SECONDS,
} from "../../worker/hooks/retry.ts";

const nowMs = Date.parse("2026-11-24T12:00:00Z");
const HOUR_MS = 3600 * 1000;

describe("the retry schedule", () => {
  it("is the one of Standard Webhooks: ten attempts in 75:35:05 hours", () => {
    let timeMs = 0;
    const times = [0];
    for (let attempts = 1; ; attempts++) {
      const next = nextAttemptMs(RETRY_SECONDS, attempts, undefined, timeMs, 0);
      if (next === undefined) break;
      timeMs = next;
      times.push(timeMs / 1000);
    }
    const hms = (h: number, m: number, s: number) => h * 3600 + m * 60 + s;
    expect(times).toEqual([
      0,
      hms(0, 0, 5),
      hms(0, 5, 5),
      hms(0, 35, 5),
      hms(2, 35, 5),
      hms(7, 35, 5),
      hms(17, 35, 5),
      hms(31, 35, 5),
      hms(51, 35, 5),
      hms(75, 35, 5),
    ]);
  });

  it("adds a fifth at most, at random", () => {
    expect(nextAttemptMs([100], 1, undefined, nowMs, 0.5)).toBe(nowMs + 110_000);
    expect(nextAttemptMs([100], 1, undefined, nowMs, 0.999)).toBeLessThan(nowMs + 120_000);
  });

  it("waits longer if the receiver asks for it, but not for ever", () => {
    expect(nextAttemptMs([5], 1, nowMs + 60_000, nowMs, 0)).toBe(nowMs + 60_000);
    expect(nextAttemptMs([300], 1, nowMs + 60_000, nowMs, 0)).toBe(nowMs + 300_000);
    expect(nextAttemptMs([5], 1, nowMs + 1000 * HOUR_MS, nowMs, 0)).toBe(nowMs + 24 * HOUR_MS);
    expect(nextAttemptMs([5], 2, nowMs + 60_000, nowMs, 0)).toBeUndefined();
  });

  it.each([
    [null, undefined],
    ["120", nowMs + 120_000],
    ["Tue, 24 Nov 2026 13:00:00 GMT", nowMs + HOUR_MS],
    ["soon", undefined],
    ["-5", undefined],
  ])("reads Retry-After %j", (header, expected) => {
    const found = parseRetryAfter(header, nowMs);
    if (header === "-5") expect(found ?? 0).toBeLessThan(nowMs);
    else expect(found).toBe(expected);
  });
});

it("keeps the circuit open twice as long after each probe that fails, an hour at most", () => {
  expect(breakerOpenMs(BREAKER_FAILURES)).toBe(30_000);
  expect(breakerOpenMs(BREAKER_FAILURES + 1)).toBe(60_000);
  expect(breakerOpenMs(BREAKER_FAILURES + 50)).toBe(HOUR_MS);
});

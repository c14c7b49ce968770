/**
 * Times short repeated work, in Node and in workerd, whose clock moves in whole milliseconds: there a reading waits for
 * the next tick and takes off what it waited, counted in turns of the waiting loop.
 */

/** A clock with larger steps is read at its ticks. */
const FINE_STEP_MS = 0.1;
/**
 * A burst is short enough to lie within one time slice of the operating system most of the time, and the fastest of
 * these is what counts: other programs can only make it slower.
 */
const BURSTS = 4;

/** Turns of the waiting loop in a millisecond of a coarse clock: the most ever seen, for others may have had a share. */
let turnsPerMs = 0;
let isFine: boolean | undefined;

/** Waits for the clock to move. */
function nextTick(): { ms: number; turns: number } {
  const from = performance.now();
  let ms = from;
  let turns = 0;
  while (ms === from) {
    ms = performance.now();
    turns++;
  }
  return { ms, turns };
}

/** The time at the start of something: at a tick of the clock. */
function startTime(): number {
  if (isFine) return performance.now();
  const { ms: from } = nextTick();
  const { ms, turns } = nextTick();
  isFine ??= ms - from < FINE_STEP_MS;
  turnsPerMs = Math.max(turnsPerMs, turns / (ms - from));
  return ms;
}

/** The time at the end: between two ticks, by how many turns of waiting the next one was away. */
function endTime(): number {
  if (isFine) return performance.now();
  const { ms, turns } = nextTick();
  return ms - turns / turnsPerMs;
}

/** Repeats the call for about `forMs`. @returns milliseconds a call */
function timeBurst(call: () => void, forMs: number): number {
  const startMs = startTime();
  let calls = 0;
  // The clock costs something, too: it is asked less often the shorter the calls are.
  for (let batch = 1; performance.now() - startMs < forMs; batch = Math.min(2 * batch, Math.ceil(calls / 8))) {
    for (let i = 0; i < batch; i++) call();
    calls += batch;
  }
  return (endTime() - startMs) / calls;
}

/**
 * How long one call of each takes: the fastest of a few bursts of about `burstMs`, in turns, so that all of them see
 * the same machine.
 * @param prepare is called before each burst and not timed
 * @returns milliseconds a call
 */
export function timeCalls(calls: (() => void)[], burstMs: number, prepare?: () => void): number[] {
  const fastest = calls.map(() => Infinity);
  for (let burst = 0; burst < BURSTS; burst++) {
    calls.forEach((call, i) => {
      prepare?.();
      fastest[i] = Math.min(fastest[i]!, timeBurst(call, burstMs));
    });
  }
  return fastest;
}

/** The same of calls of which some have to be waited for; the waiting is in the figure. */
export async function timeAsyncCalls(calls: (() => unknown)[], burstMs: number): Promise<number[]> {
  const fastest = calls.map(() => Infinity);
  for (let burst = 0; burst < BURSTS; burst++) {
    for (const [i, call] of calls.entries()) {
      const startMs = startTime();
      let count = 0;
      do {
        await call();
        count++;
      } while (performance.now() - startMs < burstMs);
      fastest[i] = Math.min(fastest[i]!, (endTime() - startMs) / count);
    }
  }
  return fastest;
}

/** Calls for `forMs`, so that the optimizing compiler has had its turn. */
export function warmUp(call: () => void, forMs: number): void {
  timeBurst(call, forMs);
}

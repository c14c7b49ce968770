/**
 * Gives the event loop its turn between the steps of a long computation, so that other requests of the isolate run and
 * an abort is noticed.
 */

/**
 * 12 to 20 ms of work. In workerd the turn itself takes more than one: only timers let another request in (measured
 * beside message channels, streams, digests, the cache), and nothing wakes them sooner. Half as much work a turn made a
 * tenth of the time turns.
 */
const DEFAULT_MACS_PER_TURN = 600e6;

export interface TurnOptions {
  /** Aborting it ends the computation at its next step; the promise rejects with its reason. */
  signal?: AbortSignal;
  /**
   * Multiply-adds between two turns of the event loop; 0 for a turn at every step. Work is counted and not time,
   * because the clock of a deployed Worker stands still while it computes.
   */
  macsPerTurn?: number;
}

/**
 * @returns to be awaited before each step, with the step's work in multiply-adds
 * @throws the signal's reason if aborted
 */
export function makeTurns({
  signal,
  macsPerTurn = DEFAULT_MACS_PER_TURN,
}: TurnOptions): (macs: number) => Promise<void> {
  let total = 0;
  return async (macs) => {
    signal?.throwIfAborted();
    total += macs;
    if (total < macsPerTurn) return;
    total = 0;
    await eventLoopTurn();
    signal?.throwIfAborted();
  };
}

/** A timer is the fallback, which Node rounds up to a millisecond. */
function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
}

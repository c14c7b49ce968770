/**
 * How long the parts of a request took, in milliseconds of wall time.
 *
 * A Worker's clock stands still while code runs, against timing attacks, and moves on only at I/O
 * (https://developers.cloudflare.com/workers/runtime-apis/performance/). A part that did no I/O ends with `turn`,
 * which waits for one turn of the event loop. Such a turn takes about a millisecond, which is in the figure, so a
 * request ends with one and has no others: what computes little is counted with what computes much.
 */
export class Stopwatch<Part extends string> {
  readonly laps: Record<Part, number>;
  #sinceMs = performance.now();

  constructor(parts: readonly Part[]) {
    this.laps = Object.fromEntries(parts.map((part) => [part, 0])) as Record<Part, number>;
  }

  /** Ends a part that ended with I/O. */
  lap(part: Part): void {
    const nowMs = performance.now();
    this.laps[part] = Math.round((nowMs - this.#sinceMs) * 10) / 10;
    this.#sinceMs = nowMs;
  }

  /** Ends a part that only computed. */
  async turn(part: Part): Promise<void> {
    await scheduler.wait(0);
    this.lap(part);
  }
}

/**
 * How long the parts of a request took, in milliseconds of wall time.
 *
 * A Worker's clock stands still while code runs, against timing attacks, and moves on only at I/O
 * (https://developers.cloudflare.com/workers/runtime-apis/performance/). Long work takes turns of the event loop, and
 * the clock moves on with them; a part that was done before its first turn counts as nothing. Waiting for one only to
 * read the clock would add a millisecond to every request, more than a short translation takes.
 */
export class Stopwatch<Part extends string> {
  readonly laps: Record<Part, number>;
  #sinceMs = performance.now();

  constructor(parts: readonly Part[]) {
    this.laps = Object.fromEntries(parts.map((part) => [part, 0])) as Record<Part, number>;
  }

  /** Ends a part; the next one begins. */
  lap(part: Part): void {
    const nowMs = performance.now();
    this.laps[part] = Math.round((nowMs - this.#sinceMs) * 10) / 10;
    this.#sinceMs = nowMs;
  }
}

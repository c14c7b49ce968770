/**
 * The key/value cache of one request: rows that each hold the keys and values of one decoded token for all decoder
 * layers. Hypotheses are linked lists of tokens, so those of one beam share the rows of their common past; a row that
 * no live hypothesis reaches any more is used again.
 */
import type { Address, Runtime } from "./runtime.ts";

const ROWS_PER_PAGE = 16;

/** A token of a hypothesis with everything before it. The first is the start token. */
export interface Prefix {
  readonly token: number;
  readonly previous: Prefix | undefined;
  /** 0 for the start token */
  readonly position: number;
  /** Where its keys and values are, once it has been fed to the decoder; 0 before. */
  cacheRow: Address;
}

/** Keys and values of all decoder layers, each row [n_dec_layers, 2 (key, value), d_model] f32. */
export class KeyValueCache {
  readonly #runtime: Runtime;
  readonly #rowBytes: number;
  readonly #pages: Address[] = [];
  #free: Address[] = [];

  constructor(runtime: Runtime, rowBytes: number) {
    this.#runtime = runtime;
    this.#rowBytes = rowBytes;
  }

  /** Makes sure `take` can be called `count` times. `live` are the last tokens of all live hypotheses. */
  reserve(count: number, live: Iterable<{ readonly prefix: Prefix }>): void {
    if (this.#free.length >= count) return;
    this.#sweep(live);
    // Fewer than half free after a sweep: the next one would come too soon.
    while (this.#free.length < count || this.#free.length * 2 < this.#pages.length * ROWS_PER_PAGE) this.#addPage();
  }

  /** Address of a row nobody uses. */
  take(): Address {
    return this.#free.pop()!;
  }

  /** Gives all rows back to the runtime. */
  release(): void {
    for (const page of this.#pages) this.#runtime.free(page);
    this.#pages.length = 0;
    this.#free.length = 0;
  }

  #sweep(live: Iterable<{ readonly prefix: Prefix }>): void {
    const reached = new Set<Address>();
    for (const { prefix } of live) {
      for (let p: Prefix | undefined = prefix; p; p = p.previous) {
        // Whoever came here first has walked the rest of the way.
        if (p.cacheRow !== 0 && reached.has(p.cacheRow)) break;
        reached.add(p.cacheRow);
      }
    }
    this.#free = this.#pages.flatMap((page) => this.#rowsOf(page)).filter((row) => !reached.has(row));
  }

  #addPage(): void {
    const page = this.#runtime.allocate(ROWS_PER_PAGE * this.#rowBytes);
    this.#pages.push(page);
    this.#free.push(...this.#rowsOf(page));
  }

  #rowsOf(page: Address): Address[] {
    return Array.from({ length: ROWS_PER_PAGE }, (_, i) => page + (ROWS_PER_PAGE - 1 - i) * this.#rowBytes);
  }
}

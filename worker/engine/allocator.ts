/**
 * Hands out address ranges of a growing region, first fit, neighbours merged when they come back. It only computes
 * numbers; the memory itself belongs to runtime.ts. A few dozen ranges are out at a time, so a sorted list is enough.
 */
import { roundUp } from "../model/format.ts";

/** Ranges start at whole cache lines. */
const ALIGNMENT = 64;

interface Range {
  start: number;
  end: number;
}

export class Allocator {
  /** Sorted by start, never touching each other. */
  readonly #free: Range[] = [];
  /** start → end of the ranges handed out */
  readonly #taken = new Map<number, number>();
  #end: number;

  /** @param start first address of the region, which is empty until `extend` */
  constructor(start: number) {
    this.#end = roundUp(start, ALIGNMENT);
  }

  /** Bytes handed out now. */
  get takenBytes(): number {
    let sum = 0;
    for (const [start, end] of this.#taken) sum += end - start;
    return sum;
  }

  /** Where the region would have to end for `bytes` more to fit in one range. */
  endToFit(bytes: number): number {
    const last = this.#free.at(-1);
    const start = last?.end === this.#end ? last.start : this.#end;
    return start + roundUp(bytes, ALIGNMENT);
  }

  /** The region now ends at `end`. */
  extend(end: number): void {
    const alignedEnd = Math.floor(end / ALIGNMENT) * ALIGNMENT;
    if (alignedEnd <= this.#end) return;
    const start = this.#end;
    this.#end = alignedEnd;
    this.#insert({ start, end: alignedEnd });
  }

  /** Address of `bytes` free bytes, or undefined if the region must be extended first. */
  allocate(bytes: number): number | undefined {
    const size = Math.max(ALIGNMENT, roundUp(bytes, ALIGNMENT));
    const index = this.#free.findIndex(({ start, end }) => end - start >= size);
    const range = this.#free[index];
    if (!range) return undefined;
    const address = range.start;
    range.start += size;
    if (range.start === range.end) this.#free.splice(index, 1);
    this.#taken.set(address, address + size);
    return address;
  }

  /** @throws Error if nothing was allocated at `address` or it was freed before */
  free(address: number): void {
    const end = this.#taken.get(address);
    if (end === undefined) throw new Error(`Allocator.free: expected an allocated address, got ${address}`);
    this.#taken.delete(address);
    this.#insert({ start: address, end });
  }

  #insert(range: Range): void {
    let index = this.#free.findIndex(({ start }) => start > range.start);
    if (index < 0) index = this.#free.length;
    const before = this.#free[index - 1];
    const after = this.#free[index];
    if (before && before.end === range.start) {
      before.end = range.end;
      if (after && after.start === before.end) {
        before.end = after.end;
        this.#free.splice(index, 1);
      }
    } else if (after && after.start === range.end) {
      after.start = range.start;
    } else {
      this.#free.splice(index, 0, range);
    }
  }
}

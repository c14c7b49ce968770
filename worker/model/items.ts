/**
 * What a model is, part 5: `items.txt`, the catalogue of a recommender. One id a line, UTF-8, in the order of the
 * embedding's rows.
 *
 * A million ids as strings in a Map would be a hundred megabytes of heap. They stay the bytes of the file; beside them
 * are the places where they begin, one of sixteen, and a table of rows by the hash of their ids (open addressing, linear
 * probing): 14 bytes an item besides its id.
 */

import { type RecommendationConfig, tensorSpecs } from "./config.ts";
import { roundUp, TILE_N } from "./format.ts";

/** Most bytes of an id: it has to fit into a line of a catalogue, and into an answer. */
export const MAX_ITEM_ID_BYTES = 256;

/**
 * Most memory that a recommender may take, weights, working buffers and catalogue together. An isolate has 128 MB, and
 * half of it is for the requests and for other models.
 */
export const MAX_RECOMMENDER_BYTES = 64e6;

/** Places that are kept: of every sixteenth item. */
const STRIDE = 16;
/** Slots of the table for an item. */
const SLOTS_PER_ITEM = 1.5;
const NEWLINE = 10;
const EMPTY = -1;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of an `items.txt`. */
export function formatItems(ids: readonly string[]): string {
  return ids.map((id) => `${id}\n`).join("");
}

/** Why something is not an id, or undefined. */
export function whyNoItemId(id: string): string | undefined {
  if (id === "") return "expected an id, got none";
  if (/[\r\n]/.test(id)) return `expected an id without line breaks, got ${JSON.stringify(id.slice(0, 40))}`;
  if (!id.isWellFormed()) return `expected Unicode text, got ${JSON.stringify(id.slice(0, 40))}`;
  const { length } = encoder.encode(id);
  return length > MAX_ITEM_ID_BYTES ? `expected at most ${MAX_ITEM_ID_BYTES} bytes, got ${length}` : undefined;
}

/** Bytes of memory that a catalogue takes whose file has so many. */
export function catalogueBytes(items: number, fileBytes: number): number {
  return fileBytes + 4 * Math.ceil(items / STRIDE) + 4 * slotsFor(items);
}

/**
 * Bytes that a recommender takes when it answers: weights, neighbours, the scores of all items, the run state, the
 * catalogue.
 * @param fileBytes of its `items.txt`
 */
export function recommenderBytes(config: RecommendationConfig, fileBytes: number): number {
  const weights = tensorSpecs(config).reduce((sum, { shape: [n, k], kind }) => {
    // A byte a weight and eight for each row's scale and sum, or four a number.
    return sum + (kind === "matrix" ? roundUp(n, TILE_N) * (k! + 8) : 4 * roundUp(n * (k ?? 1), TILE_N));
  }, 0);
  const { d_model, d_ff, vocab_size, max_seq_len, neighbours } = config;
  const near = neighbours ? roundUp(vocab_size, TILE_N) * (5 * neighbours.count + 4) : 0;
  const scores = 4 * roundUp(vocab_size, TILE_N);
  const state = max_seq_len * (8 * d_model + Math.max(d_model, d_ff) + 4 * Math.max(3 * d_model, d_ff));
  return weights + near + scores + state + catalogueBytes(vocab_size, fileBytes);
}

/** @throws Error if it is more than an isolate can spare, naming what would fit */
export function checkRecommenderMemory(config: RecommendationConfig, fileBytes: number): void {
  const bytes = recommenderBytes(config, fileBytes);
  if (bytes <= MAX_RECOMMENDER_BYTES) return;
  const { vocab_size, d_model } = config;
  const fits = Math.floor((d_model - (bytes - MAX_RECOMMENDER_BYTES) / vocab_size) / 16) * 16;
  const advice = fits >= 16 ? `train it with a d_model of ${fits} at most` : "leave the rarest items out";
  throw new Error(
    `a recommender of ${vocab_size} items with a d_model of ${d_model} takes ${megabytes(bytes)} of memory; ` +
      `expected at most ${megabytes(MAX_RECOMMENDER_BYTES)}: ${advice}`,
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function slotsFor(items: number): number {
  return Math.ceil(items * SLOTS_PER_ITEM) + 1;
}

export class Catalogue {
  readonly size: number;
  readonly #bytes: Uint8Array;
  /** Where the ids of rows 0, 16, 32 … begin. */
  readonly #starts: Uint32Array;
  /** Rows by hash; EMPTY where there is none. */
  readonly #slots: Int32Array;

  /**
   * @param bytes of an `items.txt`, kept
   * @param expected how many items, as the configuration says
   * @throws Error naming the line: another number of ids, an empty one, one that stands there twice; not UTF-8
   */
  constructor(bytes: Uint8Array, expected: number) {
    this.#bytes = bytes;
    this.size = expected;
    this.#starts = new Uint32Array(Math.ceil(expected / STRIDE));
    this.#slots = new Int32Array(slotsFor(expected)).fill(EMPTY);
    let row = 0;
    for (let start = 0; start < bytes.length; row++) {
      const end = bytes.indexOf(NEWLINE, start);
      const place = `items.txt, line ${row + 1}`;
      if (end < 0) throw new Error(`${place}: expected a line feed at its end; export the model again`);
      if (end === start) throw new Error(`${place}: expected an id, got an empty line; export the model again`);
      if (row >= expected) throw new Error(`items.txt: expected ${expected} ids, got more; export the model again`);
      if (row % STRIDE === 0) this.#starts[row / STRIDE] = start;
      this.#insert(row, start, end, place);
      start = end + 1;
    }
    if (row < expected) throw new Error(`items.txt: expected ${expected} ids, got ${row}; export the model again`);
  }

  /** Bytes of memory. */
  get memoryBytes(): number {
    return this.#bytes.length + this.#starts.byteLength + this.#slots.byteLength;
  }

  /** The row of an id, or undefined if the catalogue does not have it. */
  rowOf(id: string): number | undefined {
    // What cannot be an id would be compared as another text, or across lines.
    if (whyNoItemId(id) !== undefined) return undefined;
    const wanted = encoder.encode(id);
    const slot = this.#find(wanted, 0, wanted.length);
    const row = this.#slots[slot]!;
    return row === EMPTY ? undefined : row;
  }

  /** @throws RangeError if there is no such row */
  idOf(row: number): string {
    if (!Number.isInteger(row) || row < 0 || row >= this.size) {
      throw new RangeError(`Catalogue: expected a row in 0…${this.size - 1}, got ${row}`);
    }
    const start = this.#startOf(row);
    return decoder.decode(this.#bytes.subarray(start, this.#bytes.indexOf(NEWLINE, start)));
  }

  #startOf(row: number): number {
    let start = this.#starts[Math.floor(row / STRIDE)]!;
    for (let i = row % STRIDE; i > 0; i--) start = this.#bytes.indexOf(NEWLINE, start) + 1;
    return start;
  }

  #insert(row: number, start: number, end: number, place: string): void {
    const slot = this.#find(this.#bytes, start, end);
    if (this.#slots[slot] !== EMPTY) {
      const id = decoder.decode(this.#bytes.subarray(start, end));
      throw new Error(
        `${place}: expected ids that differ, got ${JSON.stringify(id)} again; it is in line ${this.#slots[slot]! + 1}`,
      );
    }
    this.#slots[slot] = row;
  }

  /** The slot that holds an id, or the empty one where it would be. */
  #find(bytes: Uint8Array, start: number, end: number): number {
    const { length } = this.#slots;
    let slot = hash(bytes, start, end) % length;
    while (this.#slots[slot] !== EMPTY && !this.#equals(this.#slots[slot]!, bytes, start, end)) {
      slot = slot + 1 === length ? 0 : slot + 1;
    }
    return slot;
  }

  #equals(row: number, bytes: Uint8Array, start: number, end: number): boolean {
    const own = this.#startOf(row);
    for (let i = start; i < end; i++) if (this.#bytes[own + i - start] !== bytes[i]) return false;
    return this.#bytes[own + end - start] === NEWLINE;
  }
}

/** FNV-1a (Fowler, Noll, Vo), 32 bits, mixed once more as its low bits are weak. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let h = 0x811c9dc5;
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}

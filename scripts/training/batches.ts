/**
 * Packed batches of one shape: items (sentence pairs, texts) are laid side by side into rows, first fit over a window
 * of open rows, so that short and long ones share a row and little is padding. What a batch holds follows from the
 * seed and the epoch alone. How an item becomes arrays is the task's own (translation-batches.ts, text-batches.ts).
 */
import { shuffle, uniformStream } from "./random.ts";

/** An array of a batch before it is on the device, int32 row-major. */
export interface HostArray {
  data: Int32Array<ArrayBuffer>;
  shape: number[];
}

export interface HostBatch {
  arrays: Record<string, HostArray>;
  /** What the loss is summed over: target tokens, texts or hidden tokens. */
  count: number;
  /** Real tokens, for the training rate. */
  tokens: number;
}

/** Rows that are filled at the same time: more pack better, and mix lengths less randomly. */
const OPEN_ROWS = 64;

/** What items take of a row and what a row has, in the same order, e.g. source tokens and target tokens. */
export interface Packing<Item> {
  cost(item: Item): number[];
  capacity: number[];
}

export function fits<Item>(item: Item, { cost, capacity }: Packing<Item>): boolean {
  return cost(item).every((c, i) => c <= capacity[i]!);
}

/**
 * Packs items into rows, first fit, in the given order.
 * @throws RangeError if an item is larger than a row
 */
export function packRows<Item>(items: Item[], packing: Packing<Item>): Item[][] {
  interface Row {
    items: Item[];
    free: number[];
  }
  const closed: Row[] = [];
  const open: Row[] = [];
  for (const item of items) {
    const cost = packing.cost(item);
    if (!fits(item, packing)) throw new RangeError(`packRows: expected at most [${packing.capacity}], got [${cost}]`);
    let row = open.find(({ free }) => cost.every((c, i) => c <= free[i]!));
    if (!row) {
      if (open.length === OPEN_ROWS) {
        const room = ({ free }: Row) => Math.min(...free.map((f, i) => f / packing.capacity[i]!));
        let fullest = 0;
        for (let i = 1; i < open.length; i++) if (room(open[i]!) < room(open[fullest]!)) fullest = i;
        closed.push(...open.splice(fullest, 1));
      }
      row = { items: [], free: [...packing.capacity] };
      open.push(row);
    }
    row.items.push(item);
    row.free = row.free.map((f, i) => f - cost[i]!);
  }
  return [...closed, ...open].map((row) => row.items);
}

/**
 * The rows of an epoch in a new random order, dealt out in groups of `count` batches, one per replica. The last group
 * has shorter batches, or empty ones.
 */
export function* epochRows<Item>(
  items: Item[],
  packing: Packing<Item>,
  { rows, count, seed }: { rows: number; count: number; seed: number },
): Generator<Item[][][]> {
  const uniform = uniformStream(seed);
  const packed = shuffle(packRows(shuffle([...items], uniform), packing), uniform);
  const group = rows * count;
  for (let i = 0; i < packed.length; i += group) {
    // Dealt like cards, so that the rows of a short last group are spread over the replicas.
    yield Array.from({ length: count }, (_, r) => packed.slice(i, i + group).filter((_row, j) => j % count === r));
  }
}

/** A zeroed array of a batch, or one filled with `value`. */
export function hostArray(shape: number[], value = 0): HostArray {
  const length = shape.reduce((product, s) => product * s, 1);
  return { data: new Int32Array(length).fill(value), shape };
}

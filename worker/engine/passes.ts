/**
 * Any number of texts through an encoder, a pass after the other: of a bounded size, so that memory is bounded, too, and
 * between two passes the event loop gets its turn.
 */
import { makeTurns, type TurnOptions } from "./turns.ts";

/** Tokens of a pass, at most (one text may exceed it): the rows of its products. More would not make them faster. */
const MAX_ROWS = 128;

/** What goes through, and what a pass of it costs and gives. */
export interface Passes<Item, Result> {
  /** Tokens of one. */
  rows(item: Item): number;
  /** Work of a pass over so many with so many tokens in all, in multiply-adds. */
  macs(items: number, rows: number): number;
  /** One pass: a result for each. */
  step(items: Item[]): Result[];
}

/**
 * @returns the result of each item, in their order
 * @throws the signal's reason if aborted
 */
export async function runPasses<Item, Result>(
  items: readonly Item[],
  { rows, macs, step }: Passes<Item, Result>,
  options: TurnOptions,
): Promise<Result[]> {
  const takeTurns = makeTurns(options);
  const results: Result[] = [];
  while (results.length < items.length) {
    const pass: Item[] = [];
    let total = 0;
    for (let i = results.length; i < items.length; i++) {
      const item = items[i]!;
      if (pass.length > 0 && total + rows(item) > MAX_ROWS) break;
      pass.push(item);
      total += rows(item);
    }
    await takeTurns(macs(pass.length, total));
    results.push(...step(pass));
  }
  return results;
}

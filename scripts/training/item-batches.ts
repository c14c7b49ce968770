/** Histories of items → packed batches, as `NextItemBatch` names the arrays. */
import { epochRows, type HostBatch, hostArray, type Packing } from "./batches.ts";

/** Items by their rows in the embedding, oldest first. */
export type History = readonly number[];

/** Rows of a batch, and items of a row. */
export interface HistoryShape {
  rows: number;
  length: number;
}

/** What is fed, and what has to be named: all but the last item, and all but the first. */
const inputs = (history: History) => history.length - 1;

/** Of a history with more than one item. */
export function historyPacking({ length }: HistoryShape): Packing<History> {
  return { cost: (history) => [inputs(history)], capacity: [length] };
}

/** All batches of an epoch, in groups of `count`, one per replica. Histories have 2 to `length` + 1 items. */
export function* nextItemBatches(
  histories: readonly History[],
  shape: HistoryShape,
  seed: number,
  count: number,
): Generator<HostBatch[]> {
  for (const group of epochRows([...histories], historyPacking(shape), { rows: shape.rows, count, seed })) {
    yield group.map((rows) => fillBatch(rows, shape));
  }
}

function fillBatch(rows: History[][], { rows: height, length }: HistoryShape): HostBatch {
  const source = hostArray([height, length]);
  const sourceSegment = hostArray([height, length]);
  const sourcePosition = hostArray([height, length]);
  const label = hostArray([height, length], -1);
  let total = 0;
  rows.forEach((row, r) => {
    let at = r * length;
    row.forEach((history, slot) => {
      const fed = inputs(history);
      for (let i = 0; i < fed; i++, at++) {
        source.data[at] = history[i]!;
        sourceSegment.data[at] = slot + 1;
        sourcePosition.data[at] = fed - 1 - i;
        label.data[at] = history[i + 1]!;
      }
      total += fed;
    });
  });
  return { arrays: { source, sourceSegment, sourcePosition, label }, count: total, tokens: total };
}

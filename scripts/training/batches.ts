/**
 * Sentence pairs → packed batches of one shape. Pairs are laid side by side into rows (first fit over a window of
 * open rows), so that short and long sentences share a row and little is padding. What a batch holds follows from
 * the seed and the epoch alone.
 */
import { shuffle, uniformStream } from "./random.ts";

/** Token ids without specials. */
export interface TokenPair {
  source: number[];
  target: number[];
}

export interface BatchShape {
  rows: number;
  sourceLength: number;
  targetLength: number;
}

/** The arrays of one batch, all [rows, length] row-major; see `Batch` in network.ts. */
export interface HostBatch {
  source: Int32Array<ArrayBuffer>;
  sourceSegment: Int32Array<ArrayBuffer>;
  sourcePosition: Int32Array<ArrayBuffer>;
  target: Int32Array<ArrayBuffer>;
  label: Int32Array<ArrayBuffer>;
  targetSegment: Int32Array<ArrayBuffer>;
  targetPosition: Int32Array<ArrayBuffer>;
  /** Real target tokens, eos included. */
  tokens: number;
}

interface SpecialTokens {
  bos_token_id: number;
  eos_token_id: number;
  pad_token_id: number;
}

/** Rows that are filled at the same time: more pack better, and mix lengths less randomly. */
const OPEN_ROWS = 64;

interface Row {
  pairs: TokenPair[];
  source: number;
  target: number;
}

/** Whether a pair fits into a row at all, with its eos and bos. */
export function fits(pair: TokenPair, shape: BatchShape): boolean {
  return pair.source.length < shape.sourceLength && pair.target.length < shape.targetLength;
}

/** Packs pairs into rows, first fit, in the given order. */
function packRows(pairs: TokenPair[], shape: BatchShape): Row[] {
  const closed: Row[] = [];
  const open: Row[] = [];
  for (const pair of pairs) {
    const source = pair.source.length + 1;
    const target = pair.target.length + 1;
    let row = open.find((r) => r.source + source <= shape.sourceLength && r.target + target <= shape.targetLength);
    if (!row) {
      if (open.length === OPEN_ROWS) {
        let fullest = 0;
        for (let i = 1; i < open.length; i++) if (open[i]!.target > open[fullest]!.target) fullest = i;
        closed.push(...open.splice(fullest, 1));
      }
      row = { pairs: [], source: 0, target: 0 };
      open.push(row);
    }
    row.pairs.push(pair);
    row.source += source;
    row.target += target;
  }
  return [...closed, ...open];
}

/** Writes rows into the arrays of one batch; rows that are missing stay padding. */
function fillBatch(rows: Row[], shape: BatchShape, special: SpecialTokens): HostBatch {
  const sources = shape.rows * shape.sourceLength;
  const targets = shape.rows * shape.targetLength;
  const batch: HostBatch = {
    source: new Int32Array(sources).fill(special.pad_token_id),
    sourceSegment: new Int32Array(sources),
    sourcePosition: new Int32Array(sources),
    target: new Int32Array(targets).fill(special.pad_token_id),
    label: new Int32Array(targets).fill(special.pad_token_id),
    targetSegment: new Int32Array(targets),
    targetPosition: new Int32Array(targets),
    tokens: 0,
  };
  rows.forEach((row, r) => {
    let s = r * shape.sourceLength;
    let t = r * shape.targetLength;
    row.pairs.forEach((pair, p) => {
      for (let i = 0; i <= pair.source.length; i++, s++) {
        batch.source[s] = pair.source[i] ?? special.eos_token_id;
        batch.sourceSegment[s] = p + 1;
        batch.sourcePosition[s] = i;
      }
      for (let i = 0; i <= pair.target.length; i++, t++) {
        batch.target[t] = i === 0 ? special.bos_token_id : pair.target[i - 1]!;
        batch.label[t] = pair.target[i] ?? special.eos_token_id;
        batch.targetSegment[t] = p + 1;
        batch.targetPosition[t] = i;
      }
    });
    batch.tokens += row.target;
  });
  return batch;
}

/**
 * All batches of an epoch, in a new random order.
 * @param count batches come in groups of this many, one per replica; the last group is filled with empty ones
 */
export function* epochBatches(
  pairs: TokenPair[],
  shape: BatchShape,
  special: SpecialTokens,
  seed: number,
  count: number,
): Generator<HostBatch[]> {
  const uniform = uniformStream(seed);
  const rows = shuffle(packRows(shuffle([...pairs], uniform), shape), uniform);
  const group = shape.rows * count;
  for (let i = 0; i < rows.length; i += group) {
    yield Array.from({ length: count }, (_, r) => {
      // Dealt like cards, so that the rows of a short last group are spread over the replicas.
      const own = rows.slice(i, i + group).filter((_, j) => j % count === r);
      return fillBatch(own, shape, special);
    });
  }
}

/** How many groups `epochBatches` will give, and which share of the target positions is real. */
export function packingFigures(pairs: TokenPair[], shape: BatchShape, count: number) {
  const rows = packRows(pairs, shape);
  const tokens = rows.reduce((sum, row) => sum + row.target, 0);
  return {
    groups: Math.ceil(rows.length / (shape.rows * count)),
    realShare: tokens / (rows.length * shape.targetLength),
    tokens,
  };
}

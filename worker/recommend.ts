/**
 * Recommends items of a catalogue to the owner of a history: ids to rows, one pass of the engine, rows to ids, and what of
 * the history spoke for each. Who has no history that the model knows gets what is most popular. Knows no HTTP;
 * routes/recommend.ts has the schemas.
 */
import type { LoadedModel } from "./loaded-model.ts";

export interface RecommendOptions {
  /** How many, at most. */
  topK: number;
  /** Whether what is in the history is left out. */
  excludeSeen: boolean;
  filter: {
    /** If given, only these come out. */
    only?: readonly string[] | undefined;
    /** These never do. */
    except?: readonly string[] | undefined;
  };
}

export interface Recommendation {
  id: string;
  /** How likely it is to come next, among all that may come out; null of what is only popular. */
  probability: number | null;
  /** The items of the history that speak for it most, with their shares of what all of them say; most first. */
  because: { id: string; share: number }[];
}

export interface Recommendations {
  /** Best first. */
  recommendations: Recommendation[];
  /** What they rest on: popularity where there is no item in the history that the model knows. */
  based_on: "history" | "popularity";
  /** Items of the history that were read: the latest that the model knows. */
  history_items: number;
  /** Ids that are not in the catalogue, each once. */
  unknown: { history: string[]; filter: string[] };
}

/** Reasons of a recommendation, and the least share that is one. */
const MAX_REASONS = 3;
const LEAST_SHARE = 0.1;

/** @param history ids, oldest first */
export function recommend(
  history: readonly string[],
  { manifest, engine, catalogue }: LoadedModel<"recommendation">,
  { topK, excludeSeen, filter }: RecommendOptions,
): Recommendations {
  const known = findRows(history, catalogue);
  const only = filter.only && findRows(filter.only, catalogue);
  const except = findRows(filter.except ?? [], catalogue);
  const read = known.rows.slice(-manifest.config.max_seq_len);
  const selection = {
    k: topK,
    except: excludeSeen ? [...known.rows, ...except.rows] : except.rows,
    ...(only && { only: [...new Set(only.rows)] }),
  };
  const facts = {
    history_items: read.length,
    unknown: { history: known.unknown, filter: [...new Set([...(only?.unknown ?? []), ...except.unknown])] },
  };
  if (read.length === 0) {
    const recommendations = mostPopular(catalogue.size, selection).map((row) => ({
      id: catalogue.idOf(row),
      probability: null,
      because: [],
    }));
    return { recommendations, based_on: "popularity", ...facts };
  }
  const { items, logProbs } = engine.recommend(read, selection);
  const influences = engine.influences(read, items);
  const recommendations = items.map((row, i) => ({
    id: catalogue.idOf(row),
    probability: round(Math.exp(logProbs[i]!)),
    because: reasons(read, influences[i]!).map(({ item, share }) => ({
      id: catalogue.idOf(item),
      share: round(share),
    })),
  }));
  return { recommendations, based_on: "history", ...facts };
}

function findRows(
  ids: readonly string[],
  catalogue: LoadedModel<"recommendation">["catalogue"],
): { rows: number[]; unknown: string[] } {
  const rows: number[] = [];
  const unknown = new Set<string>();
  for (const id of ids) {
    const row = catalogue.rowOf(id);
    if (row === undefined) unknown.add(id);
    else rows.push(row);
  }
  return { rows, unknown: [...unknown] };
}

/** The first rows that may come out: the catalogue is ordered by popularity. */
function mostPopular(
  size: number,
  { k, except, only }: { k: number; except: readonly number[]; only?: readonly number[] },
): number[] {
  const left = new Set(except);
  if (only) {
    return only
      .filter((row) => !left.has(row))
      .sort((a, b) => a - b)
      .slice(0, k);
  }
  const rows: number[] = [];
  for (let row = 0; rows.length < k && row < size; row++) if (!left.has(row)) rows.push(row);
  return rows;
}

/** The items with the most influence; one that the history has twice counts once, with both. */
function reasons(history: readonly number[], influences: Float64Array): { item: number; share: number }[] {
  const shares = new Map<number, number>();
  for (const [i, item] of history.entries()) shares.set(item, (shares.get(item) ?? 0) + influences[i]!);
  return [...shares]
    .map(([item, share]) => ({ item, share }))
    .filter(({ share }) => share >= LEAST_SHARE)
    .sort((a, b) => b.share - a.share)
    .slice(0, MAX_REASONS);
}

/** To what a reader can use. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}

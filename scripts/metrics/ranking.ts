/**
 * How good rankings are where one item is right (leave one out): Recall@k, also called hit rate, and NDCG@k (Järvelin &
 * Kekäläinen 2002), 1 / log2(1 + place) of the right one.
 */
export interface RankingQuality {
  recall: number;
  ndcg: number;
  questions: number;
}

/** @param places of the right item in each ranking, from 1; undefined where it is not among the first k */
export function rankingQuality(places: readonly (number | undefined)[]): RankingQuality {
  let hits = 0;
  let gain = 0;
  for (const place of places) {
    if (place === undefined) continue;
    hits++;
    gain += 1 / Math.log2(1 + place);
  }
  return { recall: hits / places.length, ndcg: gain / places.length, questions: places.length };
}

/** The place of an item in a ranking, from 1. */
export function placeOf(ranking: readonly number[], item: number): number | undefined {
  const i = ranking.indexOf(item);
  return i < 0 ? undefined : i + 1;
}

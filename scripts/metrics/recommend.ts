/** The engine's answers to questions of a split: full ranking over the catalogue, what the user had left out. */
import type { Recommender } from "../../worker/engine/recommender.ts";
import type { Question } from "../data/histories.ts";
import { placeOf } from "./ranking.ts";

/** How many recommendations count. */
export const CUTOFF = 10;

/** The place of what came next among the first `CUTOFF`. */
export function rankNext(model: Recommender, { history, next }: Question): number | undefined {
  const latest = history.slice(-model.config.max_seq_len);
  return placeOf(model.recommend(latest, { k: CUTOFF, except: history }).items, next);
}

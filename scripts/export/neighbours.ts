/**
 * The nearest neighbours that a recommender gets beside its network: those of its training histories, and how loud they
 * are, chosen on dev. The network knows what goes with what in general, and they know the pairs that it had no room for.
 */
import type { Recommender } from "../../worker/engine/recommender.ts";
import type { RecommendationConfig } from "../../worker/model/config.ts";
import type { NeighbourLists } from "../../worker/model/format.ts";
import { ItemKnn } from "../baselines/item-knn.ts";
import { type HistorySplits, type Question, sampleQuestions } from "../data/histories.ts";
import { CUTOFF } from "../metrics/recommend.ts";

type Settings = NonNullable<RecommendationConfig["neighbours"]>;

export interface ChosenNeighbours {
  lists: NeighbourLists;
  settings: Settings;
  /** NDCG@10 on the sample of dev, without and with them. */
  without: number;
  with: number;
}

export const NEIGHBOUR_COUNT = 16;
const SHRINKAGES = [5, 20, 50];
const DECAYS = [0.3, 0.5, 0.65, 0.8];
const FACTORS = [3, 10, 30, 100, 300];
const WEIGHTS = [0.25, 0.5, 0.75, 1, 1.5];
/** Questions of dev that they are chosen on, about. */
const QUESTIONS = 6_000;

/**
 * @param model the network alone
 * @returns undefined if it is better off without
 */
export function chooseNeighbours(model: Recommender, splits: HistorySplits): ChosenNeighbours | undefined {
  const knn = new ItemKnn(splits);
  const questions = sampleQuestions(splits.dev, QUESTIONS);
  const lists = SHRINKAGES.map((shrinkage) => knn.nearest(NEIGHBOUR_COUNT, shrinkage));
  const sums = new Map<Settings, { gain: number; lists: NeighbourLists }>();
  const all = lists.map((of) =>
    DECAYS.map((decay) => ({
      decay,
      variants: FACTORS.flatMap((factor) =>
        WEIGHTS.map((weight) => {
          const settings = { count: NEIGHBOUR_COUNT, decay, factor, weight };
          const sum = { gain: 0, lists: of };
          sums.set(settings, sum);
          return { settings, sum };
        }),
      ),
    })),
  );
  let without = 0;
  for (const question of questions) {
    const logits = model.score(question.history.slice(-model.config.max_seq_len));
    for (const item of question.history) logits[item] = -Infinity;
    without += gainAt(1 + countAbove(logits, logits[question.next]!));
    for (const [i, of] of lists.entries()) {
      for (const { decay, variants } of all[i]!) {
        const near = nearnessOf(question, of, decay, model.config.max_seq_len);
        const silent = bestOf(logits, near);
        for (const { settings, sum } of variants)
          sum.gain += gainAt(placeWith(logits, near, silent, question.next, settings));
      }
    }
  }
  const [settings, best] = [...sums].reduce((a, b) => (b[1].gain > a[1].gain ? b : a));
  if (best.gain <= without) return undefined;
  const { length } = questions;
  return { lists: best.lists, settings, without: without / length, with: best.gain / length };
}

/** Σ decay^age · nearness of every item that is near to one of the history, and not in it. */
function nearnessOf({ history }: Question, lists: NeighbourLists, decay: number, latest: number): Map<number, number> {
  const near = new Map<number, number>();
  let share = 1;
  for (const own of history.slice(-latest).toReversed()) {
    for (const { item, nearness } of lists[own]!) near.set(item, (near.get(item) ?? 0) + share * nearness);
    share *= decay;
  }
  for (const item of history) near.delete(item);
  return near;
}

/** The largest logits of those that nobody is near to, as many as count, largest first. */
function bestOf(logits: Float32Array, near: Map<number, number>): number[] {
  const best: number[] = [];
  for (let item = 0; item < logits.length; item++) {
    const logit = logits[item]!;
    if (best.length === CUTOFF && logit <= best[CUTOFF - 1]!) continue;
    if (near.has(item)) continue;
    const at = best.findIndex((other) => logit > other);
    best.splice(at < 0 ? best.length : at, 0, logit);
    if (best.length > CUTOFF) best.pop();
  }
  return best;
}

/** The place of an item, from 1, or any place below what counts. */
function placeWith(
  logits: Float32Array,
  near: Map<number, number>,
  silent: number[],
  item: number,
  { factor, weight }: Settings,
): number {
  const raised = (other: number, k: number) => logits[other]! + weight * Math.log1p(factor * k);
  const wanted = raised(item, near.get(item) ?? 0);
  let place = 1 + silent.filter((logit) => logit > wanted).length;
  if (place > CUTOFF) return place;
  for (const [other, k] of near) if (raised(other, k) > wanted) place++;
  return place;
}

function countAbove(values: Float32Array, limit: number): number {
  let count = 0;
  for (const value of values) if (value > limit) count++;
  return count;
}

/** What a place counts in NDCG. */
function gainAt(place: number): number {
  return place > CUTOFF ? 0 : 1 / Math.log2(1 + place);
}

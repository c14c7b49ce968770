/**
 * Item-based nearest neighbours (Sarwar et al. 2001), what a recommender has to beat: two items are as near as the cosine
 * of the users who took them, shrunk where few did (Bell & Koren 2007); an item's score is the sum over the history, in
 * which what is longer ago counts less.
 */
import type { NeighbourLists } from "../../worker/model/format.ts";
import { type HistorySplits, type Question, sampleQuestions } from "../data/histories.ts";
import { placeOf, type RankingQuality, rankingQuality } from "../metrics/ranking.ts";
import { CUTOFF } from "../metrics/recommend.ts";

export interface KnnOptions {
  /** Added to √(users of one · users of the other). */
  shrinkage: number;
  /** What an item of the history counts compared with the one after it. */
  decay: number;
}

const SHRINKAGES = [2, 5, 10, 20, 50];
const DECAYS = [1, 0.8, 0.65, 0.5, 0.35];
/** Questions that the options are chosen on, about. */
const TUNING_QUESTIONS = 2_000;
/** Items of a history that are compared with one another: the work grows with its square. */
const MAX_HISTORY = 200;

/** How many users took both of two items. */
export class ItemKnn {
  /** By item: the square root of how many users took it. */
  readonly #roots: Float64Array;
  /** By item: the others, and how many users took both. */
  readonly #others: Int32Array[];
  readonly #together: Float32Array[];
  readonly #scores: Float64Array;

  constructor({ items, train }: Pick<HistorySplits, "items" | "train">) {
    const histories = train.map((history) => [...new Set(history.slice(-MAX_HISTORY))]);
    const takers: number[][] = items.map(() => []);
    for (const [user, history] of histories.entries()) for (const item of history) takers[item]!.push(user);
    this.#roots = Float64Array.from(takers, ({ length }) => Math.sqrt(length));
    this.#others = [];
    this.#together = [];
    this.#scores = new Float64Array(items.length);
    const counts = new Float32Array(items.length);
    for (const [item, users] of takers.entries()) {
      const others: number[] = [];
      for (const user of users) {
        for (const other of histories[user]!) {
          if (other === item) continue;
          if (counts[other]!++ === 0) others.push(other);
        }
      }
      this.#others.push(Int32Array.from(others));
      this.#together.push(Float32Array.from(others, (other) => counts[other]!));
      for (const other of others) counts[other] = 0;
    }
  }

  /** The k best items that are not in the history; of equal ones the more popular first. */
  rank(history: readonly number[], { shrinkage, decay }: KnnOptions, k: number): number[] {
    const scores = this.#scores;
    const roots = this.#roots;
    const touched: number[] = [];
    let weight = 1;
    for (let i = history.length - 1; i >= 0 && weight > 1e-3; i--, weight *= decay) {
      const item = history[i]!;
      const others = this.#others[item]!;
      const together = this.#together[item]!;
      const root = roots[item]!;
      for (let j = 0; j < others.length; j++) {
        const other = others[j]!;
        if (scores[other] === 0) touched.push(other);
        scores[other]! += (weight * together[j]!) / (root * roots[other]! + shrinkage);
      }
    }
    for (const item of history) scores[item] = 0;
    const best: number[] = [];
    const isBefore = (a: number, b: number) => scores[a]! > scores[b]! || (scores[a] === scores[b] && a < b);
    for (const item of touched) {
      if (scores[item] === 0 || (best.length === k && !isBefore(item, best[k - 1]!))) continue;
      let at = best.length;
      while (at > 0 && isBefore(item, best[at - 1]!)) at--;
      best.splice(at, 0, item);
      if (best.length > k) best.pop();
    }
    for (const item of touched) scores[item] = 0;
    return best;
  }

  /** Those nearest to each item, nearest first, at most `count`; of equally near ones the more popular first. */
  nearest(count: number, shrinkage: number): NeighbourLists {
    const roots = this.#roots;
    return this.#others.map((others, item) => {
      const together = this.#together[item]!;
      const list = Array.from(others, (other, j) => ({
        item: other,
        nearness: together[j]! / (roots[item]! * roots[other]! + shrinkage),
      }));
      return list.sort((a, b) => b.nearness - a.nearness || a.item - b.item).slice(0, count);
    });
  }

  quality(questions: readonly Question[], options: KnnOptions): RankingQuality {
    return rankingQuality(questions.map(({ history, next }) => placeOf(this.rank(history, options, CUTOFF), next)));
  }

  /** The options with the best NDCG@10 on questions, of some thousands of them. */
  tune(questions: readonly Question[]): KnnOptions {
    const some = sampleQuestions(questions, TUNING_QUESTIONS);
    let best: { options: KnnOptions; ndcg: number } | undefined;
    for (const shrinkage of SHRINKAGES) {
      for (const decay of DECAYS) {
        const options = { shrinkage, decay };
        const { ndcg } = this.quality(some, options);
        if (!best || ndcg > best.ndcg) best = { options, ndcg };
      }
    }
    return best!.options;
  }
}

/** What everyone takes: the same for all, without what the user has. */
export function popularityQuality({ items }: HistorySplits, questions: readonly Question[]): RankingQuality {
  return rankingQuality(
    questions.map(({ history, next }) => {
      const seen = new Set(history);
      const ranking: number[] = [];
      for (let row = 0; ranking.length < CUTOFF && row < items.length; row++) if (!seen.has(row)) ranking.push(row);
      return placeOf(ranking, next);
    }),
  );
}

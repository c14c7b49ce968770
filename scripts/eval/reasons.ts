/**
 * Whether the reasons of a recommendation are reasons: the item of a history that is named first, against the one without
 * which the recommended item loses most of its log-probability. Measured of several ways to name it.
 */
import { REASON_DECAY, type Recommender } from "../../worker/engine/recommender.ts";
import type { Question } from "../data/histories.ts";
import { formatTable, percent } from "../report/table.ts";

/** A way to say how much each item of a history speaks for the best recommendation: [history]. */
type Measure = (model: Recommender, history: readonly number[], item: number) => ArrayLike<number>;

const MEASURES: Record<string, Measure> = {
  "nearness in the embedding, the latest first (as the API)": (model, history, item) =>
    model.influences(history, [item])[0]!,
  "the same without the decay": (model, history, item) => {
    const [near] = model.influences(history, [item]);
    return near!.map((share, i) => share / REASON_DECAY ** (history.length - 1 - i));
  },
  "attention of the last layer": (model, history) => model.attention(history),
  "attention × nearness": (model, history, item) => {
    const [near] = model.influences(history, [item]);
    return model.attention(history).map((weight, i) => weight * near![i]!);
  },
  "the latest item": (_, history) => history.map((__, i) => i),
};

export interface ReasonQuality {
  measure: string;
  /** How often the first reason is the item whose loss costs most. */
  agreement: number;
  /** Share of the largest possible loss that leaving the first reason out costs. */
  effect: number;
}

/** Of users with more than one item. */
export function measureReasons(model: Recommender, questions: readonly Question[]): ReasonQuality[] {
  const sums = Object.keys(MEASURES).map(() => ({ hits: 0, effect: 0 }));
  let count = 0;
  for (const { history: whole } of questions) {
    const history = whole.slice(-model.config.max_seq_len);
    const [item] = model.recommend(history, { k: 1, except: whole }).items;
    if (history.length < 2 || item === undefined) continue;
    const full = logProb(model, history, item);
    const losses = history.map((_, i) => full - logProb(model, history.toSpliced(i, 1), item));
    const most = Math.max(...losses);
    if (most <= 0) continue;
    count++;
    Object.values(MEASURES).forEach((measure, m) => {
      const loss = losses[indexOfMax(measure(model, history, item))]!;
      sums[m]!.hits += Number(loss === most);
      sums[m]!.effect += loss / most;
    });
  }
  return Object.keys(MEASURES).map((measure, m) => ({
    measure,
    agreement: sums[m]!.hits / count,
    effect: sums[m]!.effect / count,
  }));
}

function logProb(model: Recommender, history: readonly number[], item: number): number {
  const logits = model.score(history);
  let sum = 0;
  const most = logits.reduce((a, b) => Math.max(a, b));
  for (const logit of logits) sum += Math.exp(logit - most);
  return logits[item]! - most - Math.log(sum);
}

function indexOfMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

export function formatReasons(rows: readonly ReasonQuality[]): string {
  return formatTable(
    ["the first reason by", "is the item that counts most, %", "costs of what that one costs, %"],
    rows.map(({ measure, agreement, effect }) => [measure, percent(agreement), percent(effect)]),
  );
}

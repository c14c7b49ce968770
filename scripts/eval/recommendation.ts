/**
 * Recommendation, measured: full ranking over the catalogue, what the user had left out; Recall@10 and NDCG@10 of the int8
 * model through the Worker's engine, beside what everyone takes and beside item-based nearest neighbours, whose options are
 * chosen on dev. `--reasons` holds what the model says about its reasons against what happens without them.
 */
import { loadRecommender } from "../../worker/engine/load.ts";
import type { Recommender } from "../../worker/engine/recommender.ts";
import type { RecommendationConfig } from "../../worker/model/config.ts";
import { formatItems } from "../../worker/model/items.ts";
import { ItemKnn, popularityQuality } from "../baselines/item-knn.ts";
import { writeJson } from "../cli.ts";
import { type HistorySplits, type Question, sampleQuestions, splitHistories } from "../data/histories.ts";
import { recordQuality } from "../export/card.ts";
import { loadKernels } from "../kernels.ts";
import { type RankingQuality, rankingQuality } from "../metrics/ranking.ts";
import { CUTOFF, rankNext } from "../metrics/recommend.ts";
import { type ModelFolder, weightsOf } from "../publish/model-folder.ts";
import type { RecommendationRecipe } from "../recipes/recipe.ts";
import { formatTable, percent } from "../report/table.ts";
import { checkSplit, type EvalOptions } from "./options.ts";
import { formatReasons, measureReasons } from "./reasons.ts";

export interface Compared {
  name: string;
  /** What the card calls it; undefined of the model itself. */
  baseline?: string;
  quality: RankingQuality;
}

export async function evaluateRecommendation(
  folder: ModelFolder,
  config: RecommendationConfig,
  recipe: RecommendationRecipe,
  options: EvalOptions,
): Promise<void> {
  const split = options.split ?? "test";
  checkSplit(split, ["dev", "test"]);
  if (options.float) throw new Error("eval: --float has no meaning for a model of recommendation");
  const { id } = folder.manifest;
  const splits = splitHistories(await recipe.set.load({ dataDir: options.data, cacheDir: options.cache }));
  if (formatItems(splits.items) !== new TextDecoder().decode(folder.contents.get("items.txt"))) {
    throw new Error(`eval: expected the catalogue of ${recipe.id}, ${id} has another one`);
  }
  const model = await loadRecommender(config, weightsOf(folder), await loadKernels(options.kernels));
  const all = splits[split as "dev" | "test"];
  const questions = options.limit === undefined ? all : sampleQuestions(all, options.limit);
  console.log(
    `${id} on ${split}: ${questions.length} users, full ranking over ${splits.items.length} items, what they had left out`,
  );
  const rows = [...compareBaselines(splits, questions), measureModel(id, model, questions)];
  console.log(formatQualities(rows));
  const reasons = options.reasons && measureReasons(model, sampleQuestions(splits.dev, options.reasons));
  if (reasons) console.log(`\n${formatReasons(reasons)}`);
  if (options.record) await recordQuality(folder.directory, cardFigures(`${recipe.set.title}: ${split}`, rows));
  if (options.json) {
    const qualities = Object.fromEntries(rows.map(({ name, quality }) => [name, quality]));
    await writeJson(options.json, {
      model: id,
      split,
      kernels: options.kernels,
      qualities,
      ...(reasons && { reasons }),
    });
  }
}

export function measureModel(name: string, model: Recommender, questions: readonly Question[]): Compared {
  const places = questions.map((question) => rankNext(model, question));
  return { name: `${name}, int8 in the Worker's engine`, quality: rankingQuality(places) };
}

/** Popularity, and item-based nearest neighbours tuned on dev. */
export function compareBaselines(splits: HistorySplits, questions: readonly Question[]): Compared[] {
  const knn = new ItemKnn(splits);
  const tuned = knn.tune(splits.dev);
  return [
    { name: "popularity", baseline: "popularity", quality: popularityQuality(splits, questions) },
    {
      name: `item-kNN (shrinkage ${tuned.shrinkage}, decay ${tuned.decay}, by dev)`,
      baseline: "item-kNN",
      quality: knn.quality(questions, tuned),
    },
  ];
}

export function formatQualities(rows: readonly Compared[]): string {
  return formatTable(
    ["", `Recall@${CUTOFF}, %`, `NDCG@${CUTOFF}, %`],
    rows.map(({ name, quality: { recall, ndcg } }) => [name, percent(recall), percent(ndcg)]),
  );
}

/**
 * What the card says: ours, and what it stands beside.
 * @param where data set and split, or split alone
 */
export function cardFigures(where: string, rows: readonly Compared[]): Record<string, number> {
  return Object.fromEntries(
    rows.flatMap(({ baseline, quality: { recall, ndcg } }) => {
      const of = baseline === undefined ? "" : ` of ${baseline}`;
      return [
        [`${where} Recall@${CUTOFF}${of}, %`, Number(percent(recall))],
        [`${where} NDCG@${CUTOFF}${of}, %`, Number(percent(ndcg))],
      ];
    }),
  );
}

/** Trains a recommendation recipe: histories, their catalogue, packed batches, NDCG@10 on dev. */
import { type RecommendationConfig, recommendationConfigSchema } from "../../worker/model/config.ts";
import { type HistorySplits, splitHistories } from "../data/histories.ts";
import type { RecommendationRecipe } from "../recipes/recipe.ts";
import { setTokenVectors } from "./begin-embedding.ts";
import { createRankingScore } from "./dev-score.ts";
import { openConfig, openItems } from "./prepare.ts";
import { recommendationTask } from "./recommendation-task.ts";
import { type RunOptions, rowsPerStep, trainingOf } from "./run-options.ts";
import { runSession } from "./session.ts";

/** Of the most popular items, as examples in `config.json`. */
const SHOWN = 12;

/** @returns whether it came to the end, or was stopped */
export async function trainRecommendation(recipe: RecommendationRecipe, options: RunOptions): Promise<boolean> {
  const { id, set } = recipe;
  const { runDir, device, count, data } = options;
  const training = trainingOf(recipe, options);
  const splits = splitHistories(await set.load(data));
  await openItems(runDir, splits.items);
  const config = await openConfig(runDir, recommendationConfigSchema, configOf(recipe, splits));
  const task = recommendationTask({
    config,
    shape: { rows: Math.ceil(rowsPerStep(training, device) / count), length: config.max_seq_len },
    count,
    train: splits.train,
    seed: training.seed,
    score: await createRankingScore(config, splits.dev),
  });
  console.log(
    `${id}: ${splits.train.length} users, ${splits.items.length} items, ${interactions(splits)} interactions to train on; ` +
      `${task.stepsPerEpoch} steps an epoch; ${count} × ${device}; run folder ${runDir}`,
  );
  const { done, score, step } = await runSession({
    device,
    count,
    runDir,
    objective: { kind: "next-item", config },
    training,
    task,
    scoreName: "NDCG@10, %",
    initialize: (parameters) => setTokenVectors(parameters, config, splits.train, training.seed, "items"),
  });
  if (done) console.log(`done: best dev NDCG@10 ${score.toFixed(2)} % at step ${step}`);
  return done;
}

function interactions({ train }: HistorySplits): number {
  return train.reduce((sum, { length }) => sum + length, 0);
}

function configOf(recipe: RecommendationRecipe, splits: HistorySplits): RecommendationConfig {
  const { name, licence } = recipe.set.card;
  return {
    ...recipe.config,
    vocab_size: splits.items.length,
    most_popular: splits.items.slice(0, SHOWN),
    card: {
      ...recipe.config.card,
      licence: "see the training data",
      training_data: [{ name, licence, rows: interactions(splits) }],
      quality: {},
    },
  };
}

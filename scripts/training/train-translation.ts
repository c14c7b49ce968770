/** Trains a translation recipe: sentence pairs, their vocabulary, packed batches, BLEU on dev. */
import { translationConfigSchema } from "../../worker/model/config.ts";
import type { TranslationRecipe } from "../recipes/recipe.ts";
import { createBleuScore } from "./dev-score.ts";
import { openConfig, openTokenizer } from "./prepare.ts";
import { type RunOptions, rowsPerStep, trainingOf } from "./run-options.ts";
import { runSession } from "./session.ts";
import { encodePairs, packingFigures } from "./translation-batches.ts";
import { translationTask } from "./translation-task.ts";

export async function trainTranslation(recipe: TranslationRecipe, options: RunOptions): Promise<boolean> {
  const { id, rowLength } = recipe;
  const { runDir, device, count, data } = options;
  const training = trainingOf(recipe, options);
  const [trainPairs, devPairs] = [await recipe.loadSplit("train", data), await recipe.loadSplit("dev", data)];
  const sentences = () => trainPairs.flatMap(({ source, target }) => [source, target]);
  const tokenizer = await openTokenizer(runDir, sentences, { vocabSize: recipe.config.vocab_size });
  const card = { ...recipe.config.card, quality: {} };
  const config = await openConfig(runDir, translationConfigSchema, { ...recipe.config, card });
  const rows = Math.ceil(rowsPerStep(training, device) / count);
  const shape = { rows, sourceLength: rowLength, targetLength: rowLength };
  const trainSet = encodePairs(trainPairs, tokenizer, shape);
  const devSet = encodePairs(devPairs, tokenizer, shape);
  const { tokens, groups, realShare } = packingFigures(trainSet.pairs, shape, count);
  console.log(
    `${id}: ${trainSet.pairs.length} pairs (${trainSet.leftOut} longer than ${rowLength - 1} tokens left out), ` +
      `${tokens} target tokens, ${groups} steps an epoch, ${Math.round(realShare * 100)} % of positions real; ` +
      `${count} × ${device}; run folder ${runDir}`,
  );
  const { done, score, step } = await runSession({
    device,
    count,
    runDir,
    objective: { kind: "translation", config },
    training,
    task: translationTask({
      config,
      shape,
      count,
      train: trainSet.pairs,
      dev: devSet.pairs,
      seed: training.seed,
      score: await createBleuScore(config, tokenizer, devPairs),
    }),
    scoreName: "BLEU",
  });
  if (done) console.log(`done: best dev BLEU ${score.toFixed(2)} at step ${step}`);
  return done;
}

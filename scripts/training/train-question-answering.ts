/** Trains a reader: a shipped model's vocabulary and encoder, the recipe's questions, spans. */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type QuestionAnsweringConfig, questionAnsweringConfigSchema } from "../../worker/model/config.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { countQuestions, type Paragraph } from "../data/question-answering.ts";
import type { QuestionAnsweringRecipe } from "../recipes/recipe.ts";
import { type PretrainedEncoder, parametersFrom, readEncoder } from "../train/encoder.ts";
import { packRows } from "./batches.ts";
import { writeWhole } from "./checkpoint.ts";
import { createSpanScore } from "./dev-score.ts";
import { openConfig } from "./prepare.ts";
import { type AskedWords, amongOthers, askedWords, epochExamples, spanExamples } from "./question-examples.ts";
import { hash32 } from "./random.ts";
import { type RunOptions, rowsPerStep, trainingOf } from "./run-options.ts";
import { draw } from "./sampling.ts";
import { runSession } from "./session.ts";
import { spanBatches, spanPacking } from "./span-batches.ts";
import type { TrainingTask } from "./trainer.ts";

/**
 * @param isPretrained whether it begins with the encoder of the recipe's model, or with random weights
 * @returns whether it came to the end, or was stopped
 */
export async function trainQuestionAnswering(
  recipe: QuestionAnsweringRecipe,
  options: RunOptions,
  isPretrained: boolean,
): Promise<boolean> {
  const { id } = recipe;
  const { runDir, device, count, data } = options;
  const training = trainingOf(recipe, options);
  const splits = await Promise.all(recipe.sets.map(({ set }) => set.load(data)));
  const encoder = await readEncoder(recipe.from);
  await mkdir(runDir, { recursive: true });
  const tokenizerPath = join(runDir, "tokenizer.json");
  if (!existsSync(tokenizerPath)) await writeWhole(tokenizerPath, encoder.tokenizer);
  const tokenizer = Tokenizer.fromJson(encoder.tokenizer);
  const train = splits.map((split) => split.train);
  const described = { ...recipe.config, card: cardOf(recipe, train, encoder) };
  const config = await openConfig(runDir, questionAnsweringConfigSchema, described);
  const dev = splits.flatMap((split) => split.dev);
  const task = await spanTask(recipe, config, {
    train: train.map((paragraphs) => askedWords(paragraphs, tokenizer, config.max_answer_words)),
    dev: askedWords(dev, tokenizer, config.max_answer_words),
    rows: Math.ceil(rowsPerStep(training, device) / count),
    count,
    score: await createSpanScore(config, tokenizer, dev),
  });
  console.log(
    `${id}: ${train.map(countQuestions).join(" + ")} questions, ${countQuestions(dev)} of dev; ` +
      `${task.stepsPerEpoch} steps an epoch; ${count} × ${device}; run folder ${runDir}`,
  );
  const { done, score, step } = await runSession({
    device,
    count,
    runDir,
    objective: { kind: "question-answering", config },
    training,
    task,
    scoreName: "F1",
    // What words mean is known: 20,000 questions would not teach it, and four fifths of a step would go into it.
    frozen: isPretrained ? ["embedding.weight"] : [],
    initialize: (parameters) => {
      if (isPretrained) parameters.set(parametersFrom(encoder, config, training.seed));
    },
  });
  if (done) console.log(`done: best dev F1 ${score.toFixed(2)} at step ${step}`);
  return done;
}

/** The data, and those of the model that it begins with. */
function cardOf(
  recipe: QuestionAnsweringRecipe,
  train: Paragraph[][],
  encoder: PretrainedEncoder,
): QuestionAnsweringConfig["card"] {
  const questions = recipe.sets.map(({ set: { card } }, i) => ({
    name: `${card.name} (questions)`,
    licence: card.licence,
    rows: countQuestions(train[i]!),
  }));
  const before = encoder.config.card.training_data.map((one) => ({ ...one, name: `${encoder.id}: ${one.name}` }));
  return {
    description: recipe.config.card.description,
    licence: "see the training data",
    training_data: [...questions, ...before],
    quality: {},
  };
}

interface SpanTaskOptions {
  /** By set. */
  train: AskedWords[][];
  dev: AskedWords[];
  /** Of a batch. */
  rows: number;
  /** Replicas. */
  count: number;
  score(parameters: Float32Array): Promise<number>;
}

export async function spanTask(
  recipe: QuestionAnsweringRecipe,
  config: QuestionAnsweringConfig,
  { train, dev, rows, count, score }: SpanTaskOptions,
): Promise<TrainingTask> {
  const { seed } = recipe.training;
  const shape = { rows, length: recipe.rowLength, slots: recipe.slots };
  const examples = (epoch: number) => {
    const asked = recipe.sets.flatMap(({ epochQuestions, amongOthers: others }, i) => {
      const all = train[i]!;
      const drawn = epochQuestions === undefined ? all : draw(all, epochQuestions, hash32(seed, epoch, i));
      return others === undefined ? drawn : amongOthers(drawn, others, hash32(seed, epoch, i, 1));
    });
    return epochExamples(asked, { ...recipe, config, seed: hash32(seed, epoch, -1) });
  };
  const devExamples = dev.flatMap((asked) => spanExamples(asked, config));
  return {
    epoch: (epoch) => spanBatches(examples(epoch), shape, config, hash32(seed, epoch), count),
    stepsPerEpoch: Math.ceil(packRows(examples(0), spanPacking(shape)).length / (rows * count)),
    dev: () => spanBatches(devExamples, shape, config, 0, count),
    score,
  };
}

/**
 * `npm run eval -- <model>`: measures an int8 model through the Worker's engine and kernels on a split of its recipe's
 * data, and with `--float` also the float checkpoint it came from. What is measured is in eval/, one file a task. Choose
 * models on `dev`; the test splits are for the last word.
 */
import { Command, InvalidArgumentError, Option } from "commander";
import { expectTask, type Task } from "../worker/model/config.ts";
import { fail, positiveInteger } from "./cli.ts";
import { evaluateClassification } from "./eval/classification.ts";
import type { EvalOptions } from "./eval/options.ts";
import { evaluateQuestionAnswering } from "./eval/question-answering.ts";
import { evaluateRecommendation } from "./eval/recommendation.ts";
import { evaluateRetrieval } from "./eval/retrieval.ts";
import { evaluateTranslation } from "./eval/translation.ts";
import { findModelFolder, readModelFolder } from "./publish/model-folder.ts";
import { findRecipe } from "./recipes/index.ts";

/** Options that not every kind of model has. */
const ONLY = {
  translation: ["beam", "lengthPenalty", "shortlist", "translations", "float"],
  classification: ["task", "beside", "compare", "explain", "fairness", "float"],
  "question-answering": ["beside"],
  embedding: [],
  recommendation: ["reasons"],
} as const satisfies Record<Task, string[]>;

function nonNegative(text: string): number {
  const value = Number(text);
  if (text === "" || !(value >= 0)) {
    throw new InvalidArgumentError(`expected a number from 0 on, got ${JSON.stringify(text)}`);
  }
  return value;
}

const program = new Command("eval")
  .argument("<model>", "a model's id (models/<id>) or its folder, e.g. multi30k-en-de")
  .option("--recipe <id>", "whose data to take (default: the model's id)")
  .option("--split <name>", "which split (default: dev of a translation, test of all else)")
  .option("--data <dir>", "folder with a mirror of the data sets (or the environment variable EDGE_SLM_DATA)")
  .option("--cache <dir>", "where downloaded data are kept")
  .option("--limit <n>", "only the first n sentences, or about n random users or texts of each task", positiveInteger)
  .addOption(new Option("--kernels <build>", "which kernels").choices(["relaxed", "simd"]).default("relaxed"))
  .option("--float <file...>", "also measure this float checkpoint, or the mean of several")
  .option("--record", "write the int8 model's figures into its config.json and card.md")
  .option("--json <file>", "write the figures as JSON, too")
  .optionsGroup("Translation:")
  .option("--beam <n>", "beam size, 1 is greedy (default: the model's)", positiveInteger)
  .option("--length-penalty <alpha>", "score = log_prob / length^alpha (default: the model's)", nonNegative)
  .option("--shortlist", "only tokens of the model's shortlist come out of the int8 model (default: as it says)")
  .option("--translations <file>", "write the int8 model's translations, one a line")
  .optionsGroup("Classification:")
  .option("--task <names>", "only these tasks, separated by commas")
  .option("--beside <model>", "measure another model of the same task, too, e.g. lstm-en")
  .option("--no-compare", "without the models that are trained to stand beside it")
  .option("--fairness", "only whether the sentiment of a sentence depends on who is in it; needs no data")
  .option("--explain <n>", "texts of each task whose explanations are tested (default: 50)", positiveInteger)
  .optionsGroup("Recommendation:")
  .option(
    "--reasons <n>",
    "users of dev whose reasons are held against leaving items out (default: none)",
    positiveInteger,
  );

async function main(model: string, options: EvalOptions & { recipe?: string }): Promise<void> {
  const folder = await readModelFolder(await findModelFolder(model));
  const { id, config } = folder.manifest;
  const recipe = findRecipe(options.recipe ?? id);
  if (recipe.kind !== config.task) {
    throw new Error(`eval: expected a recipe of ${config.task} as ${id} is, got ${recipe.id} of ${recipe.kind}`);
  }
  const own: readonly string[] = ONLY[config.task];
  const foreign = Object.values(ONLY)
    .flat()
    .find((name) => !own.includes(name) && program.getOptionValueSource(name) === "cli");
  if (foreign !== undefined) {
    const flag = program.options.find((option) => option.attributeName() === foreign)!.long;
    throw new Error(`eval: ${flag} has no meaning for ${id}, a model of ${config.task}`);
  }
  switch (recipe.kind) {
    case "translation":
      return evaluateTranslation(folder, expectTask("translation", config), recipe, options);
    case "classification":
      return evaluateClassification(folder, expectTask("classification", config), recipe, options);
    case "question-answering":
      return evaluateQuestionAnswering(folder, expectTask("question-answering", config), recipe, options);
    case "embedding":
      return evaluateRetrieval(folder, expectTask("embedding", config), options);
    case "recommendation":
      return evaluateRecommendation(folder, expectTask("recommendation", config), recipe, options);
  }
}

program.action((model: string, options: EvalOptions & { recipe?: string }) => main(model, options).catch(fail));
await program.parseAsync();

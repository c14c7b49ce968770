/**
 * `node scripts/train/teach.ts --task sentiment --set imdb --teachers multitask-en lstm-en`: lets models label sentences
 * that have no label of their own, for a recipe that has `taught` texts. The sentences are those of a data set's training
 * texts; each teacher and a linear model on the recipe's own sets give probabilities, and their mean labels.
 * `node scripts/train/teach.ts --task support_queue`: the task's own texts get second labels of linear models that have
 * not seen them.
 */
import { Command } from "commander";
import { fail, positiveInteger } from "../cli.ts";
import { writeTaught } from "../data/taught.ts";
import { loadUnlabelled } from "../data/unlabelled.ts";
import { findRecipe } from "../recipes/index.ts";
import { formatTable, percent } from "../report/table.ts";
import { loadHeads, OUT_OF_SCOPE } from "../training/texts.ts";
import {
  askAll,
  crossFit,
  drawLabels,
  linearTeacher,
  meanOf,
  modelTeacher,
  sentencesOf,
  type Teacher,
} from "./teachers.ts";

interface Options {
  task: string;
  recipe: string;
  set?: string;
  teachers: string[];
  sentences: number;
  data?: string;
  cache?: string;
}

/** How a task's own texts are labelled anew. */
const CROSS_FIT = { folds: 5, draws: 4 };

async function main(options: Options): Promise<void> {
  const recipe = findRecipe(options.recipe);
  const task = recipe.kind === "classification" && recipe.heads.find(({ name }) => name === options.task);
  if (recipe.kind !== "classification" || !task) {
    throw new Error(`teach: expected a head of ${recipe.id}, got ${options.task}`);
  }
  const data = { dataDir: options.data, cacheDir: options.cache };
  const [head] = await loadHeads({ ...recipe, heads: [task] }, data);
  const { labels, dev, test, train } = head!;
  const set = options.set ?? task.taught?.set;
  if (!set) {
    const taught = crossFit({ train, dev }, task.sets[0].language, CROSS_FIT);
    const path = await writeTaught(options.task, taught);
    console.log(`${path}: ${taught.length} labels of ${train.length} texts, by linear models that had not seen them`);
    return;
  }
  const unlabelled = await loadUnlabelled(set, data);
  const { language } = unlabelled;
  const texts = sentencesOf(unlabelled.texts, language, [...dev, ...test]).slice(0, options.sentences);

  const teachers = [linearTeacher(train, dev, language)];
  for (const from of options.teachers) teachers.push(await modelTeacher(from, options.task, labels));
  const expected = dev.map(({ label }) => labels.indexOf(label ?? OUT_OF_SCOPE));
  const answers = await askAll(
    teachers,
    dev.map(({ text }) => text),
  );
  console.log(compareOnDev(teachers, answers, expected));

  const { drawn, sure } = await drawLabels(teachers, texts, answers, expected);
  const path = await writeTaught(
    options.task,
    texts.map((text, i) => ({ text, label: labels[drawn[i]!]! })),
  );
  const share = percent(sure / texts.length);
  console.log(`${path}: ${texts.length} sentences of ${set}; of ${share} % the teachers are surer than 90 %`);
}

/** @param expected index of each text's label */
function compareOnDev(teachers: Teacher[], answers: Float64Array[][], expected: number[]): string {
  const share = (rows: Float64Array[]) => {
    const right = rows.filter((row, i) => row.indexOf(Math.max(...row)) === expected[i]);
    return percent(right.length / rows.length);
  };
  const rows = teachers.map(({ name }, i) => [name, share(answers[i]!)]);
  return formatTable(["teacher", "dev accuracy"], [...rows, ["their mean", share(meanOf(answers))]]);
}

await new Command("teach")
  .requiredOption("--task <name>", "the head that is to learn, e.g. sentiment")
  .option("--recipe <id>", "of which recipe", "multitask-en")
  .option(
    "--set <id>",
    "the data set whose sentences are labelled, e.g. imdb; or questions (default: what the recipe says)",
  )
  .option("--teachers <models...>", "ids or folders of models that have the head, beside a linear one", [])
  .option("--sentences <n>", "how many", positiveInteger, 150_000)
  .option("--data <dir>", "folder with a mirror of the data sets (or the environment variable EDGE_SLM_DATA)")
  .option("--cache <dir>", "where downloaded data are kept")
  .action((options: Options) => main(options).catch(fail))
  .parseAsync();

/**
 * Measures a reader on each set of its recipe that has a split held out: word F1 and exact match as SQuAD counts them, and
 * how well it knows that there is no answer, with every question asked once more of a context that has none. Beside it
 * stand the sentence that BM25 ranks first, the sentence that would have been best, and with `--beside` another reader.
 */
import cliProgress from "cli-progress";
import { loadReader } from "../../worker/engine/load.ts";
import { expectTask, type QuestionAnsweringConfig } from "../../worker/model/config.ts";
import { bestSentence, sentencesOf } from "../baselines/best-sentence.ts";
import { writeJson } from "../cli.ts";
import { askElsewhere, countQuestions, type Paragraph } from "../data/question-answering.ts";
import { recordQuality } from "../export/card.ts";
import { type KernelBuild, loadKernels } from "../kernels.ts";
import { cpuMs } from "../metrics/cpu-time.ts";
import { answerableAuc, answerRead, f1WithThreshold, type ReadAnswer, readQuestions } from "../metrics/reading.ts";
import { spanScores, wordF1 } from "../metrics/span-f1.ts";
import { findModelFolder, type ModelFolder, readModelFolder, tokenizerOf, weightsOf } from "../publish/model-folder.ts";
import type { QuestionAnsweringRecipe } from "../recipes/recipe.ts";
import { formatTable, percent } from "../report/table.ts";
import { checkSplit, type EvalOptions } from "./options.ts";

const SPLITS = ["dev", "test"] as const;

/** Shares are 0…1. */
interface Figures {
  f1: number;
  exact: number;
  /** With as many questions that have no answer, and the model's threshold. */
  f1_with_none?: number;
  /** How often an answer that is there is more confident than one that is not. */
  auc?: number;
  /** Processor time, tokenizer and all. */
  ms_per_question?: number;
}

interface Report {
  set: string;
  questions: number;
  /** By the name of what answers. */
  answers: Record<string, Figures>;
}

export async function evaluateQuestionAnswering(
  folder: ModelFolder,
  config: QuestionAnsweringConfig,
  recipe: QuestionAnsweringRecipe,
  options: EvalOptions,
): Promise<void> {
  const { id } = folder.manifest;
  const split = options.split ?? "test";
  checkSplit(split, SPLITS);
  if (options.record && options.limit) throw new Error("eval: expected the whole split with --record, got --limit");
  const sets = await loadHeldOut(recipe, split as (typeof SPLITS)[number], options);
  const others: [string, ModelFolder, QuestionAnsweringConfig][] = [];
  if (options.beside !== undefined) {
    const beside = await readModelFolder(await findModelFolder(options.beside));
    others.push([beside.manifest.id, beside, expectTask("question-answering", beside.manifest.config)]);
  }
  const reports: Report[] = [];
  for (const { id: set, paragraphs } of sets) {
    const answers: Report["answers"] = {};
    for (const [name, one, own] of [["int8", folder, config] as const, ...others]) {
      answers[name] = await measureReader(one, own, paragraphs, options.kernels, `${set}, ${name}`);
    }
    reports.push({
      set,
      questions: countQuestions(paragraphs),
      answers: { ...answers, ...measureSentences(paragraphs) },
    });
  }
  const all = together(reports);
  console.log(`${id} on ${split}\n\n${formatReports([...reports, all])}`);
  if (options.record) await recordQuality(folder.directory, cardFigures(all, split));
  if (options.json !== undefined) {
    await writeJson(options.json, { model: id, split, kernels: options.kernels, sets: [...reports, all] });
  }
}

async function loadHeldOut(
  { sets }: QuestionAnsweringRecipe,
  split: (typeof SPLITS)[number],
  { data, cache, limit }: EvalOptions,
): Promise<{ id: string; paragraphs: Paragraph[] }[]> {
  const loaded = await Promise.all(
    sets.map(async ({ set }) => {
      const paragraphs = (await set.load({ dataDir: data, cacheDir: cache }))[split];
      return { id: set.id, paragraphs: limit === undefined ? paragraphs : firstQuestions(paragraphs, limit) };
    }),
  );
  return loaded.filter(({ paragraphs }) => paragraphs.length > 0);
}

function firstQuestions(paragraphs: Paragraph[], limit: number): Paragraph[] {
  let left = limit;
  return paragraphs.flatMap((paragraph) => {
    const questions = paragraph.questions.slice(0, left);
    left -= questions.length;
    return questions.length > 0 ? [{ ...paragraph, questions }] : [];
  });
}

async function measureReader(
  folder: ModelFolder,
  config: QuestionAnsweringConfig,
  paragraphs: Paragraph[],
  kernels: KernelBuild,
  title: string,
): Promise<Figures> {
  const tokenizer = tokenizerOf(folder);
  const engine = await loadReader(config, weightsOf(folder), await loadKernels(kernels));
  const asked = [...paragraphs, ...askElsewhere(paragraphs)];
  const bar = new cliProgress.SingleBar({ format: `${title} |{bar}| {value}/{total}`, clearOnComplete: true });
  bar.start(countQuestions(asked), 0);
  const startMs = cpuMs();
  const read = await readQuestions({ config, tokenizer, engine }, asked, (done) => bar.update(done));
  const answers = read.map((one) => answerRead(one, config));
  const elapsedMs = cpuMs() - startMs;
  bar.stop();
  const answerable = answers.filter(({ isAnswerable }) => isAnswerable);
  return {
    f1: mean(answerable, "f1"),
    exact: mean(answerable, "exact"),
    f1_with_none: f1WithThreshold(answers, config.no_answer_below),
    auc: answerableAuc(answers),
    ms_per_question: elapsedMs / answers.length,
  };
}

function mean(answers: ReadAnswer[], of: "f1" | "exact"): number {
  return answers.reduce((sum, answer) => sum + answer[of], 0) / answers.length;
}

function measureSentences(paragraphs: Paragraph[]): Record<string, Figures> {
  let [f1, exact, best] = [0, 0, 0];
  for (const { context, questions } of paragraphs) {
    const sentences = sentencesOf(context);
    for (const { question, answers } of questions) {
      const right = answers.map(({ start, end }) => context.slice(start, end));
      const scores = spanScores(bestSentence(question, sentences), right);
      f1 += scores.f1;
      exact += scores.exact;
      best += Math.max(...sentences.flatMap((sentence) => right.map((one) => wordF1(sentence, one))));
    }
  }
  const count = countQuestions(paragraphs);
  return {
    "BM25's best sentence": { f1: f1 / count, exact: exact / count },
    "the best sentence": { f1: best / count, exact: Number.NaN },
  };
}

/** All sets as one, every question counting the same. */
function together(reports: Report[]): Report {
  const questions = reports.reduce((sum, report) => sum + report.questions, 0);
  const weigh = (name: string, figure: keyof Figures) =>
    reports.reduce((sum, { answers, questions: own }) => sum + (own * (answers[name]![figure] ?? 0)) / questions, 0);
  const answers = Object.entries(reports[0]!.answers).map(([name, figures]) => {
    const keys = Object.keys(figures) as (keyof Figures)[];
    return [name, Object.fromEntries(keys.map((key) => [key, weigh(name, key)]))] as const;
  });
  return { set: "all", questions, answers: Object.fromEntries(answers) as unknown as Report["answers"] };
}

function formatReports(reports: Report[]): string {
  const titles = ["set (questions)", "answers", "F1", "exact", "F1 with none", "AUC", "CPU ms/question"];
  const share = (value: number | undefined) => (Number.isNaN(value) ? "" : percent(value));
  const rows = reports.flatMap(({ set, questions, answers }) =>
    Object.entries(answers).map(([name, { f1, exact, f1_with_none, auc, ms_per_question }], i) => [
      i === 0 ? `${set} (${questions.toLocaleString("en")})` : "",
      name,
      share(f1),
      share(exact),
      share(f1_with_none),
      auc?.toFixed(3) ?? "",
      ms_per_question?.toFixed(2) ?? "",
    ]),
  );
  return formatTable(titles, rows);
}

function cardFigures({ answers }: Report, split: string): Record<string, number> {
  const points = (value: number) => Number((100 * value).toFixed(2));
  const { int8, ...others } = answers;
  const f1s = Object.entries(others).map(([name, { f1 }]) => [`${split} F1 of ${name}, %`, points(f1)] as const);
  return {
    [`${split} F1, %`]: points(int8!.f1),
    [`${split} exact match, %`]: points(int8!.exact),
    [`${split} F1 with as many questions without an answer, %`]: points(int8!.f1_with_none!),
    [`${split} AUC, whether there is an answer`]: Number(int8!.auc!.toFixed(4)),
    ...Object.fromEntries(f1s),
  };
}

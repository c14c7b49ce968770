/**
 * Measures each task of a classification model on its own split: accuracy, macro-F1, expected calibration error, for
 * out of scope the two figures of CLINC150's protocol, whether explanations explain, and time. Beside the int8 model
 * through the Worker's engine stand its float checkpoint with `--float`, and what else learns the same texts
 * (compared.ts).
 */
import cliProgress from "cli-progress";
import type { Classifier } from "../../worker/engine/heads.ts";
import { loadClassifier } from "../../worker/engine/load.ts";
import { type ClassificationConfig, expectTask } from "../../worker/model/config.ts";
import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import { cleanText } from "../../worker/text/clean.ts";
import { textWindows } from "../../worker/text/windows.ts";
import { splitWords } from "../../worker/text/words.ts";
import { writeJson } from "../cli.ts";
import type { LabelledText } from "../data/classification.ts";
import { recordQuality } from "../export/card.ts";
import { FloatClassifier } from "../float/classifier.ts";
import { loadKernels } from "../kernels.ts";
import { calibrationErrorByChance, expectedCalibrationError } from "../metrics/calibration.ts";
import { measureClassification, type OutOfScopeQuality } from "../metrics/classification.ts";
import { type Answer, engineClassifier } from "../metrics/classify.ts";
import { cpuMs } from "../metrics/cpu-time.ts";
import { type DeletionFigures, testDeletion } from "../metrics/deletion.ts";
import { findModelFolder, type ModelFolder, readModelFolder, tokenizerOf, weightsOf } from "../publish/model-folder.ts";
import type { ClassificationRecipe } from "../recipes/recipe.ts";
import { formatTable, percent } from "../report/table.ts";
import { parameterCount, parameterSlices } from "../training/parameters.ts";
import { shuffle, uniformStream } from "../training/random.ts";
import { type LoadedHead, loadHeads } from "../training/texts.ts";
import { type ComparedModel, compareClassifier, OTHERS } from "./compared.ts";
import { fairnessFigures, formatFairness, probeFairness } from "./fairness.ts";
import { checkSplit, type EvalOptions } from "./options.ts";

const SPLITS = ["dev", "test"] as const;
const EXPLAINED_TEXTS = 50;
const SEED = 1;

/** Shares are 0…1. */
interface TaskFigures {
  accuracy: number;
  macro_f1: number;
  /** Of the most probable label, 15 bins, over the texts of a class: how many are of none is not the model's to know. */
  calibration_error: number;
  /** What it would be on average if each probability were exactly right. */
  calibration_error_by_chance: number;
  out_of_scope?: OutOfScopeQuality;
  /** The same if the most probable label is always given, whatever its probability. */
  out_of_scope_without_threshold?: OutOfScopeQuality;
  /** Processor time in batches, tokenizer and all. */
  ms_per_text: number;
}

interface TaskReport {
  task: string;
  texts: number;
  labels: number;
  /** By the name of the model. */
  models: Record<string, TaskFigures>;
  /** Of the int8 model. */
  deletion: DeletionFigures;
}

export async function evaluateClassification(
  folder: ModelFolder,
  config: ClassificationConfig,
  recipe: ClassificationRecipe,
  options: EvalOptions,
): Promise<void> {
  if (options.fairness) return evaluateFairness(folder, config, options);
  const { id } = folder.manifest;
  const split = options.split ?? "test";
  checkSplit(split, SPLITS);
  if (options.record && options.limit) throw new Error("eval: expected the whole split with --record, got --limit");
  const tasks = chooseTasks(recipe, options.task);
  const loaded = await loadHeads({ ...recipe, heads: tasks }, { dataDir: options.data, cacheDir: options.cache });
  const heads = loaded.map((head) => findHead(id, config, head));
  const texts = loaded.map((head) => takeTexts(head[split as (typeof SPLITS)[number]], options.limit));

  const tokenizer = tokenizerOf(folder);
  const engine = await loadClassifier(config, weightsOf(folder), await loadKernels(options.kernels));
  const models = await openModels(folder, config, tokenizer, engine, heads, loaded, recipe, options);
  const reports: TaskReport[] = [];
  for (const [i, head] of loaded.entries()) {
    const report: TaskReport = {
      task: head.name,
      texts: texts[i]!.length,
      labels: head.labels.length,
      models: {},
      deletion: await explain(engine, tokenizer, heads[i]!, texts[i]!, options.explain ?? EXPLAINED_TEXTS),
    };
    for (const model of models) report.models[model.name] = await measure(model, i, head, texts[i]!);
    reports.push(report);
  }

  console.log(`${id} on ${split}${options.limit ? `, ${options.limit} texts of each task at random` : ""}\n`);
  console.log(formatReports(reports));
  console.log(`\n${formatModels(models, reports)}\n`);
  console.log(formatDeletion(reports));
  if (options.record) {
    await recordQuality(folder.directory, Object.assign({}, ...reports.map((report) => cardFigures(report, split))));
  }
  if (options.json !== undefined) {
    await writeJson(options.json, {
      model: id,
      split,
      kernels: options.kernels,
      models: models.map(({ name, parameters, bytes }) => ({ name, parameters, bytes: bytes ?? null })),
      tasks: reports,
    });
  }
}

async function evaluateFairness(
  folder: ModelFolder,
  config: ClassificationConfig,
  { kernels, record, json }: EvalOptions,
): Promise<void> {
  const engine = await loadClassifier(config, weightsOf(folder), await loadKernels(kernels));
  const report = await probeFairness(config, engineClassifier(engine), tokenizerOf(folder));
  console.log(`${folder.manifest.id}\n\n${formatFairness(report)}`);
  if (record) await recordQuality(folder.directory, fairnessFigures(report));
  if (json !== undefined) await writeJson(json, { model: folder.manifest.id, kernels, ...report });
}

/** Some of the texts, or all: a split may be sorted by label. */
function takeTexts(texts: LabelledText[], limit: number | undefined): LabelledText[] {
  return limit === undefined ? texts : shuffle([...texts], uniformStream(SEED)).slice(0, limit);
}

function chooseTasks({ id, heads }: ClassificationRecipe, tasks: string | undefined): ClassificationRecipe["heads"] {
  if (tasks === undefined) return heads;
  return tasks.split(",").map((name) => {
    const found = heads.find((head) => head.name === name);
    if (found) return found;
    throw new Error(`eval: expected --task out of ${heads.map((head) => head.name).join(", ")} of ${id}, got ${name}`);
  });
}

/** Where a task is among the model's heads. @throws Error if it is not there, or was trained for other labels */
function findHead(id: string, config: ClassificationConfig, { name, labels }: LoadedHead): number {
  const index = config.heads.findIndex((head) => head.name === name);
  const found = config.heads[index];
  if (found && found.labels.join("\n") === labels.join("\n")) return index;
  const got = found ? `${found.labels.length} labels: ${found.labels.slice(0, 5).join(", ")}` : "none";
  throw new Error(
    `eval: ${id}: expected a head ${name} with the ${labels.length} labels of the data, got ${got}; ` +
      "train it again, or name other tasks with --task",
  );
}

async function openModels(
  folder: ModelFolder,
  config: ClassificationConfig,
  tokenizer: Tokenizer,
  engine: Classifier,
  heads: number[],
  loaded: LoadedHead[],
  recipe: ClassificationRecipe,
  options: EvalOptions,
): Promise<ComparedModel[]> {
  const parameters = parameterCount(parameterSlices(config));
  const { bytes } = folder.manifest.files["model.safetensors"];
  const models = [compareClassifier(engineClassifier(engine), tokenizer, heads, { name: "int8", parameters, bytes })];
  if (options.float !== undefined) {
    const float = await FloatClassifier.load(options.float, config);
    models.push(compareClassifier(float, tokenizer, heads, { name: "float", parameters, bytes: 4 * parameters }));
  }
  if (options.beside !== undefined) models.push(await openBeside(options.beside, loaded));
  if (options.compare === false) return models;
  const language = recipe.config.source_languages[0] === "zh" ? "zh" : "en";
  for (const other of OTHERS) {
    models.push(
      await withProgress(`training ${other.name}`, heads.length, "tasks", (onProgress) =>
        other.open({ language, heads: loaded, onProgress }),
      ),
    );
  }
  return models;
}

/** Another int8 model, which must know every task that is measured. */
async function openBeside(model: string, loaded: LoadedHead[]): Promise<ComparedModel> {
  const folder = await readModelFolder(await findModelFolder(model));
  const { id, files } = folder.manifest;
  const config = expectTask("classification", folder.manifest.config);
  const heads = loaded.map((head) => findHead(id, config, head));
  const engine = await loadClassifier(config, weightsOf(folder), await loadKernels());
  const parameters = parameterCount(parameterSlices(config));
  const facts = { name: id, parameters, bytes: files["model.safetensors"].bytes };
  return compareClassifier(engineClassifier(engine), tokenizerOf(folder), heads, facts);
}

async function measure(
  model: ComparedModel,
  task: number,
  { name, labels, outOfScope }: LoadedHead,
  texts: LabelledText[],
): Promise<TaskFigures> {
  const expected = texts.map(({ label }) => labels.indexOf(label ?? outOfScope!));
  const startMs = cpuMs();
  const answers = await withProgress(`${name}, ${model.name}`, texts.length, "texts", (onProgress) =>
    model.classify(
      task,
      texts.map(({ text }) => text),
      onProgress,
    ),
  );
  const elapsedMs = cpuMs() - startMs;
  const classes = labels.map((label) => (label === outOfScope ? null : label));
  const quality = (of: (answer: Answer) => number) => measureClassification(classes, expected, answers.map(of));
  const given = quality(({ predicted }) => predicted);
  const inScope = answers
    .map((answer, i) => ({ ...answer, index: expected[i]! }))
    .filter(({ index }) => labels[index] !== outOfScope);
  const confidences = inScope.map(({ confidence }) => confidence);
  const mostProbable = quality(({ best }) => best);
  return {
    accuracy: given.accuracy,
    macro_f1: given.macro_f1,
    calibration_error: expectedCalibrationError(
      confidences,
      inScope.map(({ best, index }) => best === index),
    ),
    calibration_error_by_chance: calibrationErrorByChance(confidences, uniformStream(SEED)),
    ...(given.out_of_scope && {
      out_of_scope: given.out_of_scope,
      out_of_scope_without_threshold: mostProbable.out_of_scope!,
    }),
    ms_per_text: elapsedMs / texts.length,
  };
}

/** The deletion test over some of the texts, of long ones over the first window. */
async function explain(
  engine: Classifier,
  tokenizer: Tokenizer,
  head: number,
  texts: LabelledText[],
  count: number,
): Promise<DeletionFigures> {
  const language = engine.config.source_languages[0]!;
  const uniform = uniformStream(SEED);
  const words: string[][] = [];
  for (const { text } of shuffle([...texts], uniform)) {
    if (words.length === count) break;
    const [window] = textWindows(cleanText(text), language, tokenizer, engine.maxTokens);
    const parts = window ? splitWords(window.text, language) : [];
    if (parts.length >= 2) words.push(parts);
  }
  const encode = (text: string) => tokenizer.encode(text.trimStart()).slice(0, engine.maxTokens);
  return await testDeletion(engine, words, encode, { head, random: uniform });
}

async function withProgress<Result>(
  name: string,
  total: number,
  unit: string,
  work: (onProgress: (done: number) => void) => Promise<Result>,
): Promise<Result> {
  const format = `${name} |{bar}| {value}/{total} ${unit} · {eta_formatted} left`;
  const bar = new cliProgress.SingleBar({ format, clearOnComplete: true });
  bar.start(total, 0);
  try {
    return await work((done) => bar.update(done));
  } finally {
    bar.stop();
  }
}

function formatReports(reports: TaskReport[]): string {
  const titles = [
    "task (texts, labels)",
    "model",
    "accuracy",
    "macro-F1",
    "in scope",
    "oos recall",
    "ECE",
    "by chance",
    "CPU ms/text",
  ];
  const rows = reports.flatMap(({ task, texts, labels, models }) =>
    Object.entries(models).flatMap(([name, figures], i) => {
      const { out_of_scope: given, out_of_scope_without_threshold: mostProbable } = figures;
      const first = i === 0 ? `${task} (${texts.toLocaleString("en")}, ${labels})` : "";
      const scope = (quality: OutOfScopeQuality | undefined) => [
        percent(quality?.in_scope_accuracy),
        percent(quality?.out_of_scope_recall),
      ];
      const row = [
        first,
        name,
        percent(figures.accuracy),
        percent(figures.macro_f1),
        ...scope(given),
        figures.calibration_error.toFixed(3),
        figures.calibration_error_by_chance.toFixed(3),
        figures.ms_per_text.toFixed(3),
      ];
      const isSame = given?.out_of_scope_recall === mostProbable?.out_of_scope_recall;
      return isSame ? [row] : [row, ["", `${name}, no threshold`, "", "", ...scope(mostProbable), "", "", ""]];
    }),
  );
  return formatTable(titles, rows);
}

function formatModels(models: ComparedModel[], reports: TaskReport[]): string {
  const meanAccuracy = (name: string) =>
    reports.reduce((sum, { models }) => sum + models[name]!.accuracy, 0) / reports.length;
  const rows = models.map(({ name, parameters, bytes }) => [
    name,
    parameters.toLocaleString("en"),
    bytes?.toLocaleString("en") ?? "",
    percent(meanAccuracy(name)),
  ]);
  const lost = models.some(({ name }) => name === "float")
    ? reports.map(({ task, models: { int8, float } }) => `${task} ${percent(float!.accuracy - int8!.accuracy)}`)
    : [];
  return [
    formatTable(["model", "parameters", "bytes", "mean accuracy"], rows),
    ...(lost.length > 0 ? [`points of accuracy lost by int8: ${lost.join(", ")}`] : []),
  ].join("\n");
}

function formatDeletion(reports: TaskReport[]): string {
  const titles = [
    "explanations: a fifth of the words out",
    "texts",
    "log-odds lost",
    "at random",
    "answer changed",
    "at random",
  ];
  const rows = reports.map(({ task, deletion: { texts, top, random } }) => [
    task,
    String(texts),
    top.drop.toFixed(2),
    random.drop.toFixed(2),
    `${percent(top.changed)} %`,
    `${percent(random.changed)} %`,
  ]);
  return formatTable(titles, rows);
}

/** What of the int8 model's figures stands on its card. */
function cardFigures({ task, models }: TaskReport, split: string): Record<string, number> {
  const figures = models.int8!;
  const scope = figures.out_of_scope;
  const points = (share: number) => Number((100 * share).toFixed(2));
  return {
    [`${task}: ${split} accuracy, %`]: points(figures.accuracy),
    [`${task}: ${split} macro-F1, %`]: points(figures.macro_f1),
    ...(scope && {
      [`${task}: ${split} in-scope accuracy, %`]: points(scope.in_scope_accuracy),
      [`${task}: ${split} out-of-scope recall, %`]: points(scope.out_of_scope_recall),
    }),
    [`${task}: ${split} calibration error`]: Number(figures.calibration_error.toFixed(4)),
  };
}

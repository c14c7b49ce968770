/**
 * `node scripts/baselines/run.ts --task ag-news,sst2`: trains the linear bag-of-words baseline of each data set, chosen
 * on dev, and prints its figures on test. What a small network has to beat.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { fail, writeJson } from "../cli.ts";
import { type ClassificationSet, describeSplits } from "../data/classification.ts";
import type { SourceOptions } from "../data/rows.ts";
import { CLASSIFICATION_SETS, findClassificationSet } from "../data/sets/index.ts";
import { labelName, mostConfused } from "../metrics/classification.ts";
import { writeConfusionPlot } from "../report/confusion.ts";
import { formatTable, percent } from "../report/table.ts";
import { type BaselineSettings, parametersOf, testBaseline, trainBaseline } from "./classifier.ts";

interface Options {
  task?: string;
  data?: string;
  cache?: string;
  plots?: string;
  json?: string;
}

/** One line of the table; shares are 0…1, times are processor time. */
interface BaselineFigures {
  task: string;
  train: number;
  dev: number;
  test: number;
  classes: number;
  settings: BaselineSettings;
  dev_accuracy: number;
  accuracy: number;
  macro_f1: number;
  in_scope_accuracy?: number;
  out_of_scope_recall?: number;
  temperature: number;
  calibration_error: number;
  calibration_error_uncalibrated: number;
  parameters: number;
  train_seconds: number;
  microseconds_per_text: number;
}

const program = new Command("baselines")
  .option("--task <ids>", "data sets, separated by commas (default: all)")
  .option("--data <dir>", "folder with a mirror of the data sets (or the environment variable EDGE_SLM_DATA)")
  .option("--cache <dir>", "where downloaded data are kept")
  .option("--plots <dir>", "write a confusion matrix of each as SVG")
  .option("--json <file>", "write the figures as JSON, too");

async function main(options: Options): Promise<void> {
  const sets = options.task === undefined ? CLASSIFICATION_SETS : options.task.split(",").map(findClassificationSet);
  const figures: BaselineFigures[] = [];
  for (const set of sets) {
    figures.push(await measure(set, { dataDir: options.data, cacheDir: options.cache }, options.plots));
    if (options.json !== undefined) await writeJson(options.json, figures);
  }
  console.log(formatFigures(figures));
}

async function measure(set: ClassificationSet, source: SourceOptions, plots?: string): Promise<BaselineFigures> {
  const splits = await set.load(source);
  console.log(`${set.id}: ${describeSplits(splits)} (${set.splits})`);
  const baseline = trainBaseline(splits, set.language);
  const tested = testBaseline(baseline, splits.test);
  const { quality } = tested;
  const expected = splits.test.map(({ label }) => baseline.labels.indexOf(label));
  const predicted = tested.answers.map((answer) => answer.predicted);
  const pairs = mostConfused(baseline.labels, expected, predicted);
  const [worst] = pairs;
  if (worst !== undefined) {
    console.log(
      `  most confused: ${labelName(worst.expected)} answered as ${labelName(worst.predicted)}, ${worst.count} times`,
    );
  }
  if (plots !== undefined) {
    await mkdir(plots, { recursive: true });
    const title = `${set.id}: linear baseline on test, ${percent(quality.accuracy)} % right`;
    await writeConfusionPlot(join(plots, `${set.id}.svg`), {
      title,
      labels: baseline.labels,
      confusion: quality.confusion,
      pairs,
    });
  }
  return {
    task: set.id,
    train: splits.train.length,
    dev: splits.dev.length,
    test: splits.test.length,
    classes: baseline.labels.length,
    settings: baseline.settings,
    dev_accuracy: baseline.devAccuracy,
    accuracy: quality.accuracy,
    macro_f1: quality.macro_f1,
    ...(quality.out_of_scope && {
      in_scope_accuracy: quality.out_of_scope.in_scope_accuracy,
      out_of_scope_recall: quality.out_of_scope.out_of_scope_recall,
    }),
    temperature: baseline.temperature,
    calibration_error: tested.calibrationError.calibrated,
    calibration_error_uncalibrated: tested.calibrationError.raw,
    parameters: parametersOf(baseline),
    train_seconds: baseline.trainSeconds,
    microseconds_per_text: tested.microsecondsPerText,
  };
}

function formatFigures(rows: BaselineFigures[]): string {
  const columns: [string, (row: BaselineFigures) => string][] = [
    ["task", (row) => row.task],
    ["dev", (row) => percent(row.dev_accuracy)],
    ["test", (row) => percent(row.accuracy)],
    ["macro-F1", (row) => percent(row.macro_f1)],
    ["in scope", (row) => percent(row.in_scope_accuracy)],
    ["oos recall", (row) => percent(row.out_of_scope_recall)],
    ["ECE", (row) => row.calibration_error.toFixed(3)],
    ["n-grams", (row) => `1-${row.settings.features.maxOrder}`],
    ["L2", (row) => row.settings.linear.l2.toExponential(0)],
    ["parameters", (row) => row.parameters.toLocaleString("en")],
    ["CPU s", (row) => row.train_seconds.toFixed(1)],
    ["µs/text", (row) => row.microseconds_per_text.toFixed(0)],
  ];
  return formatTable(
    columns.map(([title]) => title),
    rows.map((row) => columns.map(([, format]) => format(row))),
  );
}

program.action((options: Options) => main(options).catch(fail));
await program.parseAsync();

/**
 * `node scripts/train/curve.ts --set trec --from multitask-en`: what an encoder that is there already buys. Trains on so
 * many random rows of a data set from scratch and from the encoder, with the same defaults as `npm run train --
 * classify`, and measures each int8 model through the Worker's engine on the whole test split, a linear model beside it.
 * An encoder that has seen the data set's labels knows the answer: then its curve says nothing.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { answerTexts, trainBaseline } from "../baselines/classifier.ts";
import { fail, positiveInteger, writeJson } from "../cli.ts";
import type { LabelledText, Splits } from "../data/classification.ts";
import { findClassificationSet } from "../data/sets/index.ts";
import { splitTable } from "../data/table.ts";
import { answerOf, classifyAll, openClassifier } from "../metrics/classify.ts";
import { writeCurvePlot } from "../report/curve.ts";
import { formatTable } from "../report/table.ts";
import { hash32, shuffle, uniformStream } from "../training/random.ts";
import type { DeviceName } from "../training/replica.ts";
import { chooseDevice, type DeviceChoice } from "../training/session.ts";
import { type PretrainedEncoder, readEncoder } from "./encoder.ts";
import { trainSplits } from "./train-splits.ts";

interface Options {
  set: string;
  from: string;
  rows: number[];
  repeats: number;
  data?: string;
  cache?: string;
  device: DeviceName | "auto";
  threads?: number;
  out: string;
}

/** Accuracies in percent, one a repeat. */
interface Point {
  rows: number;
  scratch: number[];
  encoder: number[];
  linear: number[];
}

function numbers(text: string): number[] {
  const values = text.split(",").map(Number);
  if (!values.every((value) => Number.isInteger(value) && value >= 20)) {
    throw new InvalidArgumentError(`expected whole numbers from 20 on, got ${JSON.stringify(text)}`);
  }
  return values.sort((a, b) => a - b);
}

async function main(options: Options): Promise<void> {
  const set = findClassificationSet(options.set);
  const { train, test } = await set.load({ dataDir: options.data, cacheDir: options.cache });
  const most = options.rows.at(-1)!;
  if (most > train.length) {
    throw new Error(`curve: expected at most the ${train.length} rows that ${set.id} has to train on, got ${most}`);
  }
  const encoder = await readEncoder(options.from);
  const device = await chooseDevice(options.device, options.threads);
  await mkdir(options.out, { recursive: true });
  const points: Point[] = [];
  for (const rows of options.rows) {
    const point: Point = { rows, scratch: [], encoder: [], linear: [] };
    for (let repeat = 0; repeat < options.repeats; repeat++) {
      const drawn = shuffle([...train], uniformStream(hash32(rows, repeat))).slice(0, rows);
      const parts = splitTable(drawn, { testShare: 0 });
      const splits = { train: [...parts.train, ...parts.test], dev: parts.dev, test };
      point.scratch.push(await measure(set.language, splits, device));
      point.encoder.push(await measure(set.language, splits, device, encoder));
      const baseline = trainBaseline(splits, set.language);
      const answers = answerTexts(
        baseline,
        test.map(({ text }) => text),
      );
      point.linear.push(
        shareRight(
          answers.map(({ predicted }) => baseline.labels[predicted]!),
          test,
        ),
      );
    }
    points.push(point);
    await writeResults(options, encoder.id, test.length, points);
  }
  console.log(formatPoints(points));
}

/** Trains on train, chooses on dev. @returns percent of test that is right */
async function measure(
  language: string,
  splits: Splits,
  device: DeviceChoice,
  encoder?: PretrainedEncoder,
): Promise<number> {
  const runDir = await mkdtemp(join(tmpdir(), "edge-slm-curve-"));
  try {
    const data = { id: "curve", file: "curve", labelColumn: "label", splits };
    const trained = await trainSplits(data, { runDir, ...device, language, encoder });
    if (!trained) throw new Error("curve: stopped");
    const { config, file, tokenizer } = trained;
    const texts = splits.test.map(({ text }) => text);
    const logProbs = await classifyAll(await openClassifier(config, file), tokenizer, 0, texts);
    const [head] = config.heads;
    return shareRight(
      logProbs.map((row) => head!.labels[answerOf(head!, row).predicted]!),
      splits.test,
    );
  } finally {
    await rm(runDir, { recursive: true, force: true });
  }
}

/** A class that no row to train on has is never right. */
function shareRight(answers: (string | null)[], test: LabelledText[]): number {
  return (100 * answers.filter((label, i) => label === test[i]!.label).length) / test.length;
}

async function writeResults({ set, out }: Options, from: string, testTexts: number, points: Point[]): Promise<void> {
  const series = (name: string, of: (point: Point) => number[]) => ({
    name,
    points: points.map((point) => ({ x: point.rows, y: mean(of(point)) })),
  });
  await writeCurvePlot(join(out, `${set}.svg`), {
    title: `${set}: accuracy on ${testTexts.toLocaleString("en")} test texts by rows to train on`,
    xName: "rows to train on",
    yName: "accuracy, %",
    series: [
      series(`from ${from}`, ({ encoder }) => encoder),
      series("from scratch", ({ scratch }) => scratch),
      series("linear model", ({ linear }) => linear),
    ],
  });
  await writeJson(join(out, `${set}.json`), { set, from, test_texts: testTexts, points });
}

function formatPoints(points: Point[]): string {
  const cell = (values: number[]) => {
    const spread = values.length > 1 ? ` ±${((Math.max(...values) - Math.min(...values)) / 2).toFixed(1)}` : "";
    return `${mean(values).toFixed(2)}${spread}`;
  };
  return formatTable(
    ["rows", "from the encoder", "from scratch", "linear"],
    points.map(({ rows, scratch, encoder, linear }) => [
      rows.toLocaleString("en"),
      cell(encoder),
      cell(scratch),
      cell(linear),
    ]),
  );
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

await new Command("curve")
  .requiredOption("--set <id>", "data set, e.g. trec")
  .requiredOption("--from <model>", "a model or a run whose encoder to begin with, e.g. multitask-en")
  .option("--rows <list>", "rows to train and choose on", numbers, [100, 500, 2000])
  .option("--repeats <n>", "draws of the rows", positiveInteger, 1)
  .option("--data <dir>", "folder with a mirror of the data sets (or the environment variable EDGE_SLM_DATA)")
  .option("--cache <dir>", "where downloaded data are kept")
  .addOption(
    new Option("--device <name>", "where to compute").choices(["auto", "cpu", "webgpu", "wasm"]).default("auto"),
  )
  .option("--threads <n>", "replicas on the CPU (default: one per core)", positiveInteger)
  .option("--out <dir>", "where to write <set>.svg and <set>.json", join("build", "curve"))
  .action((options: Options) => main(options).then(() => process.exit(0), fail))
  .parseAsync();

/**
 * `npm run bench`: what the project promises, measured here and now, beside onnxruntime where it can be: kernels, whole
 * models, cold starts, memory, growth, serving, a large knowledge base and training. Each contender has a process of its own; they are warmed up and
 * asked in turns; figures are medians with their spread. What other programs do on the machine shows in the spread, and
 * less in ratios. `onnxruntime-node` gets a column if it is installed (`npm install --no-save --ignore-scripts onnxruntime-node`) or
 * found through NODE_PATH.
 */
import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { type ClassificationConfig, expectTask, expectTransformer } from "../worker/model/config.ts";
import { barChart, type Panel } from "./bench/chart.ts";
import { kernelPanels, modelPanels } from "./bench/chart-panels.ts";
import { benchDetection, detectionFigures, formatDetection } from "./bench/detection/suite.ts";
import { type Figure, formatFigures, meetsBar } from "./bench/figures.ts";
import { benchGrowth, formatGrowth } from "./bench/growth/suite.ts";
import { formatKernels, kernelFigures } from "./bench/kernels/report.ts";
import { benchKernels, LARGE_SHAPES } from "./bench/kernels/suite.ts";
import { benchKnowledge } from "./bench/knowledge/suite.ts";
import { benchMemory, formatMemory, memoryFigures } from "./bench/memory/suite.ts";
import { formatModels, modelFigures } from "./bench/models/report.ts";
import { type BenchedModel, benchModels } from "./bench/models/suite.ts";
import { makeRandomClassifier } from "./bench/random-model.ts";
import { benchTraining } from "./bench/training/suite.ts";
import { buildBundle, weighBundle } from "./bench/worker/bundle.ts";
import { benchClassifying } from "./bench/worker/classifying.ts";
import { benchCold } from "./bench/worker/cold.ts";
import { benchRecommending } from "./bench/worker/recommending.ts";
import { benchServing } from "./bench/worker/serving.ts";
import { fail, positiveInteger, writeJson } from "./cli.ts";
import { findModelFolder, type ModelFolder, readModelFolder } from "./publish/model-folder.ts";

const SUITES = [
  "kernels",
  "models",
  "cold",
  "memory",
  "growth",
  "serving",
  "knowledge",
  "training",
  "detection",
] as const;
type Suite = (typeof SUITES)[number];
/** Detection needs a mirror of the data. */
const STANDARD = SUITES.filter((suite) => suite !== "detection");

interface Options {
  model: string;
  classifier?: string;
  embedder: string;
  recommender: string;
  only: Suite[];
  rounds: number;
  warm: number;
  cold: number;
  json?: string;
  svg?: string;
}

/** What a suite found: a table for people, figures with or without a bar, everything for machines, and a drawing. */
interface Result {
  table?: string;
  figures: Figure[];
  rows?: unknown;
  panels?: Panel[];
}

/** Long enough to have many calls, short enough to lie within a time slice of the operating system. */
const KERNEL_BURST_MS = 3;
const MODEL_BURST_MS = 15;
const RANDOM_LABELS = 64;

const run: Record<Suite, (model: ModelFolder, options: Options) => Promise<Result>> = {
  async kernels({ manifest }, { rounds }) {
    const rows = await benchKernels(expectTransformer(manifest.config), { rounds, burstMs: KERNEL_BURST_MS });
    const panels = kernelPanels(rows, LARGE_SHAPES);
    return { table: formatKernels(rows), figures: kernelFigures(rows, LARGE_SHAPES), rows, panels };
  },
  async models({ manifest, contents }, { classifier, rounds }) {
    const config = expectTask("translation", manifest.config);
    const translation = { config, weights: weightsOf(contents) };
    const tokenizerJson = new TextDecoder().decode(contents.get("tokenizer.json"));
    const classification = classifier ? await readClassifier(classifier) : makeRandomClassifier(RANDOM_LABELS);
    const options = { rounds, burstMs: MODEL_BURST_MS };
    const results = await benchModels(translation, classification, tokenizerJson, options);
    const panels = modelPanels(results.rows);
    return { table: formatModels(results), figures: modelFigures(results), rows: results, panels };
  },
  async cold(model, { cold }) {
    return { figures: await benchCold(await buildBundle(), model, cold) };
  },
  async memory(model) {
    const rows = await benchMemory(model);
    return { table: formatMemory(rows), figures: memoryFigures(rows), rows };
  },
  async growth(_, { rounds }) {
    const axes = await benchGrowth({ rounds: Math.min(rounds, 3), burstMs: MODEL_BURST_MS });
    return { table: formatGrowth(axes), figures: [], rows: axes };
  },
  async serving(model, { classifier = "multitask-en", recommender, warm }) {
    const bundle = await buildBundle();
    const translating = await benchServing(bundle, model, warm);
    const classifying = await benchClassifying(bundle, await readModelFolder(await findModelFolder(classifier)), warm);
    const recommending = await benchRecommending(
      bundle,
      await readModelFolder(await findModelFolder(recommender)),
      warm,
    );
    return { figures: [...translating, ...classifying, ...recommending, await weighBundle(bundle)] };
  },
  async knowledge(_, { embedder, warm }) {
    const model = await readModelFolder(await findModelFolder(embedder));
    return { figures: await benchKnowledge(await buildBundle(), model, warm) };
  },
  async training({ manifest }, { rounds }) {
    return { figures: await benchTraining(expectTask("translation", manifest.config), rounds) };
  },
  async detection() {
    const result = await benchDetection();
    return { table: formatDetection(result), figures: detectionFigures(result), rows: result };
  },
};

const weightsOf = (contents: ModelFolder["contents"]) => contents.get("model.safetensors") as Uint8Array<ArrayBuffer>;

async function readClassifier(name: string): Promise<BenchedModel<ClassificationConfig>> {
  const { manifest, contents } = await readModelFolder(await findModelFolder(name));
  return { config: expectTask("classification", manifest.config), weights: weightsOf(contents) };
}

async function main(options: Options): Promise<void> {
  if (options.svg && !options.only.some((suite) => suite === "kernels" || suite === "models")) {
    throw new Error(`bench: --svg draws kernels and models; expected one of them in --only, got ${options.only}`);
  }
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, Node ${process.versions.node}`;
  console.log(`${options.model} on ${machine}`);
  const model = await readModelFolder(await findModelFolder(options.model));
  const results = new Map<Suite, Result>();
  for (const suite of options.only) {
    const result = await run[suite](model, options);
    results.set(suite, result);
    console.log(`\n## ${suite}`);
    if (result.table) console.log(`\n${result.table}`);
    if (result.figures.length > 0) console.log(`\n${formatFigures(result.figures)}`);
  }
  const figures = [...results].flatMap(([suite, result]) =>
    result.figures.map((figure) => ({ suite, ...figure, met: meetsBar(figure) })),
  );
  const missed = figures.filter(({ met }) => met === false);
  if (figures.some(({ met }) => met !== undefined)) {
    console.log(`\n${missed.length === 0 ? "Every bar is met." : `${missed.length} bars are missed.`}`);
  }
  if (options.json) {
    const rows = Object.fromEntries([...results].map(([suite, result]) => [suite, result.rows]));
    await writeJson(options.json, { model: options.model, machine, figures, ...rows });
  }
  if (options.svg) await writeChart(options.svg, `${options.model} on ${machine}`, results);
}

async function writeChart(path: string, title: string, results: Map<Suite, Result>): Promise<void> {
  const panels = [...results.values()].flatMap((result) => result.panels ?? []);
  await writeFile(path, barChart(title, panels)).catch((cause: Error) => {
    throw new Error(`bench: cannot write ${path}: ${cause.message}`, { cause });
  });
}

function suites(text: string): Suite[] {
  return text.split(",").map((name) => {
    const suite = SUITES.find((candidate) => candidate === name.trim());
    if (!suite) throw new InvalidArgumentError(`expected some of ${SUITES.join(",")}, got ${JSON.stringify(name)}`);
    return suite;
  });
}

await new Command("bench")
  .option("--model <id>", "a translation model's id or folder", "multi30k-en-de")
  .option("--classifier <id>", "a classification model's id or folder (default: random weights of that size)")
  .option("--embedder <id>", "an embedding model's id or folder", "embed-en")
  .option("--recommender <id>", "a recommendation model's id or folder", "beauty-recommend")
  .option("--only <suites>", `some of ${SUITES.join(",")} (default: all but detection)`, suites, STANDARD)
  .option("--rounds <n>", "counted rounds of kernels and models", positiveInteger, 7)
  .option("--warm <n>", "counted warm requests", positiveInteger, 100)
  .option("--cold <n>", "cold starts", positiveInteger, 9)
  .option("--json <file>", "write everything as JSON, too")
  .option("--svg <file>", "draw kernels and models as a chart, too")
  .action((options: Options) => main(options).catch(fail))
  .parseAsync();

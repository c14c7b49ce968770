/**
 * `npm run train -- classify`: from a table of labelled texts to a classifier that answers. Reads and splits it, trains,
 * exports to `runs/<name>/model`, measures that model on the rows it never saw, and uploads it into the local bucket.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { type ClassificationConfig, parseConfigOf } from "../../worker/model/config.ts";
import { modelIdSchema } from "../../worker/model/manifest.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { cleanText } from "../../worker/text/clean.ts";
import { testBaseline, trainBaseline } from "../baselines/classifier.ts";
import type { LabelledText, Splits } from "../data/classification.ts";
import { readTable, splitTable, type TableText } from "../data/table.ts";
import { calibrate, calibratedConfig } from "../export/calibrate.ts";
import { quantizeModel } from "../export/quantize.ts";
import { writeModelFolder } from "../export/write-model.ts";
import { expectedCalibrationError } from "../metrics/calibration.ts";
import { type ConfusedPair, formatQuality, measureClassification, mostConfused } from "../metrics/classification.ts";
import { answerOf, classifyAll, openClassifier } from "../metrics/classify.ts";
import { openLocalBucket } from "../publish/bucket.ts";
import { isShipped, RUN_MODEL, readModelFolder } from "../publish/model-folder.ts";
import { publish } from "../publish/publish.ts";
import { writeConfusionPlot } from "../report/confusion.ts";
import { percent } from "../report/table.ts";
import { readCheckpoint, writeWhole } from "../training/checkpoint.ts";
import { openTokenizer } from "../training/prepare.ts";
import type { DeviceName } from "../training/replica.ts";
import { chooseDevice } from "../training/session.ts";
import { loadHeads } from "../training/texts.ts";
import { trainClassification } from "../training/train-classification.ts";
import { type PretrainedEncoder, parametersFrom, readEncoder } from "./encoder.ts";
import { guessLanguage, ownRecipe, rowLengthFor, vocabSizeFor } from "./own-recipe.ts";

export interface OwnOptions {
  data: string;
  text?: string;
  label?: string;
  from?: string;
  name?: string;
  language?: string;
  device: DeviceName | "auto";
  threads?: number;
  epochs?: number;
  upload: boolean;
  persistTo: string;
}

/** What a run was made of: another content or another option makes another run. */
const FINGERPRINT = "classify.json";

/** @returns whether it came to the end, or was stopped */
export async function trainOwn(options: OwnOptions): Promise<boolean> {
  const name = options.name ?? nameOf(options.data);
  checkName(name);
  const table = await readTable(options.data, { text: options.text, label: options.label });
  for (const note of table.notes) console.log(`${table.name}: ${note}`);
  const splits = splitTexts(table.texts, table.name);
  const encoder = options.from === undefined ? undefined : await readEncoder(options.from);
  const language = options.language ?? guessLanguage(splits.train);

  const runDir = join("runs", name);
  await openRun(runDir, fingerprintOf(table.texts, encoder, options));
  const tokenizer = await openOwnTokenizer(runDir, splits.train, encoder);
  const counts = splits.train.map(({ text }) => tokenizer.encode(text).length);
  const rowLength = Math.min(rowLengthFor(counts), encoder?.config.max_seq_len ?? Infinity);
  const recipe = ownRecipe(
    { id: name, file: table.name, labelColumn: table.labelColumn, splits },
    { vocabSize: await vocabSizeOf(runDir, encoder), rowLength, language },
    encoder,
  );
  const device = await chooseDevice(options.device, options.threads);
  const begin = encoder && ((config: ClassificationConfig) => parametersFrom(encoder, config, recipe.training.seed));
  const run = { runDir, ...device, data: {}, epochs: options.epochs };
  if (!(await trainClassification(recipe, run, begin))) return false;

  const config = parseConfigOf("classification", await readFile(join(runDir, "config.json"), "utf8"));
  const { parameters } = await readCheckpoint(join(runDir, "best.safetensors"), config);
  const { file } = quantizeModel(config, parameters);
  const calibrations = await calibrate(config, file, tokenizer, await loadHeads(recipe, {}));
  const calibrated = withEncoderCard(calibratedConfig(config, calibrations), encoder);
  const quality = await measure(calibrated, file, tokenizer, splits, runDir);
  const modelDir = join(runDir, RUN_MODEL);
  await writeModelFolder(modelDir, {
    id: name,
    config: { ...calibrated, card: { ...calibrated.card, quality: { ...calibrated.card.quality, ...quality } } },
    tokenizer: await readFile(join(runDir, "tokenizer.json"), "utf8"),
    file,
    parameters: parameters.length,
    command: commandOf(options),
  });
  console.log(
    `\n${modelDir}: ${parameters.length.toLocaleString("en")} parameters, ${file.length.toLocaleString("en")} bytes`,
  );
  const model = await readModelFolder(modelDir);
  if (options.upload) {
    const bucket = await openLocalBucket(options.persistTo);
    const { version } = await publish(bucket, model).finally(() => bucket.close());
    console.log(`${name} ${version} is in the local bucket; npm start serves it, and alone with --model ${name}:`);
    const body = JSON.stringify({ text: splits.test[0]!.text.slice(0, 80), model: name });
    console.log(
      `  curl http://127.0.0.1:8787/v1/classify -H 'content-type: application/json' -d '${body.replaceAll("'", "'\\''")}'`,
    );
  }
  return true;
}

/** A model's id from a file's name. */
function nameOf(path: string): string {
  return basename(path, extname(path))
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "");
}

/** @throws Error if a model cannot be called so */
function checkName(name: string): void {
  const result = modelIdSchema.safeParse(name);
  if (!result.success) throw new Error(`--name ${JSON.stringify(name)}: ${result.error.issues[0]!.message}`);
  if (isShipped(name)) throw new Error(`--name ${name}: there is a model of this name in models/; choose another`);
}

/** Cleaned as the Worker will clean what it is asked. */
function splitTexts(texts: TableText[], file: string): Splits {
  const splits = splitTable(texts.map(({ text, label }) => ({ text: cleanText(text), label })));
  if (splits.dev.length === 0) {
    throw new Error(
      `${file}: expected a class with three or more different texts, got none: too few to choose a model by`,
    );
  }
  const count = (part: LabelledText[]) => part.length.toLocaleString("en");
  console.log(
    `${file}: ${count(splits.train)} rows to train on, ${count(splits.dev)} to choose by, ${count(splits.test)} to test with`,
  );
  return splits;
}

function fingerprintOf(texts: TableText[], encoder: PretrainedEncoder | undefined, options: OwnOptions): string {
  const hash = createHash("sha256");
  for (const { text, label } of texts) hash.update(JSON.stringify([text, label]));
  if (encoder) {
    hash.update(encoder.tokenizer);
    for (const tensor of encoder.tensors.values())
      hash.update(new Uint8Array(tensor.buffer, tensor.byteOffset, tensor.byteLength));
  }
  const { language, epochs } = options;
  return `${JSON.stringify({ sha256: hash.digest("hex"), language, epochs })}\n`;
}

/**
 * The run's folder: one of the same data goes on, one of others is begun anew.
 * @throws Error if it is of another kind of training
 */
async function openRun(runDir: string, fingerprint: string): Promise<void> {
  const path = join(runDir, FINGERPRINT);
  if (existsSync(runDir)) {
    const found = await readFile(path, "utf8").catch(() => undefined);
    if (found === undefined) {
      throw new Error(`${runDir} is there and not of npm run train -- classify; choose another --name, or delete it`);
    }
    if (found === fingerprint) return;
    console.log(`${runDir} was of other data or options; it begins anew`);
    await rm(runDir, { recursive: true });
  }
  await mkdir(runDir, { recursive: true });
  await writeWhole(path, fingerprint);
}

/** The encoder's vocabulary, or one trained on these texts. */
async function openOwnTokenizer(
  runDir: string,
  train: LabelledText[],
  encoder: PretrainedEncoder | undefined,
): Promise<Tokenizer> {
  if (encoder) {
    await writeWhole(join(runDir, "tokenizer.json"), encoder.tokenizer);
    return Tokenizer.fromJson(encoder.tokenizer);
  }
  const texts = () => train.map(({ text }) => text);
  return await openTokenizer(runDir, texts, { vocabSize: vocabSizeFor(train), lowercase: true });
}

/** How many tokens there are: few texts have fewer pairs to merge than a vocabulary has room for. */
async function vocabSizeOf(runDir: string, encoder: PretrainedEncoder | undefined): Promise<number> {
  if (encoder) return encoder.config.vocab_size;
  const { model } = JSON.parse(await readFile(join(runDir, "tokenizer.json"), "utf8"));
  return Object.keys(model.vocab).length;
}

/** What the encoder learnt from is in the classifier, too. */
function withEncoderCard(config: ClassificationConfig, encoder: PretrainedEncoder | undefined): ClassificationConfig {
  if (!encoder) return { ...config, card: { ...config.card, licence: "your own data" } };
  const { licence, training_data } = encoder.config.card;
  return {
    ...config,
    card: {
      ...config.card,
      licence: `your own data; the encoder is that of ${encoder.id}: ${licence}`,
      training_data: [...config.card.training_data, ...training_data],
    },
  };
}

/**
 * Measures the int8 model through the Worker's engine on the test rows, prints what a person wants to know, and draws
 * the confusion matrix.
 * @returns what stands on the card
 */
async function measure(
  config: ClassificationConfig,
  file: Uint8Array<ArrayBuffer>,
  tokenizer: Tokenizer,
  { train, dev, test }: Splits,
  runDir: string,
): Promise<Record<string, number>> {
  const head = config.heads[0]!;
  const texts = test.map(({ text }) => text);
  const answers = (await classifyAll(await openClassifier(config, file), tokenizer, 0, texts)).map((logProbs) =>
    answerOf(head, logProbs),
  );
  const expected = test.map(({ label }) => head.labels.indexOf(label!));
  const predicted = answers.map((answer) => answer.predicted);
  const confidences = answers.map(({ confidence }) => confidence);
  const quality = measureClassification(head.labels, expected, predicted);
  const error = expectedCalibrationError(
    confidences,
    predicted.map((label, i) => label === expected[i]),
  );
  const linear = testBaseline(trainBaseline({ train, dev }, "en"), test).quality;
  console.log(`\nOn the test rows, int8 in the Worker's engine:\n${formatQuality(quality)}`);
  console.log(`expected calibration error ${error.toFixed(3)}`);
  console.log(
    `a linear model on bags of words: accuracy ${percent(linear.accuracy)} %, macro-F1 ${percent(linear.macro_f1)} %`,
  );

  const pairs = mostConfused(head.labels, expected, predicted, { texts, confidences, examples: 2 });
  if (pairs.length > 0) console.log(`\nMost confused:\n${formatConfused(pairs.slice(0, 5))}`);
  const path = join(runDir, "confusion.svg");
  await writeConfusionPlot(path, {
    title: `${head.name}: ${percent(quality.accuracy)} % of ${test.length} test rows right`,
    labels: head.labels,
    confusion: quality.confusion,
    pairs,
  });
  console.log(`Confusion matrix: ${path}`);
  return {
    "test accuracy, %": Number((100 * quality.accuracy).toFixed(2)),
    "test macro-F1, %": Number((100 * quality.macro_f1).toFixed(2)),
    "test calibration error": Number(error.toFixed(4)),
    "test accuracy of a linear model on bags of words, %": Number((100 * linear.accuracy).toFixed(2)),
  };
}

function formatConfused(pairs: ConfusedPair[]): string {
  return pairs
    .flatMap(({ expected, predicted, count, share, examples }) => [
      `  ${expected} answered as ${predicted}: ${count} (${percent(share)} % of ${expected})`,
      ...examples.map((text) => `    ${JSON.stringify(text.length <= 100 ? text : `${text.slice(0, 100)}…`)}`),
    ])
    .join("\n");
}

function commandOf({ data, text, label, from, name, language, epochs }: OwnOptions): string {
  const given = { data: basename(data), text, label, from: from && basename(from), name, language, epochs };
  const flags = Object.entries(given).flatMap(([flag, value]) =>
    value === undefined ? [] : [`--${flag} ${/^[\w./-]+$/.test(String(value)) ? value : JSON.stringify(value)}`],
  );
  return `npm run train -- classify ${flags.join(" ")}`;
}

/**
 * `npm run train -- classify`: from a table of labelled texts to a classifier that answers. Reads and splits it, trains,
 * exports to `runs/<name>/model`, measures that model on the rows it never saw, and uploads it into the local bucket.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { ClassificationConfig } from "../../worker/model/config.ts";
import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import { cleanText } from "../../worker/text/clean.ts";
import { testBaseline, trainBaseline } from "../baselines/classifier.ts";
import type { LabelledText, Splits } from "../data/classification.ts";
import { readTable, splitTable, type TableText } from "../data/table.ts";
import { writeModelFolder } from "../export/write-model.ts";
import { expectedCalibrationError } from "../metrics/calibration.ts";
import { type ConfusedPair, formatQuality, measureClassification, mostConfused } from "../metrics/classification.ts";
import { answerOf, classifyAll, openClassifier } from "../metrics/classify.ts";
import { openLocalBucket } from "../publish/bucket.ts";
import { isShipped, RUN_MODEL, readModelFolder } from "../publish/model-folder.ts";
import { publish } from "../publish/publish.ts";
import { writeConfusionPlot } from "../report/confusion.ts";
import { percent } from "../report/table.ts";
import { writeWhole } from "../training/checkpoint.ts";
import type { DeviceName } from "../training/replica.ts";
import { chooseDevice } from "../training/session.ts";
import { type PretrainedEncoder, readEncoder } from "./encoder.ts";
import { guessLanguage } from "./own-recipe.ts";
import { checkName, commandOf, nameOf, openRun } from "./own-run.ts";
import { trainSplits } from "./train-splits.ts";

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

/** With fewer rows to train on than this, a shipped encoder is worth a hint. */
const FEW_ROWS = 5_000;
const ENCODERS: Record<string, string> = { en: "multitask-en", zh: "multitask-zh" };

/** @returns whether it came to the end, or was stopped */
export async function trainOwn(options: OwnOptions): Promise<boolean> {
  const name = options.name ?? nameOf(options.data);
  checkName(name);
  const table = await readTable(options.data, { text: options.text, label: options.label });
  for (const note of table.notes) console.log(`${table.name}: ${note}`);
  const splits = splitTexts(table.texts, table.name);
  const encoder = options.from === undefined ? undefined : await readEncoder(options.from);
  const language = options.language ?? guessLanguage(splits.train);
  const shipped = ENCODERS[language];
  if (!encoder && splits.train.length < FEW_ROWS && shipped !== undefined && isShipped(shipped)) {
    console.log(`few rows: --from ${shipped} begins with an encoder that knows the language`);
  }

  const runDir = join("runs", name);
  await openRun("classify", runDir, fingerprintOf(table.texts, encoder, options));
  const device = await chooseDevice(options.device, options.threads);
  const data = { id: name, file: table.name, labelColumn: table.labelColumn, splits };
  const trained = await trainSplits(data, { runDir, ...device, epochs: options.epochs, language, encoder });
  if (!trained) return false;
  const { config: calibrated, file, tokenizer, parameters } = trained;
  const quality = await measure(calibrated, file, tokenizer, splits, runDir);
  const exported = { ...calibrated, card: { ...calibrated.card, quality: { ...calibrated.card.quality, ...quality } } };
  const modelDir = join(runDir, RUN_MODEL);
  await writeModelFolder(modelDir, {
    id: name,
    config: exported,
    vocabulary: await readFile(join(runDir, "tokenizer.json"), "utf8"),
    file,
    parameters,
    command: commandOf("classify", {
      data: basename(options.data),
      text: options.text,
      label: options.label,
      from: options.from && basename(options.from),
      name: options.name,
      language: options.language,
      epochs: options.epochs,
    }),
  });
  // Who begins with this run's encoder has its card.
  await writeWhole(join(runDir, "config.json"), `${JSON.stringify(exported, null, 2)}\n`);
  console.log(
    `\n${modelDir}: ${parameters.toLocaleString("en")} parameters, ${file.length.toLocaleString("en")} bytes`,
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
  const linear = testBaseline(
    trainBaseline({ train, dev }, config.source_languages[0] === "zh" ? "zh" : "en"),
    test,
  ).quality;
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

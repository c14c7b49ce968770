/**
 * Teachers of a task: models that answer it, and the labels that they draw together for texts that have none. How sure
 * they are together is fitted on texts whose labels are known.
 */
import { logSoftmax } from "../../worker/engine/heads.ts";
import { loadClassifier } from "../../worker/engine/load.ts";
import { expectTask } from "../../worker/model/config.ts";
import { segmentText } from "../../worker/text/segments.ts";
import { logProbsOf, trainBaseline } from "../baselines/classifier.ts";
import { type LabelledText, type Splits, textKey } from "../data/classification.ts";
import { loadKernels } from "../kernels.ts";
import { fitTemperature } from "../metrics/calibration.ts";
import { classifyAll, engineClassifier } from "../metrics/classify.ts";
import { findModelFolder, readModelFolder, tokenizerOf, weightsOf } from "../publish/model-folder.ts";
import { hash32, shuffle, uniformStream } from "../training/random.ts";

export interface Teacher {
  name: string;
  /** @returns log_probs of each text, in the order of the head's labels */
  ask(texts: string[]): Promise<Float64Array[]>;
}

/** Words of a sentence that says enough, and of one that is no list. */
const WORDS = { least: 4, most: 50 };
const SEED = 1;

/** Every different sentence of the texts that does not stand among `others`, in random order. */
export function sentencesOf(texts: readonly string[], language: string, others: LabelledText[]): string[] {
  const seen = new Set(others.map(({ text }) => textKey(text)));
  const sentences: string[] = [];
  for (const text of texts) {
    for (const segment of segmentText(text, language)) {
      const sentence = segment.text.trim();
      const words = sentence.split(/\s+/).length;
      const key = textKey(sentence);
      if (!segment.translate || words < WORDS.least || words > WORDS.most || seen.has(key)) continue;
      seen.add(key);
      sentences.push(sentence);
    }
  }
  return shuffle(sentences, uniformStream(hash32(SEED, 1)));
}

export function linearTeacher(train: LabelledText[], dev: LabelledText[], language: "en" | "zh"): Teacher {
  const baseline = trainBaseline({ train, dev }, language);
  return { name: "linear", ask: async (texts) => logProbsOf(baseline, texts) };
}

/** @throws Error if the model has no such head with these labels */
export async function modelTeacher(from: string, task: string, labels: string[]): Promise<Teacher> {
  const folder = await readModelFolder(await findModelFolder(from));
  const config = expectTask("classification", folder.manifest.config);
  const head = config.heads.findIndex(({ name }) => name === task);
  const found = config.heads[head]?.labels;
  if (found?.join() !== labels.join()) {
    throw new Error(`teach: expected ${from} to have ${task} with ${labels.join(", ")}, got ${found?.join(", ")}`);
  }
  const classifier = engineClassifier(await loadClassifier(config, weightsOf(folder), await loadKernels()));
  const tokenizer = tokenizerOf(folder);
  return { name: folder.manifest.id, ask: (texts) => classifyAll(classifier, tokenizer, head, texts) };
}

/** @returns [teachers][texts] log_probs [labels] */
export async function askAll(teachers: Teacher[], texts: string[]): Promise<Float64Array[][]> {
  const all: Float64Array[][] = [];
  for (const { ask } of teachers) all.push(await ask(texts));
  return all;
}

/** Logarithms of the teachers' mean probabilities, [texts] [labels]. */
export function meanOf(answers: Float64Array[][]): Float64Array[] {
  return answers[0]!.map((row, text) =>
    row.map((_, label) => {
      const total = answers.reduce((sum, one) => sum + Math.exp(one[text]![label]!), 0);
      return Math.log(total / answers.length);
    }),
  );
}

/**
 * A label for each text, drawn with the teachers' probabilities, and how many of them they are surer of than 0.9.
 * @param known log_probs of the teachers for texts whose labels are known, as of `askAll`
 * @param expected index of the label of each of those
 */
export async function drawLabels(
  teachers: Teacher[],
  texts: string[],
  known: Float64Array[][],
  expected: number[],
): Promise<{ drawn: number[]; sure: number }> {
  // Several that are each as sure as they should be are together less sure than they should be.
  const temperature = fitTemperature(meanOf(known).map((logits, i) => ({ logits, expected: expected[i]! })));
  const logProbs = meanOf(await askAll(teachers, texts)).map((row) => logSoftmax(row, temperature));
  const uniform = uniformStream(SEED);
  return {
    drawn: logProbs.map((row) => drawFrom(row.map(Math.exp), uniform())),
    sure: logProbs.filter((row) => Math.max(...row) > Math.log(0.9)).length,
  };
}

/**
 * A head's own training texts with other labels, drawn with the probabilities of a linear model that has not seen them
 * (cross-fitting; Dao et al. 2021, arXiv:2104.09732). Where texts are few and their labels doubtful, a network learns by
 * heart what was written beside each of them; what else it could have been is said here.
 * @param draws labels of each text
 */
export function crossFit(
  { train, dev }: Omit<Splits, "test">,
  language: "en" | "zh",
  { folds, draws }: { folds: number; draws: number },
): LabelledText[] {
  const uniform = uniformStream(SEED);
  const texts = shuffle([...train], uniformStream(hash32(SEED, 2)));
  return Array.from({ length: folds }, (_, fold) => {
    const isHeld = (_text: LabelledText, i: number) => i % folds === fold;
    const baseline = trainBaseline({ train: texts.filter((text, i) => !isHeld(text, i)), dev }, language);
    const held = texts.filter(isHeld).map(({ text }) => text);
    return logProbsOf(baseline, held).flatMap((row, i) =>
      Array.from({ length: draws }, () => ({
        text: held[i]!,
        label: baseline.labels[drawFrom(row.map(Math.exp), uniform())]!,
      })),
    );
  }).flat();
}

/** The index whose part of 0…1 holds `uniform`. */
function drawFrom(probabilities: Float64Array, uniform: number): number {
  let above = uniform;
  const index = probabilities.findIndex((probability) => {
    above -= probability;
    return above < 0;
  });
  return index < 0 ? probabilities.length - 1 : index;
}

/**
 * What is fitted on dev once a reader's int8 weights are final: the temperature with which a confidence says what F1 comes
 * of it, and the confidence below which there is no answer. Half of the questions are asked of a context that does not
 * answer them.
 */

import { loadReader } from "../../worker/engine/load.ts";
import type { QuestionAnsweringConfig } from "../../worker/model/config.ts";
import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import { askElsewhere, type Paragraph } from "../data/question-answering.ts";
import { loadKernels } from "../kernels.ts";
import { answerRead, f1WithThreshold, type ReadAnswer, readQuestions } from "../metrics/reading.ts";

const TEMPERATURES = Array.from({ length: 20 }, (_, i) => 0.5 + 0.1 * i);

/** @returns the configuration with temperature and threshold, and on its card what they reach on dev */
export async function calibrateReader(
  config: QuestionAnsweringConfig,
  file: Uint8Array<ArrayBuffer>,
  tokenizer: Tokenizer,
  dev: Paragraph[],
): Promise<QuestionAnsweringConfig> {
  const engine = await loadReader(config, new Blob([file]).stream(), await loadKernels());
  const read = await readQuestions({ config, tokenizer, engine }, [...dev, ...askElsewhere(dev)]);
  const fits = TEMPERATURES.map((value) => {
    const temperature = Number(value.toFixed(1));
    const answers = read.map((one) => answerRead(one, { ...config, temperature }));
    const error = answers.reduce((sum, { confidence, f1 }) => sum + (confidence - f1) ** 2, 0);
    return { temperature, answers, error };
  });
  const { temperature, answers } = fits.reduce((best, fit) => (fit.error < best.error ? fit : best));
  const threshold = bestThreshold(answers);
  const answerable = answers.filter(({ isAnswerable }) => isAnswerable);
  const points = (share: number) => Number((100 * share).toFixed(2));
  const quality = {
    "dev F1, %": points(f1WithThreshold(answerable, 0)),
    "dev F1 with as many questions without an answer, %": points(f1WithThreshold(answers, threshold)),
  };
  return { ...config, temperature, no_answer_below: threshold, card: { ...config.card, quality } };
}

/** The one with the highest F1, between two confidences that occur. */
function bestThreshold(answers: readonly ReadAnswer[]): number {
  const sorted = [...answers].sort((a, b) => a.confidence - b.confidence);
  // Answering all, and then one less after the other.
  let f1 = sorted.reduce((sum, answer) => sum + answer.f1, 0);
  let best = { f1, threshold: 0 };
  sorted.forEach((answer, i) => {
    f1 += Number(!answer.isAnswerable) - answer.f1;
    const next = sorted[i + 1]?.confidence ?? 1;
    if (f1 > best.f1) best = { f1, threshold: (answer.confidence + next) / 2 };
  });
  return Number(best.threshold.toFixed(4));
}

/**
 * What is fitted on dev once a reader's int8 weights are final: the temperature with which its answers are best, and the
 * confidence below which there is none. For that, every question is asked once more of a context that does not answer it.
 */

import { loadReader } from "../../worker/engine/load.ts";
import type { QuestionAnsweringConfig } from "../../worker/model/config.ts";
import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import { askElsewhere, type Paragraph } from "../data/question-answering.ts";
import { loadKernels } from "../kernels.ts";
import { answerRead, f1WithThreshold, type ReadAnswer, readQuestions } from "../metrics/reading.ts";

const TEMPERATURES = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.35, 1.5, 1.75, 2];

/** @returns the configuration with temperature and threshold, and on its card what they reach on dev */
export async function calibrateReader(
  config: QuestionAnsweringConfig,
  file: Uint8Array<ArrayBuffer>,
  tokenizer: Tokenizer,
  dev: Paragraph[],
): Promise<QuestionAnsweringConfig> {
  const engine = await loadReader(config, new Blob([file]).stream(), await loadKernels());
  const read = await readQuestions({ config, tokenizer, engine }, [...dev, ...askElsewhere(dev)]);
  const answerable = read.filter(({ right }) => right.length > 0);
  const fits = TEMPERATURES.map((temperature) => {
    const answers = answerable.map((one) => answerRead(one, { ...config, temperature }));
    return { temperature, f1: f1WithThreshold(answers, 0) };
  });
  const { temperature, f1 } = fits.reduce((best, fit) => (fit.f1 > best.f1 ? fit : best));
  const answers = read.map((one) => answerRead(one, { ...config, temperature }));
  const threshold = bestThreshold(answers);
  const points = (share: number) => Number((100 * share).toFixed(2));
  const quality = {
    "dev F1, %": points(f1),
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

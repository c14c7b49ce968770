/**
 * Classifies a list of texts as `POST /v1/classify` does: cleaned, long ones cut into windows whose answers are
 * combined, the temperature and the threshold of the head applied. What computes is the caller's.
 */
import { type Classifier, classify, combineWindows, isOutOfScope } from "../../worker/engine/heads.ts";
import { loadClassifier } from "../../worker/engine/load.ts";
import type { ClassificationConfig } from "../../worker/model/config.ts";
import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import { cleanText } from "../../worker/text/clean.ts";
import { textWindows } from "../../worker/text/windows.ts";
import { loadKernels } from "../kernels.ts";

/** What is asked of a model; the Worker's engine is one, and a float checkpoint. */
export interface TextClassifier {
  readonly config: ClassificationConfig;
  /** Token ids of each text, without the end token → for each text and each of the heads the log_probs of its labels. */
  classify(texts: number[][], heads: number[]): Promise<Float64Array[][]>;
}

/** An int8 model in the Worker's engine, from the bytes of its model.safetensors. */
export async function openClassifier(
  config: ClassificationConfig,
  file: Uint8Array<ArrayBuffer>,
): Promise<TextClassifier> {
  return engineClassifier(await loadClassifier(config, new Blob([file]).stream(), await loadKernels()));
}

export function engineClassifier(engine: Classifier): TextClassifier {
  return { config: engine.config, classify: (texts, heads) => classify(engine, texts, { heads }) };
}

/** What a text is given. */
export interface Answer {
  /** Index of the label. */
  predicted: number;
  /** Index of the most probable label; another one than `predicted` only where it is not probable enough. */
  best: number;
  /** Probability of `best`. */
  confidence: number;
}

/** Enough to fill passes and packed rows, few enough to show progress. */
const BATCH = 256;

/**
 * @param head index of the head
 * @param onProgress called after each batch with the number of texts done
 * @returns log_probs [labels] of each text
 */
export async function classifyAll(
  model: TextClassifier,
  tokenizer: Tokenizer,
  head: number,
  texts: readonly string[],
  onProgress?: (done: number) => void,
): Promise<Float64Array[]> {
  const { config } = model;
  const labels = config.heads[head]!.labels.length;
  const results: Float64Array[] = [];
  for (let start = 0; start < texts.length; start += BATCH) {
    const plan = texts
      .slice(start, start + BATCH)
      .map((text) => textWindows(cleanText(text), config.source_languages[0]!, tokenizer, config.max_seq_len - 1));
    const answers = await model.classify(
      plan.flatMap((windows) => windows.map(({ tokens }) => tokens)),
      [head],
    );
    let next = 0;
    for (const windows of plan) {
      const logProbs = answers.slice(next, next + windows.length).map(([only]) => only!);
      next += windows.length;
      const lengths = windows.map(({ tokens }) => tokens.length);
      // A text without a token says nothing: all labels alike.
      results.push(
        windows.length === 0 ? new Float64Array(labels).fill(-Math.log(labels)) : combineWindows(logProbs, lengths),
      );
    }
    onProgress?.(results.length);
  }
  return results;
}

/** The label that the Worker gives a text, by its index: of out of scope, too. */
export function answerOf(head: ClassificationConfig["heads"][number], logProbs: Float64Array): Answer {
  const best = logProbs.reduce((most, value, i) => (value > logProbs[most]! ? i : most), 0);
  const confidence = Math.min(1, Math.exp(logProbs[best]!));
  const predicted = isOutOfScope(head, logProbs, best) ? head.labels.indexOf(head.out_of_scope!) : best;
  return { predicted, best, confidence };
}

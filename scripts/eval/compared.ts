/**
 * The models whose rows `npm run eval` prints: the int8 model and its float checkpoint, and beside them others that
 * learn the same tasks from the same texts. A further one is an entry of `OTHERS`.
 */

import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import { answerTexts, parametersOf, trainBaseline } from "../baselines/classifier.ts";
import { type Answer, answerOf, classifyAll, type TextClassifier } from "../metrics/classify.ts";
import type { LoadedHead } from "../training/texts.ts";

export interface ComparedModel {
  name: string;
  /** Of all tasks that are measured. */
  parameters: number;
  /** Of its file; undefined if it has none. */
  bytes: number | undefined;
  /** @param head index among the heads of the evaluation */
  classify(head: number, texts: string[], onProgress: (done: number) => void): Promise<Answer[]>;
}

/** @param heads of the configuration, those that are measured */
export function compareClassifier(
  classifier: TextClassifier,
  tokenizer: Tokenizer,
  heads: number[],
  facts: Pick<ComparedModel, "name" | "parameters" | "bytes">,
): ComparedModel {
  return {
    ...facts,
    async classify(head, texts, onProgress) {
      const logProbs = await classifyAll(classifier, tokenizer, heads[head]!, texts, onProgress);
      return logProbs.map((row) => answerOf(classifier.config.heads[heads[head]!]!, row));
    },
  };
}

/** What another model is made of. Of each text's label it sees train and dev only. */
export interface ComparedTasks {
  language: "en" | "zh";
  heads: LoadedHead[];
  onProgress: (done: number) => void;
}

export interface OtherModel {
  name: string;
  /** Trains or loads it. */
  open(tasks: ComparedTasks): Promise<ComparedModel>;
}

/** A linear model on TF-IDF of words and their pairs, one for each task (scripts/baselines). */
const linear: OtherModel = {
  name: "linear",
  async open({ language, heads, onProgress }) {
    const baselines = heads.map(({ train, dev }, i) => {
      const baseline = trainBaseline({ train, dev }, language);
      onProgress(i + 1);
      return baseline;
    });
    return {
      name: this.name,
      parameters: baselines.reduce((sum, baseline) => sum + parametersOf(baseline), 0),
      bytes: undefined,
      async classify(head, texts, onProgress) {
        const answers = answerTexts(baselines[head]!, texts);
        onProgress(texts.length);
        return answers.map(({ predicted, confidence }) => ({ predicted, best: predicted, confidence }));
      },
    };
  },
};

export const OTHERS: OtherModel[] = [linear];

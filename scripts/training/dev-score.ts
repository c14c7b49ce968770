/**
 * The score on dev while training runs: of what would be shipped, the quantized network in the Worker's engine, so
 * that the checkpoint is chosen by what users get, and in seconds.
 */
import { findSpans } from "../../worker/answer.ts";
import { generate } from "../../worker/engine/generate.ts";
import { classify } from "../../worker/engine/heads.ts";
import { loadClassifier, loadReader, loadRecommender, loadTransformer } from "../../worker/engine/load.ts";
import type {
  ClassificationConfig,
  QuestionAnsweringConfig,
  RecommendationConfig,
  TranslationConfig,
} from "../../worker/model/config.ts";
import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import type { Question } from "../data/histories.ts";
import type { SentencePair } from "../data/multi30k.ts";
import type { Paragraph } from "../data/question-answering.ts";
import { quantizeModel } from "../export/quantize.ts";
import { loadKernels } from "../kernels.ts";
import { corpusBleu } from "../metrics/bleu.ts";
import { rankingQuality } from "../metrics/ranking.ts";
import { rankNext } from "../metrics/recommend.ts";
import { spanScores } from "../metrics/span-f1.ts";
import { translateAll } from "../metrics/translate.ts";
import type { LabelledTokens } from "./text-batches.ts";

export type Score = (parameters: Float32Array) => Promise<number>;

/** BLEU (cased, 13a) of greedy search. */
export async function createBleuScore(
  config: TranslationConfig,
  tokenizer: Tokenizer,
  pairs: SentencePair[],
): Promise<Score> {
  const kernels = await loadKernels();
  const sources = pairs.map(({ source }) => source);
  const references = pairs.map(({ target }) => target);
  return async (parameters) => {
    const { file } = quantizeModel(config, parameters);
    const model = await loadTransformer(config, new Blob([file]).stream(), kernels);
    const search = (batch: number[][]) => generate(model, batch, { beamSize: 1, scores: false });
    const { translations } = await translateAll(search, tokenizer, sources);
    return corpusBleu(translations, [references]).score;
  };
}

/** Word F1 in percent of the best span, whether the model believes it or not. */
export async function createSpanScore(
  config: QuestionAnsweringConfig,
  tokenizer: Tokenizer,
  paragraphs: Paragraph[],
): Promise<Score> {
  const kernels = await loadKernels();
  const asked = paragraphs.flatMap(({ context, questions }) =>
    questions.map(({ question, answers }) => ({
      context,
      question,
      right: answers.map(({ start, end }) => context.slice(start, end)),
    })),
  );
  return async (parameters) => {
    const { file } = quantizeModel(config, parameters);
    const engine = await loadReader(config, new Blob([file]).stream(), kernels);
    let sum = 0;
    for (const { context, question, right } of asked) {
      const { spans } = await findSpans({ config, tokenizer, engine }, question, context);
      sum += spanScores(spans[0]?.text ?? "", right).f1;
    }
    return (100 * sum) / asked.length;
  };
}

/** Accuracy in percent, the mean of the heads', so that a small task counts as much as a large one. */
export async function createAccuracyScore(config: ClassificationConfig, dev: LabelledTokens[][]): Promise<Score> {
  const kernels = await loadKernels();
  return async (parameters) => {
    const { file } = quantizeModel(config, parameters);
    const model = await loadClassifier(config, new Blob([file]).stream(), kernels);
    let sum = 0;
    for (const [head, texts] of dev.entries()) {
      const tokens = texts.map((text) => text.tokens.slice(0, model.maxTokens));
      const logProbs = await classify(model, tokens, { heads: [head] });
      const right = texts.filter(({ label }, i) => indexOfMax(logProbs[i]![0]!) === label).length;
      sum += right / texts.length;
    }
    return (100 * sum) / dev.length;
  };
}

/** NDCG@10 in percent. */
export async function createRankingScore(config: RecommendationConfig, dev: Question[]): Promise<Score> {
  const kernels = await loadKernels();
  return async (parameters) => {
    const { file } = quantizeModel(config, parameters);
    const model = await loadRecommender(config, new Blob([file]).stream(), kernels);
    return 100 * rankingQuality(dev.map((question) => rankNext(model, question))).ndcg;
  };
}

function indexOfMax(values: Float64Array): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

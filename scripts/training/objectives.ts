/** What can be trained: each objective's loss by name, so that a worker thread can be told which. */
import type { Array as NdArray } from "@jax-js/jax";
import type {
  ClassificationConfig,
  EmbeddingConfig,
  EncoderClassificationConfig,
  QuestionAnsweringConfig,
  RecommendationConfig,
  TranslationConfig,
} from "../../worker/model/config.ts";
import type { Params, Regularization } from "./blocks.ts";
import { type ClassificationBatch, classificationLoss } from "./classification.ts";
import { type EmbeddingBatch, embeddingLoss } from "./embedding.ts";
import { type LstmBatch, lstmLoss } from "./lstm.ts";
import { type MaskedTokensBatch, maskedTokensLoss } from "./masked-tokens.ts";
import { type NextItemBatch, nextItemLoss } from "./next-item.ts";
import { type SpanBatch, spanLoss } from "./question-answering.ts";
import { type TranslationBatch, translationLoss } from "./translation.ts";

export type Objective =
  | { kind: "translation"; config: TranslationConfig }
  | { kind: "classification"; config: ClassificationConfig }
  | { kind: "question-answering"; config: QuestionAnsweringConfig }
  | { kind: "masked-tokens"; config: EncoderClassificationConfig }
  /** `slots`: texts of a row, at most. */
  | { kind: "embedding"; config: EmbeddingConfig; slots: number }
  | { kind: "next-item"; config: RecommendationConfig };

/** A batch on the device: every array consumed by the loss. */
export type DeviceBatch = Record<string, NdArray>;

/**
 * The loss of a batch, summed over what it counts.
 * @returns [with smoothing and dropout, plain], scalars in nats
 */
export type Loss = (
  params: Params,
  batch: DeviceBatch,
  seed: NdArray,
  regularization: Regularization,
) => [NdArray, NdArray];

export function lossOf(objective: Objective): Loss {
  switch (objective.kind) {
    case "translation":
      return (params, batch, seed, regularization) =>
        translationLoss(params, batch as TranslationBatch, seed, objective.config, regularization);
    case "classification": {
      const { config } = objective;
      if (config.model_type === "edge-slm-lstm") {
        return (params, batch, seed, regularization) =>
          lstmLoss(params, batch as LstmBatch, seed, config, regularization);
      }
      return (params, batch, seed, regularization) =>
        classificationLoss(params, batch as ClassificationBatch, seed, config, regularization);
    }
    case "question-answering":
      return (params, batch, seed, regularization) =>
        spanLoss(params, batch as SpanBatch, seed, objective.config, regularization);
    case "masked-tokens":
      return (params, batch, seed, regularization) =>
        maskedTokensLoss(params, batch as MaskedTokensBatch, seed, objective.config, regularization);
    case "embedding":
      return (params, batch, seed, regularization) =>
        embeddingLoss(params, batch as EmbeddingBatch, seed, objective.config, regularization, objective.slots);
    case "next-item":
      return (params, batch, seed, regularization) =>
        nextItemLoss(params, batch as NextItemBatch, seed, objective.config, regularization);
  }
}

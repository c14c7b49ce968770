/**
 * The loss of classification: one encoder, the mean of each text's outputs, and a linear head for each task. All heads
 * are one matrix here; a text's cross-entropy runs over the columns of its own task.
 */
import { lax, type Array as NdArray, nn, numpy as np } from "@jax-js/jax";
import type { ClassificationConfig, EncoderClassificationConfig } from "../../worker/model/config.ts";
import { encode, hashDropout, type Params, type Regularization } from "./blocks.ts";

/** All int32. Texts are packed, up to S of them in a row. */
export type ClassificationBatch = {
  /** [B, L] token ids */
  source: NdArray;
  /** [B, L] 1…S, 0 is padding */
  sourceSegment: NdArray;
  /** [B, L] */
  sourcePosition: NdArray;
  /** Of a model that has any n-grams, as of `NGramBatch`. */
  nGram?: NdArray;
  nGramCount?: NdArray;
  /** [B, S] index of the label among all heads' labels, −1 where there is no text */
  label: NdArray;
  /** [B, S] index of the head, −1 where there is no text */
  head: NdArray;
};

/** Where each head's labels begin among all labels, and how many there are in all. */
export function labelOffsets(config: ClassificationConfig): { offsets: number[]; total: number } {
  let total = 0;
  const offsets = config.heads.map(({ labels }) => {
    const offset = total;
    total += labels.length;
    return offset;
  });
  return { offsets, total };
}

/** [B·S, d_model]: the mean of each segment's encoder outputs h [B·L, d_model]; zeros where there is no segment. */
export function poolSegments(h: NdArray, segments: NdArray, slots: number): NdArray {
  const [b, l] = segments.shape as [number, number];
  const numbers = np.arange(1, slots + 1).reshape([1, slots, 1]);
  const member = segments.reshape([b, 1, l]).equal(numbers).astype(np.float32);
  const count = np.maximum(np.sum(member.ref, -1, { keepdims: true }), 1);
  const d = h.shape[1]!;
  return np.matmul(member.mul(np.reciprocal(count)), h.reshape([b, l, d])).reshape([b * slots, d]);
}

/** Summed cross-entropy of a batch in nats: [smoothed, plain], scalars over all its texts. */
export function classificationLoss(
  params: Params,
  batch: ClassificationBatch,
  seed: NdArray,
  config: EncoderClassificationConfig,
  { dropout: rate, labelSmoothing }: Regularization,
): [NdArray, NdArray] {
  const { source, sourceSegment, sourcePosition, nGram, nGramCount, label, head } = batch;
  const slots = label.shape[1]!;
  const dropout = hashDropout(rate, seed);
  const h = encode(source, sourceSegment.ref, sourcePosition, params, config, dropout, {
    nGrams: nGram && nGramCount && { rows: nGram, count: nGramCount },
  });
  const pooled = dropout(poolSegments(h, sourceSegment, slots));
  return headsLoss(pooled, label, head, params, config, labelSmoothing);
}

/**
 * The loss of the heads on the vectors of texts [B·S, d_model].
 * @param label and head as of `ClassificationBatch`
 */
export function headsLoss(
  vectors: NdArray,
  label: NdArray,
  head: NdArray,
  params: Params,
  config: ClassificationConfig,
  labelSmoothing: number,
): [NdArray, NdArray] {
  const { total } = labelOffsets(config);
  const names = config.heads.map(({ name }) => name);
  const weight = np.concatenate(names.map((name) => params[`heads.${name}.weight`]!.ref));
  const bias = np.concatenate(names.map((name) => params[`heads.${name}.bias`]!.ref));
  const logits = np.matmul(vectors, weight.transpose()).add(bias);

  // Which head each column belongs to: a text sees its own head's columns alone.
  const columns = config.heads.flatMap(({ labels }, i) => labels.map(() => i));
  const columnHead = np.array(new Int32Array(columns), { dtype: np.int32 }).reshape([1, total]);
  const own = head.reshape([-1, 1]).equal(columnHead);
  const logProbs = nn.logSoftmax(np.where(own.ref, logits, -1e9), -1);
  const target = label.ref
    .reshape([-1, 1])
    .equal(np.arange(total).reshape([1, total]))
    .astype(np.float32);
  const plain = np.sum(np.where(own.ref, logProbs.ref, 0).mul(target), -1).neg();
  const share = own.ref.astype(np.float32);
  const count = np.maximum(np.sum(share, -1), 1);
  const uniform = np
    .sum(np.where(own, logProbs, 0), -1)
    .neg()
    .div(count);
  const real = label.reshape([-1]).greaterEqual(0).astype(np.float32);
  const smoothed = plain.ref.mul(1 - labelSmoothing).add(uniform.mul(labelSmoothing));
  return [np.sum(smoothed.mul(real.ref)), np.sum(lax.stopGradient(plain.mul(real)))];
}

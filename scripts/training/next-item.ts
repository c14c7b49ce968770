/**
 * The loss of recommendation: after each item of a history, name the next one out of the whole catalogue, through the tied
 * embedding (SASRec, with full cross-entropy instead of sampled negatives). The transformer is causal, so that one pass
 * over a history is as many examples as it has items.
 */
import { lax, type Array as NdArray, nn, numpy as np } from "@jax-js/jax";
import type { RecommendationConfig } from "../../worker/model/config.ts";
import {
  feedForward,
  hashDropout,
  layerNorm,
  type Params,
  type Regularization,
  segmentMask,
  selfAttention,
} from "./blocks.ts";

/** All int32 [B, L]. */
export type NextItemBatch = {
  /** Items. */
  source: NdArray;
  /** 0 is padding */
  sourceSegment: NdArray;
  /** Counted from the latest item of a history back. */
  sourcePosition: NdArray;
  /** The item that came next; −1 for padding. */
  label: NdArray;
};

/** Summed cross-entropy of all items in nats: [smoothed, plain]. */
export function nextItemLoss(
  params: Params,
  { source, sourceSegment, sourcePosition, label }: NextItemBatch,
  seed: NdArray,
  config: RecommendationConfig,
  { dropout: rate, labelSmoothing }: Regularization,
): [NdArray, NdArray] {
  const dropout = hashDropout(rate, seed);
  const mask = segmentMask(sourceSegment.ref, sourceSegment, true);
  const embedding = params["embedding.weight"]!;
  const items = np.take(embedding.ref, source.reshape([-1]), 0).mul(Math.sqrt(config.d_model));
  let x = dropout(items.add(np.take(params["positions.weight"]!.ref, sourcePosition.reshape([-1]), 0)));
  for (let i = 0; i < config.n_enc_layers; i++) {
    const layer = `encoder.${i}`;
    x = x.ref.add(dropout(selfAttention(x, params, layer, mask.ref, config)));
    x = x.ref.add(dropout(feedForward(x, params, layer, config)));
  }
  mask.dispose();
  const h = layerNorm(x, params, "encoder.norm", config.layer_norm_eps);
  const labels = label.reshape([-1]);
  const logSumExp = nn.logsumexp(np.matmul(h.ref, embedding.ref.transpose()), -1);
  const labelLogit = np.sum(h.ref.mul(np.take(embedding.ref, np.maximum(labels.ref, 0), 0)), -1);
  const meanLogit = np.matmul(h, np.mean(embedding.ref, 0));
  const real = labels.greaterEqual(0).astype(np.float32);
  const plain = logSumExp.ref.sub(labelLogit);
  const smoothed = plain.ref.mul(1 - labelSmoothing).add(logSumExp.sub(meanLogit).mul(labelSmoothing));
  return [np.sum(smoothed.mul(real.ref)), np.sum(lax.stopGradient(plain.mul(real)))];
}

/** The loss of translation: an encoder, a causal decoder that attends to it, and the tied output projection. */
import { lax, type Array as NdArray, nn, numpy as np } from "@jax-js/jax";
import type { TranslationConfig } from "../../worker/model/config.ts";
import {
  crossAttention,
  embed,
  encode,
  feedForward,
  hashDropout,
  layerNorm,
  type Params,
  type Regularization,
  segmentMask,
  selfAttention,
} from "./blocks.ts";

/** Token ids and their places, all int32 [B, L]; segment 0 is padding. */
export type TranslationBatch = {
  source: NdArray;
  sourceSegment: NdArray;
  sourcePosition: NdArray;
  /** The decoder's input: bos and the target. */
  target: NdArray;
  /** What it should predict: the target and eos. */
  label: NdArray;
  targetSegment: NdArray;
  targetPosition: NdArray;
};

/**
 * Summed cross-entropy of a batch in nats, with label smoothing, and without (for perplexity).
 * @returns [smoothed, plain], both scalars summed over the real target tokens
 */
export function translationLoss(
  params: Params,
  batch: TranslationBatch,
  seed: NdArray,
  config: TranslationConfig,
  { dropout: rate, labelSmoothing }: Regularization,
): [NdArray, NdArray] {
  const dropout = hashDropout(rate, seed);
  const { source, sourceSegment, sourcePosition, target, label, targetSegment, targetPosition } = batch;

  const memory = encode(source, sourceSegment.ref, sourcePosition, params, config, dropout);

  const causalMask = segmentMask(targetSegment.ref, targetSegment.ref, true);
  const crossMask = segmentMask(targetSegment.ref, sourceSegment, false);
  let y = dropout(embed(target, targetPosition, params, config));
  for (let i = 0; i < config.n_dec_layers; i++) {
    const layer = `decoder.${i}`;
    y = y.ref.add(dropout(selfAttention(y, params, layer, causalMask.ref, config)));
    y = y.ref.add(dropout(crossAttention(y, memory.ref, params, layer, crossMask.ref, config)));
    y = y.ref.add(dropout(feedForward(y, params, layer, config)));
  }
  const h = layerNorm(y, params, "decoder.norm", config.layer_norm_eps);
  memory.dispose();
  causalMask.dispose();
  crossMask.dispose();

  // log p(label) = h·e[label] − logsumexp(h·Eᵀ); its mean over the vocabulary needs only the mean embedding, so the
  // logits [P, V] are read by the logsumexp alone.
  const embedding = params["embedding.weight"]!;
  const logSumExp = nn.logsumexp(np.matmul(h.ref, embedding.ref.transpose()), -1);
  const labelLogit = np.sum(h.ref.mul(np.take(embedding.ref, label.reshape([-1]), 0)), -1);
  const meanLogit = np.matmul(h, np.mean(embedding.ref, 0));
  const real = targetSegment.reshape([-1]).greater(0).astype(np.float32);
  const plain = logSumExp.ref.sub(labelLogit);
  const uniform = logSumExp.sub(meanLogit);
  const smoothed = plain.ref.mul(1 - labelSmoothing).add(uniform.mul(labelSmoothing));
  return [np.sum(smoothed.mul(real.ref)), np.sum(lax.stopGradient(plain.mul(real)))];
}

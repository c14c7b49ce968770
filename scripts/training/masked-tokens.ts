/**
 * The loss of pre-training: an encoder that names the tokens which were hidden from it (Devlin et al. 2019,
 * arXiv:1810.04805), through the tied embedding. Only the hidden positions reach the vocabulary.
 */
import { lax, type Array as NdArray, nn, numpy as np } from "@jax-js/jax";
import type { EncoderClassificationConfig } from "../../worker/model/config.ts";
import { encode, hashDropout, type Params, type Regularization } from "./blocks.ts";

/** All int32. */
export type MaskedTokensBatch = {
  /** [B, L] token ids, some of them hidden */
  source: NdArray;
  /** [B, L] 0 is padding */
  sourceSegment: NdArray;
  /** [B, L] */
  sourcePosition: NdArray;
  /** [M] places b · L + t of the hidden tokens */
  place: NdArray;
  /** [M] what was there; −1 where there are fewer than M */
  label: NdArray;
};

/** Summed cross-entropy of the hidden tokens in nats: [smoothed, plain]. */
export function maskedTokensLoss(
  params: Params,
  batch: MaskedTokensBatch,
  seed: NdArray,
  config: EncoderClassificationConfig,
  { dropout: rate, labelSmoothing }: Regularization,
): [NdArray, NdArray] {
  const { source, sourceSegment, sourcePosition, place, label } = batch;
  const dropout = hashDropout(rate, seed);
  const outputs = encode(source, sourceSegment, sourcePosition, params, config, dropout);
  // The heads are not trained here, but a gradient is owed for every weight.
  const idle = config.heads.reduce(
    (sum, { name }) =>
      sum.add(np.sum(params[`heads.${name}.weight`]!.ref)).add(np.sum(params[`heads.${name}.bias`]!.ref)),
    np.zeros([]),
  );
  const h = np.take(outputs, place, 0);
  const embedding = params["embedding.weight"]!;
  const logSumExp = nn.logsumexp(np.matmul(h.ref, embedding.ref.transpose()), -1);
  const labelLogit = np.sum(h.ref.mul(np.take(embedding.ref, np.maximum(label.ref, 0), 0)), -1);
  const meanLogit = np.matmul(h, np.mean(embedding.ref, 0));
  const real = label.greaterEqual(0).astype(np.float32);
  const plain = logSumExp.ref.sub(labelLogit);
  const smoothed = plain.ref.mul(1 - labelSmoothing).add(logSumExp.sub(meanLogit).mul(labelSmoothing));
  return [np.sum(smoothed.mul(real.ref)).add(idle.mul(0)), np.sum(lax.stopGradient(plain.mul(real)))];
}

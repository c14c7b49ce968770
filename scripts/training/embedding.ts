/**
 * The loss of embedding: of the two texts of a pair, each should be nearer to the other than to those of all other pairs
 * of the batch. Cross-entropy over the batch's cosines divided by a temperature (InfoNCE; van den Oord et al. 2018,
 * arXiv:1807.03748), in both directions. Pairs of one group mean the same, and are not held against each other.
 */
import { lax, type Array as NdArray, nn, numpy as np } from "@jax-js/jax";
import type { EmbeddingConfig } from "../../worker/model/config.ts";
import { encode, hashDropout, type Params, type Regularization } from "./blocks.ts";
import { poolSegments } from "./classification.ts";

/** What cosines are divided by: small, so that they need not come near to 1 (SimCSE; Gao et al. 2021, arXiv:2104.08821). */
export const TEMPERATURE = 0.05;

/** A logit of what does not count. */
export const EXCLUDED = -1e9;

/** All int32. Texts are packed, up to S of them in a row; P pairs. */
export type EmbeddingBatch = {
  /** [B, L] token ids */
  source: NdArray;
  /** [B, L] 1…S, 0 is padding */
  sourceSegment: NdArray;
  /** [B, L] */
  sourcePosition: NdArray;
  /** [P] where the first text of each pair is, row · S + segment − 1; −1 where there is no pair */
  first: NdArray;
  /** [P] */
  second: NdArray;
  /** [P] pairs of the same number are one group */
  group: NdArray;
};

/** Summed cross-entropy of a batch in nats: [loss, loss], scalars over both texts of all its pairs. */
export function embeddingLoss(
  params: Params,
  { source, sourceSegment, sourcePosition, first, second, group }: EmbeddingBatch,
  seed: NdArray,
  config: EmbeddingConfig,
  { dropout: rate }: Regularization,
  slots: number,
): [NdArray, NdArray] {
  const dropout = hashDropout(rate, seed);
  const h = encode(source, sourceSegment.ref, sourcePosition, params, config, dropout);
  const pooled = poolSegments(h, sourceSegment, slots);
  const length = np.sqrt(np.sum(np.square(pooled.ref), -1, { keepdims: true }).add(1e-12));
  const vectors = pooled.mul(np.reciprocal(length));

  const pairs = group.shape[0]!;
  const real = first.ref.greaterEqual(0);
  const take = (places: NdArray) => np.take(vectors.ref, np.maximum(places, 0), 0);
  const [a, b] = [take(first), take(second)];
  vectors.dispose();
  const same = group.ref.reshape([pairs, 1]).equal(group.reshape([1, pairs]));
  const own = np
    .arange(pairs)
    .reshape([pairs, 1])
    .equal(np.arange(pairs).reshape([1, pairs]));
  // A pair that is none is no alternative either; its own column stays, for a row without any has no softmax.
  const counts = np.where(same, false, real.ref.reshape([1, pairs]));
  const kept = np.where(own.ref, true, counts);
  const ones = own.astype(np.float32);
  const direction = (from: NdArray, to: NdArray) => {
    const logits = np.matmul(from, to.transpose()).mul(1 / TEMPERATURE);
    const logProbs = nn.logSoftmax(np.where(kept.ref, logits, EXCLUDED), -1);
    return np.sum(logProbs.mul(ones.ref), -1).neg();
  };
  const each = direction(a.ref, b.ref).add(direction(b, a));
  kept.dispose();
  ones.dispose();
  const loss = np.sum(each.mul(real.astype(np.float32)));
  return [loss.ref, lax.stopGradient(loss)];
}

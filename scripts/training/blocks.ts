/**
 * The blocks of the training graphs, in jax-js, which differentiates them: the same arithmetic as
 * `worker/engine/transformer.ts`, in float and over whole batches. What is computed with them, and the loss, is
 * `translation.ts` and `classification.ts`.
 *
 * Rows are packed: one row of a batch holds several sentence pairs side by side, told apart by segment numbers, and
 * attention is masked to the own segment. One shape then serves every length (each new shape costs a compilation of
 * 8–30 s), and next to nothing is padding.
 *
 * jax-js arrays are moved, not shared: passing one consumes it, `.ref` keeps it.
 */
import { lax, type Array as NdArray, nn, numpy as np } from "@jax-js/jax";
import { type EncoderConfig, FEATURES } from "../../worker/model/config.ts";

/** Every weight by its name in `tensorSpecs()`; matrices [n, k]. */
export type Params = Record<string, NdArray>;

export interface Regularization {
  /** Probability that a channel of the embeddings and of each residual branch is dropped. */
  dropout: number;
  /** Share of the probability that is spread over the whole vocabulary (Szegedy et al. 2015, arXiv:1512.00567). */
  labelSmoothing: number;
}

/** Drops channels with the given probability and scales the rest; each call draws anew. */
export type Dropout = (x: NdArray) => NdArray;

/**
 * Dropout by hashing the element's index with the step's seed: the mask is computed inside the fused kernel instead
 * of being drawn, stored and read again. Two rounds of multiply and xor-shift as in MurmurHash3's finalizer.
 */
export function hashDropout(rate: number, seed: NdArray): Dropout {
  if (rate === 0) {
    seed.dispose();
    return (x) => x;
  }
  const keepBelow = Math.floor((1 - rate) * 2 ** 24);
  let salt = 0;
  return (x) => {
    salt += 1;
    const start = seed.ref.add(np.array((salt * 0x9e3779b1) >>> 0, { dtype: np.uint32 }));
    let h = np.arange(x.size, undefined, undefined, { dtype: np.uint32 }).add(start);
    h = h.mul(np.array(0x85ebca6b, { dtype: np.uint32 }));
    h = np.bitwiseXor(h.ref, np.rightShift(h, np.array(13, { dtype: np.uint32 })));
    h = h.mul(np.array(0xc2b2ae35, { dtype: np.uint32 }));
    h = np.rightShift(
      np.bitwiseXor(h.ref, np.rightShift(h, np.array(16, { dtype: np.uint32 }))),
      np.array(8, { dtype: np.uint32 }),
    );
    const keep = h.less(np.array(keepBelow, { dtype: np.uint32 })).reshape(x.shape);
    return np.where(keep, x.mul(1 / (1 - rate)), 0);
  };
}

export function layerNorm(x: NdArray, params: Params, name: string, eps: number): NdArray {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
  const scaled = centred.mul(np.reciprocal(np.sqrt(variance.add(eps))));
  return scaled.mul(params[`${name}.weight`]!.ref).add(params[`${name}.bias`]!.ref);
}

/** x [P, k] · Wᵀ + b → [P, n] */
export function linear(x: NdArray, params: Params, name: string): NdArray {
  return np.matmul(x, params[`${name}.weight`]!.ref.transpose()).add(params[`${name}.bias`]!.ref);
}

/**
 * The parts of a merged linear, each x [B·L, k] → [B, L, n / parts]. The weight is split, not the product: the
 * gradient of a split is padded and added up, which is cheap on the weight's size and a tenth of a step on [B·L, n].
 */
function linearParts(x: NdArray, params: Params, name: string, parts: number, b: number): NdArray[] {
  const weights = np.split(params[`${name}.weight`]!.ref, parts, 0);
  const biases = np.split(params[`${name}.bias`]!.ref, parts, 0);
  const results = weights.map((weight, i) => {
    const n = weight.shape[0]!;
    return np.matmul(x.ref, weight.transpose()).add(biases[i]!).reshape([b, -1, n]);
  });
  x.dispose();
  return results;
}

/**
 * Multi-head attention over packed rows.
 * @param q [B, Lq, d_model], k and v [B, Lk, d_model]
 * @param mask bool [B, 1, Lq, Lk], consumed
 * @returns [B·Lq, d_model]
 */
function attention(q: NdArray, k: NdArray, v: NdArray, mask: NdArray, nHeads: number): NdArray {
  const [b, lq, d] = q.shape as [number, number, number];
  const dHead = d / nHeads;
  const heads = (x: NdArray) => x.reshape([b, -1, nHeads, dHead]).transpose([0, 2, 1, 3]);
  const scores = np.matmul(heads(q).mul(1 / Math.sqrt(dHead)), heads(k).transpose([0, 1, 3, 2]));
  const probs = nn.softmax(np.where(mask, scores, -1e9), -1);
  return np
    .matmul(probs, heads(v))
    .transpose([0, 2, 1, 3])
    .reshape([b * lq, d]);
}

/** Which keys a query may see: those of its own segment and, if causal, none that come later. bool [B, 1, Lq, Lk] */
export function segmentMask(querySegment: NdArray, keySegment: NdArray, causal: boolean): NdArray {
  const [b, lq] = querySegment.shape as [number, number];
  const lk = keySegment.shape[1]!;
  const same = querySegment.reshape([b, 1, lq, 1]).equal(keySegment.reshape([b, 1, 1, lk]));
  if (!causal) return same;
  const earlier = np
    .arange(lk)
    .reshape([1, 1, 1, lk])
    .lessEqual(np.arange(lq).reshape([1, 1, lq, 1]));
  return np.where(earlier, same, false);
}

export function feedForward(x: NdArray, params: Params, layer: string, config: EncoderConfig): NdArray {
  const h = linear(layerNorm(x, params, `${layer}.ffn_norm`, config.layer_norm_eps), params, `${layer}.ffn_up`);
  return linear(config.activation === "relu" ? nn.relu(h) : nn.gelu(h), params, `${layer}.ffn_down`);
}

export function selfAttention(
  x: NdArray,
  params: Params,
  layer: string,
  mask: NdArray,
  config: EncoderConfig,
): NdArray {
  const b = mask.shape[0]!;
  const h = layerNorm(x, params, `${layer}.self_norm`, config.layer_norm_eps);
  const [q, k, v] = linearParts(h, params, `${layer}.self_qkv`, 3, b) as [NdArray, NdArray, NdArray];
  return linear(attention(q, k, v, mask, config.n_heads), params, `${layer}.self_out`);
}

export function crossAttention(
  x: NdArray,
  memory: NdArray,
  params: Params,
  layer: string,
  mask: NdArray,
  config: EncoderConfig,
): NdArray {
  const b = mask.shape[0]!;
  const h = layerNorm(x, params, `${layer}.cross_norm`, config.layer_norm_eps);
  const [q] = linearParts(h, params, `${layer}.cross_q`, 1, b) as [NdArray];
  const [k, v] = linearParts(memory, params, `${layer}.cross_kv`, 2, b) as [NdArray, NdArray];
  return linear(attention(q, k, v, mask, config.n_heads), params, `${layer}.cross_out`);
}

/** Token and position embeddings → [B·L, d_model] */
export function embed(tokens: NdArray, positions: NdArray, params: Params, config: EncoderConfig): NdArray {
  const embedding = np.take(params["embedding.weight"]!.ref, tokens.reshape([-1]), 0);
  const position = np.take(lax.stopGradient(params["positions.weight"]!.ref), positions.reshape([-1]), 0);
  return embedding.mul(Math.sqrt(config.d_model)).add(position);
}

/** The sum of each token's rows of the table of features, [B·L, d_model] */
function embedFeatures(feature: NdArray, params: Params): NdArray {
  const [b, l, f] = feature.shape as [number, number, number];
  const oneHot = feature
    .reshape([b * l, f, 1])
    .equal(np.arange(FEATURES).reshape([1, 1, FEATURES]))
    .astype(np.float32);
  return np.matmul(np.sum(oneHot, 1), params["features.weight"]!.ref);
}

/** Int32, both consumed. */
export interface NGramBatch {
  /** [B, L, N_GRAMS_OF_TOKEN] rows of the table of n-grams, as many as the token has, then zeros */
  rows: NdArray;
  /** [B, L] how many */
  count: NdArray;
}

/** The sum of each token's rows of the table of n-grams, [B·L, d_model] */
function embedNGrams({ rows, count }: NGramBatch, params: Params): NdArray {
  const [b, l, f] = rows.shape as [number, number, number];
  const table = params["n_grams.weight"]!.ref;
  const d = table.shape[1]!;
  const isOne = np
    .arange(f)
    .reshape([1, f])
    .less(count.reshape([b * l, 1]))
    .astype(np.float32);
  // The product comes first: jax-js cannot differentiate what is taken and reshaped.
  const vectors = np.take(table, rows.reshape([-1]), 0).mul(isOne.reshape([b * l * f, 1]).mul(Math.sqrt(d)));
  return np.sum(vectors.reshape([b * l, f, d]), 1);
}

/**
 * The encoder over packed rows.
 * @param tokens, segments and positions int32 [B, L]; segment 0 is padding; segments is kept, the others consumed
 * @param feature int32 [B, L, F] rows of the table of features, −1 for none; consumed
 * @param nGrams of the tokens, of a model that has any
 * @returns [B·L, d_model], normalized
 */
export function encode(
  tokens: NdArray,
  segments: NdArray,
  positions: NdArray,
  params: Params,
  config: EncoderConfig,
  dropout: Dropout,
  { feature, nGrams }: { feature?: NdArray; nGrams?: NGramBatch | undefined } = {},
): NdArray {
  const mask = segmentMask(segments.ref, segments.ref, false);
  let embedded = embed(tokens, positions, params, config);
  if (feature) embedded = embedded.add(embedFeatures(feature, params));
  if (nGrams) embedded = embedded.add(embedNGrams(nGrams, params));
  let x = dropout(embedded);
  for (let i = 0; i < config.n_enc_layers; i++) {
    const layer = `encoder.${i}`;
    x = x.ref.add(dropout(selfAttention(x, params, layer, mask.ref, config)));
    x = x.ref.add(dropout(feedForward(x, params, layer, config)));
  }
  mask.dispose();
  return layerNorm(x, params, "encoder.norm", config.layer_norm_eps);
}

/**
 * The loss of question answering: −log of the probability of all right spans together (Clark & Gardner 2018,
 * arXiv:1710.10723, 3.2), where one softmax goes over every span of at most so many words and over "none", which the
 * separator stands for. A span's score is the start logit of its first word's first token + the end logit of its last
 * word's last token.
 */
import { lax, type Array as NdArray, numpy as np } from "@jax-js/jax";
import type { QuestionAnsweringConfig } from "../../worker/model/config.ts";
import { encode, hashDropout, linear, type Params, type Regularization } from "./blocks.ts";
import { SEPARATOR } from "./span-batches.ts";

/** All int32. Texts are packed, up to S of them in a row, each with up to G right spans. */
export type SpanBatch = {
  /** [B, L] token ids */
  source: NdArray;
  /** [B, L] 1…S, 0 is padding */
  sourceSegment: NdArray;
  /** [B, L] */
  sourcePosition: NdArray;
  /** [B, L, F] rows of the table of features, −1 for none */
  feature: NdArray;
  /** [B, L] index of the word whose first (last) token this is, NO_WORD for none, SEPARATOR for the one of "none" */
  startWord: NdArray;
  endWord: NdArray;
  /** [B, S, G, 2] columns of the first and last token of each right span, −1 for no span */
  gold: NdArray;
};

const NEVER = -1e9;

/** Summed over the texts in nats: twice the same, for there is no smoothing. */
export function spanLoss(
  params: Params,
  batch: SpanBatch,
  seed: NdArray,
  config: QuestionAnsweringConfig,
  { dropout: rate }: Regularization,
): [NdArray, NdArray] {
  const { source, sourceSegment, sourcePosition, feature, startWord, endWord, gold } = batch;
  const [b, l] = sourceSegment.shape as [number, number];
  const [, s, g] = gold.shape as [number, number, number];
  const h = encode(source, sourceSegment.ref, sourcePosition, params, config, hashDropout(rate, seed), { feature });
  const [start, end] = np.split(linear(h, params, "span"), 2, 1) as [NdArray, NdArray];
  const scores = start.reshape([b, l, 1]).add(end.reshape([b, 1, l]));

  const isSpan = spanMask(startWord, endWord, sourceSegment.ref, config.max_answer_words);
  // Less a constant for each row, so that no exponential is too large.
  const masked = np.where(isSpan.ref, scores, NEVER);
  const most = lax.stopGradient(np.max(masked.ref.reshape([b, l * l]), -1, { keepdims: true }));
  const exps = np.exp(masked.sub(most.reshape([b, 1, 1])));
  const isRight = goldMask(gold, b, l, s * g);
  const right = np.where(isSpan, exps.ref, 0).mul(isRight);

  const numbers = np.arange(1, s + 1).reshape([1, s, 1]);
  const member = sourceSegment.reshape([b, 1, l]).equal(numbers).astype(np.float32);
  const ofTexts = (x: NdArray) => np.matmul(member.ref, np.sum(x, -1).reshape([b, l, 1])).reshape([b, s]);
  const isText = np.max(member.ref, -1).greater(0.5);
  const all = np.where(isText.ref, ofTexts(exps), 1);
  const good = np.where(isText, ofTexts(right), 1);
  member.dispose();
  const loss = np.sum(np.log(all).sub(np.log(good)));
  return [loss.ref, lax.stopGradient(loss)];
}

/** Which pairs of tokens are the ends of a span: bool [B, L, L] */
function spanMask(startWord: NdArray, endWord: NdArray, segments: NdArray, maxWords: number): NdArray {
  const [b, l] = segments.shape as [number, number];
  const both = (x: NdArray, y: NdArray) => x.astype(np.float32).mul(y.astype(np.float32));
  const first = startWord.reshape([b, l, 1]);
  const last = endWord.reshape([b, 1, l]);
  const words = last.ref.sub(first.ref);
  const isNear = both(words.ref.greaterEqual(0), words.less(maxWords));
  const isNone = both(first.ref.equal(SEPARATOR), last.ref.equal(SEPARATOR));
  const isWords = both(first.greaterEqual(0), last.greaterEqual(0)).mul(isNear);
  const same = segments.ref
    .reshape([b, l, 1])
    .equal(segments.reshape([b, 1, l]))
    .astype(np.float32);
  return isWords.add(isNone).mul(same).greater(0.5);
}

/** 1 where a span is right, f32 [B, L, L] */
function goldMask(gold: NdArray, b: number, l: number, count: number): NdArray {
  const [first, last] = np.split(gold.reshape([b, count, 2]), 2, 2) as [NdArray, NdArray];
  const oneHot = (x: NdArray) => x.equal(np.arange(l).reshape([1, 1, l])).astype(np.float32);
  return np.minimum(np.matmul(oneHot(first).transpose([0, 2, 1]), oneHot(last)), 1);
}

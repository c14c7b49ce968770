/**
 * Which n-grams a classifier has vectors of: those that say most about the labels of its heads, by the log-likelihood
 * ratio of their texts (Dunning 1993, Computational Linguistics 19), each head a part of them as of an epoch.
 */
import { compareNGrams, NO_TOKEN } from "../../worker/model/n-grams.ts";
import { hash32 } from "./random.ts";
import type { LabelledTokens } from "./text-batches.ts";

/** Texts that an n-gram must stand in. */
const MIN_TEXTS = 3;
const HASH_BITS = 24;

/**
 * @param train texts by head
 * @param counts n-grams of each head; one that several heads choose counts once, so that there may be fewer in all
 * @returns [n-grams, MAX_N_GRAM] tokens, as `NGrams` wants them
 */
export function chooseNGrams(
  train: readonly LabelledTokens[][],
  counts: readonly number[],
  vocabSize: number,
): Int32Array {
  const chosen = new Set<number>();
  for (const [head, texts] of train.entries()) {
    for (const key of mostTelling(texts, counts[head]!, vocabSize, chosen)) chosen.add(key);
  }
  const base = vocabSize + 1;
  const nGrams = Array.from(chosen, (key) => [
    Math.floor(key / base ** 2) + NO_TOKEN,
    Math.floor(key / base) % base,
    key % base,
  ]);
  return Int32Array.from(nGrams.sort(compareNGrams).flat());
}

function* keysOf(tokens: readonly number[], base: number): Generator<number> {
  for (let i = 1; i < tokens.length; i++) {
    yield tokens[i - 1]! * base + tokens[i]!;
    if (i >= 2) yield ((tokens[i - 2]! - NO_TOKEN) * base + tokens[i - 1]!) * base + tokens[i]!;
  }
}

/** The `count` n-grams of one head with the largest ratio that are not yet `taken`. */
function mostTelling(texts: LabelledTokens[], count: number, vocabSize: number, taken: Set<number>): number[] {
  const base = vocabSize + 1;
  const labels = 1 + texts.reduce((most, { label }) => Math.max(most, label), 0);
  const ofLabel = new Float64Array(labels);
  // Most n-grams stand in one text: their hashes are counted first, so that only the others take memory.
  const rough = new Uint8Array(2 ** HASH_BITS);
  const bucket = (key: number) => hash32(Math.floor(key / 2 ** 24), key % 2 ** 24) >>> (32 - HASH_BITS);
  for (const { tokens, label } of texts) {
    ofLabel[label]!++;
    for (const key of new Set(keysOf(tokens, base))) {
      const at = bucket(key);
      if (rough[at]! < MIN_TEXTS) rough[at]!++;
    }
  }
  const index = new Map<number, number>();
  const seen: number[] = [];
  for (const { tokens, label } of texts) {
    for (const key of new Set(keysOf(tokens, base))) {
      if (rough[bucket(key)]! < MIN_TEXTS) continue;
      let row = index.get(key);
      if (row === undefined) {
        row = index.size;
        index.set(key, row);
        for (let l = 0; l < labels; l++) seen.push(0);
      }
      seen[row * labels + label]!++;
    }
  }
  const scored: { key: number; score: number }[] = [];
  for (const [key, row] of index) {
    if (taken.has(key)) continue;
    const own = seen.slice(row * labels, (row + 1) * labels);
    const total = own.reduce((a, b) => a + b, 0);
    if (total >= MIN_TEXTS) scored.push({ key, score: logLikelihoodRatio(own, total, ofLabel, texts.length) });
  }
  scored.sort((a, b) => b.score - a.score);
  return scored.slice(0, count).map(({ key }) => key);
}

/** Σ observed · ln(observed / expected) over labels, with the n-gram and without it. */
function logLikelihoodRatio(own: number[], total: number, ofLabel: Float64Array, texts: number): number {
  const part = (observed: number, expected: number) => (observed > 0 ? observed * Math.log(observed / expected) : 0);
  return own.reduce((sum, observed, label) => {
    const all = ofLabel[label]!;
    const expected = (all * total) / texts;
    return sum + part(observed, expected) + part(all - observed, all - expected);
  }, 0);
}

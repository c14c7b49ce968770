/**
 * IBM model 1 (Brown et al. 1993, "The Mathematics of Statistical Machine Translation", section 4.1): p(target token |
 * source token) from sentence pairs alone, by expectation maximization. Each target token comes from one source token or
 * from the empty word, any of them equally likely beforehand. Order plays no part; for a list of candidates none is
 * needed.
 */

/** A pair of sentences as token ids, without special tokens. */
export interface TokenPair {
  source: number[];
  target: number[];
}

/** The target tokens seen beside each source token; word `vocabSize` is the empty one. */
export interface Model1 {
  vocabSize: number;
  /** [vocabSize + 2] where the targets of a word start */
  offsets: Int32Array;
  /** ids, rising within a word */
  targets: Int32Array;
  /** p(target | word) of each */
  probabilities: Float64Array;
}

const ITERATIONS = 5;

/** @throws RangeError if a token is not of the vocabulary */
export function trainModel1(pairs: readonly TokenPair[], vocabSize: number, iterations = ITERATIONS): Model1 {
  const { offsets, targets } = findPairs(pairs, vocabSize);
  let probabilities = new Float64Array(targets.length).fill(1);
  const places = new Int32Array(Math.max(0, ...pairs.map(({ source }) => source.length + 1)));
  for (let iteration = 0; iteration < iterations; iteration++) {
    const counts = new Float64Array(targets.length);
    for (const { source, target } of pairs) {
      for (const token of target) {
        let sum = 0;
        for (let i = 0; i <= source.length; i++) {
          const word = source[i] ?? vocabSize;
          const place = search(targets, token, offsets[word]!, offsets[word + 1]!);
          places[i] = place;
          sum += probabilities[place]!;
        }
        for (let i = 0; i <= source.length; i++) counts[places[i]!]! += probabilities[places[i]!]! / sum;
      }
    }
    for (let word = 0; word <= vocabSize; word++) {
      const of = counts.subarray(offsets[word]!, offsets[word + 1]!);
      const total = of.reduce((sum, count) => sum + count, 0);
      of.forEach((count, i) => {
        of[i] = count / total;
      });
    }
    probabilities = counts;
  }
  return { vocabSize, offsets, targets, probabilities };
}

/** Which target tokens each word was seen beside. */
function findPairs(pairs: readonly TokenPair[], vocabSize: number): { offsets: Int32Array; targets: Int32Array } {
  const seen = Array.from({ length: vocabSize + 1 }, () => new Set<number>());
  for (const { source, target } of pairs) {
    for (const token of [...source, ...target]) {
      if (!Number.isInteger(token) || token < 0 || token >= vocabSize) {
        throw new RangeError(`trainModel1: expected token ids in 0…${vocabSize - 1}, got ${token}`);
      }
    }
    for (const word of [...source, vocabSize]) {
      const beside = seen[word]!;
      for (const token of target) beside.add(token);
    }
  }
  const offsets = new Int32Array(vocabSize + 2);
  seen.forEach(({ size }, word) => {
    offsets[word + 1] = offsets[word]! + size;
  });
  const targets = new Int32Array(offsets[vocabSize + 1]!);
  seen.forEach((beside, word) => {
    targets.set(Int32Array.from(beside).sort(), offsets[word]);
  });
  return { offsets, targets };
}

/** Where `value` is in the rising x[start … end), which holds it. */
function search(x: Int32Array, value: number, start: number, end: number): number {
  let low = start;
  let high = end - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

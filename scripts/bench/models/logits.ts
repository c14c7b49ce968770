/** How far two runtimes are apart on the same weights and the same target. */

export interface LogitAgreement {
  /** Share of the steps at which both would have chosen the same token. */
  sameChoice: number;
  /** ‖a − b‖ / ‖a‖ over the logits, each step's mean taken off: what all logits share changes no choice. */
  relativeError: number;
}

/**
 * @param a, b logits [steps, vocabSize] of the two
 * @throws RangeError if they are not whole rows of the same steps
 */
export function compareLogits(a: Float32Array, b: Float32Array, vocabSize: number): LogitAgreement {
  if (a.length !== b.length || a.length === 0 || a.length % vocabSize !== 0) {
    throw new RangeError(`compareLogits: expected rows of ${vocabSize} logits each, got ${a.length} and ${b.length}`);
  }
  const steps = a.length / vocabSize;
  let same = 0;
  let squares = 0;
  let errorSquares = 0;
  for (let step = 0; step < steps; step++) {
    const rowA = centred(a.subarray(step * vocabSize, (step + 1) * vocabSize));
    const rowB = centred(b.subarray(step * vocabSize, (step + 1) * vocabSize));
    let bestA = 0;
    let bestB = 0;
    for (let i = 0; i < vocabSize; i++) {
      if (rowA[i]! > rowA[bestA]!) bestA = i;
      if (rowB[i]! > rowB[bestB]!) bestB = i;
      squares += rowA[i]! ** 2;
      errorSquares += (rowA[i]! - rowB[i]!) ** 2;
    }
    if (bestA === bestB) same++;
  }
  return { sameChoice: same / steps, relativeError: squares === 0 ? 0 : Math.sqrt(errorSquares / squares) };
}

function centred(row: Float32Array): Float64Array {
  const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
  return Float64Array.from(row, (value) => value - mean);
}

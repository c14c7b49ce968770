/** Counting n-grams, for BLEU (of words) and chrF (of characters). */

/** How often each n-gram of one order occurs; the items of an n-gram are joined by `separator`. */
export function countNgrams(items: string[], order: number, separator: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + order <= items.length; i++) {
    const ngram = items.slice(i, i + order).join(separator);
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

/** Occurrences that two counts have in common. */
export function countMatches(a: Map<string, number>, b: Map<string, number>): number {
  let matches = 0;
  for (const [ngram, count] of a) matches += Math.min(count, b.get(ngram) ?? 0);
  return matches;
}

/**
 * @param references one array per set of references, each as long as the hypotheses
 * @throws Error naming both lengths
 */
export function checkCorpus(metric: string, hypotheses: string[], references: string[][]): void {
  if (references.length === 0) throw new Error(`${metric}: expected at least one set of references, got none`);
  for (const set of references) {
    if (set.length !== hypotheses.length) {
      throw new Error(`${metric}: expected ${hypotheses.length} references, one a hypothesis, got ${set.length}`);
    }
  }
}

/** Which texts an epoch trains on when heads have very different numbers of them. */
import { hash32, shuffle, uniformStream } from "./random.ts";

/**
 * Shares `total` draws between groups, each in proportion to its size to the power of `exponent`: 1 as the data are, 0
 * all alike; half way is the usual choice (Devlin 2018, multilingual BERT).
 * @param factors what a group's part is multiplied with besides
 */
export function shares(sizes: number[], exponent: number, total: number, factors: number[] = []): number[] {
  const weights = sizes.map((size, i) => size ** exponent * (factors[i] ?? 1));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => Math.max(1, Math.round((total * weight) / sum)));
}

/**
 * Draws `count` of the items: each of them equally often, and the remainder at random. The same for the same seed.
 */
export function draw<Item>(items: readonly Item[], count: number, seed: number): Item[] {
  const whole = Math.floor(count / items.length);
  const drawn = Array.from({ length: whole }, () => items).flat();
  const rest = shuffle([...items], uniformStream(hash32(seed, 3))).slice(0, count - whole * items.length);
  return [...drawn, ...rest];
}

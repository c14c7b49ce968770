/**
 * Whether explanations explain: the deletion test (as in Samek et al. 2017, arXiv:1509.06321). The words that weigh most
 * are taken out of a text together, and as many random ones instead; the first must change the answer more.
 */
import { leaveOneOut, logOdds } from "../../worker/engine/explain.ts";
import { type Classifier, classify } from "../../worker/engine/heads.ts";

export interface DeletionFigures {
  texts: number;
  /** Share of a text's words that is taken out. */
  share: number;
  /** Mean drop of the log-odds of the answer, and the share of texts that get another answer, 0…1. */
  top: { drop: number; changed: number };
  /** The same without random words. */
  random: { drop: number; changed: number };
}

export interface DeletionOptions {
  /** Which head, by its index in the configuration. */
  head: number;
  /** Default: a fifth, at least one word. */
  share?: number;
  /** Numbers in [0, 1). */
  random: () => number;
}

/**
 * @param texts the words of each text with the white space between them, at least two words each; what is longer than
 * the model takes must have been cut
 * @param encode token ids of a text without its end token
 */
export async function testDeletion(
  model: Classifier,
  texts: readonly (readonly string[])[],
  encode: (text: string) => number[],
  { head, share = 0.2, random }: DeletionOptions,
): Promise<DeletionFigures> {
  const heads = [head];
  const sums = { top: { drop: 0, changed: 0 }, random: { drop: 0, changed: 0 } };
  for (const words of texts) {
    const windows = [encode(words.join(""))];
    const logProbs = await classify(model, windows, { heads });
    const whole = logProbs[0]![0]!;
    const label = argMax(whole);
    const without = (left: readonly number[]) => encode(words.filter((_, i) => !left.includes(i)).join(""));
    const places = [...words.keys()];
    const remainders = places.map((i) => ({ window: 0, tokens: without([i]) }));
    const [weights] = await leaveOneOut(model, { windows, logProbs }, remainders, [label], { heads });
    const count = Math.max(1, Math.round(share * words.length));
    const chosen = {
      top: places.toSorted((a, b) => weights![b]! - weights![a]!).slice(0, count),
      random: shuffle(places, random).slice(0, count),
    };
    for (const way of ["top", "random"] as const) {
      const [[rest] = []] = await classify(model, [without(chosen[way])], { heads });
      sums[way].drop += logOdds(whole, label) - logOdds(rest!, label);
      if (argMax(rest!) !== label) sums[way].changed++;
    }
  }
  const mean = ({ drop, changed }: { drop: number; changed: number }) => ({
    drop: drop / texts.length,
    changed: changed / texts.length,
  });
  return { texts: texts.length, share, top: mean(sums.top), random: mean(sums.random) };
}

function argMax(x: Float64Array): number {
  return x.indexOf(x.reduce((most, v) => Math.max(most, v)));
}

/** Fisher and Yates. */
function shuffle(places: readonly number[], random: () => number): number[] {
  const shuffled = [...places];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  return shuffled;
}

/** Sets made of others, for a head to be trained on beside a set of its own: they have no dev and no test. */
import { type ClassificationSet, carve } from "./classification.ts";

/** About `rows` of a set's training texts, of each class as many as is its share; the same ones always. */
export function someOf(set: ClassificationSet, rows: number): ClassificationSet {
  return {
    ...set,
    async load(options) {
      const { train, leftOut } = await set.load(options);
      return { train: carve(train, rows / train.length).carved, dev: [], test: [], leftOut };
    },
  };
}

/**
 * A set's training texts as texts that are out of scope: having met such, a head doubts others it was never shown
 * (outlier exposure; Hendrycks, Mazeika and Dietterich 2019, arXiv:1812.04606).
 */
export function outOfScope(set: ClassificationSet): ClassificationSet {
  return {
    ...set,
    async load(options) {
      const { train, leftOut } = await set.load(options);
      return { train: train.map(({ text }) => ({ text, label: null })), dev: [], test: [], leftOut };
    },
  };
}

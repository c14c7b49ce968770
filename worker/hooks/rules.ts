/** Which rule of a hook takes an event. */
import type { TaskAnswer } from "../classify.ts";
import type { Rule } from "./hook.ts";

/**
 * The first rule that fits: its label is the event's most probable one, and probable enough. A rule without a label
 * also takes events that have none, unless it asks for a probability.
 * @param answer undefined if there was nothing to classify
 * @returns its index, or undefined
 */
export function matchRule(rules: readonly Rule[], answer: TaskAnswer | undefined): number | undefined {
  const best = answer?.labels[0];
  const index = rules.findIndex(
    ({ label, min_probability }) =>
      (label === undefined || label === best?.label) && (best?.probability ?? 0) >= min_probability,
  );
  return index < 0 ? undefined : index;
}

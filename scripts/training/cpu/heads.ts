/** The heads of classification on a tape. */
import type { ClassificationConfig } from "../../../worker/model/config.ts";
import type { HostBatch } from "../batches.ts";
import { labelOffsets } from "../classification.ts";
import type { Tape, Tensor } from "./tape.ts";

/** Every weight by its name in `tensorSpecs()`; vectors are one row. */
export type Weights = (name: string) => Tensor;

/**
 * The summed loss of the heads, [smoothed, plain], nats.
 * @param vectors [texts, d_model]
 * @param places of the texts in the batch's arrays `label` and `head`
 */
export function headsLoss(
  tape: Tape,
  weights: Weights,
  vectors: Tensor,
  arrays: HostBatch["arrays"],
  places: readonly number[],
  config: ClassificationConfig,
  smoothing: number,
): [number, number] {
  const { offsets } = labelOffsets(config);
  let smoothed = 0;
  let plain = 0;
  // Each head sees its own texts only.
  config.heads.forEach(({ name, labels }, head) => {
    const own = [...places.keys()].filter((i) => arrays.head!.data[places[i]!] === head);
    if (own.length === 0) return;
    const [weight, bias] = [weights(`heads.${name}.weight`), weights(`heads.${name}.bias`)];
    const logits = tape.linear(tape.gather(vectors, own), weight, bias);
    const classes = own.map((i) => ({
      first: 0,
      count: labels.length,
      label: arrays.label!.data[places[i]!]! - offsets[head]!,
    }));
    const [s, p] = tape.crossEntropy(logits, smoothing, classes);
    smoothed += s;
    plain += p;
  });
  return [smoothed, plain];
}

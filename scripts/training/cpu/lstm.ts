/** Long short-term memories on a tape: the same arithmetic as ../lstm.ts, which is its oracle in the tests. */
import type { LstmClassificationConfig } from "../../../worker/model/config.ts";
import type { HostBatch } from "../batches.ts";
import { headsLoss, type Weights } from "./heads.ts";
import type { Tape, Tensor } from "./tape.ts";

/** The loss of a batch as of `LstmBatch`, summed over its texts: [smoothed, plain], nats. */
export function lstmLoss(
  tape: Tape,
  weights: Weights,
  arrays: HostBatch["arrays"],
  config: LstmClassificationConfig,
  smoothing: number,
): [number, number] {
  const texts = lstmVectors(tape, weights, arrays, config);
  if (!texts) return [0, 0];
  return headsLoss(tape, weights, tape.dropout(texts.vectors), arrays, texts.rows, config, smoothing);
}

/** The vectors of a batch's texts, [texts, d_model], and the row in the batch of each; undefined if it has none. */
export function lstmVectors(
  tape: Tape,
  weights: Weights,
  arrays: HostBatch["arrays"],
  { bos_token_id }: LstmClassificationConfig,
): { vectors: Tensor; rows: number[] } | undefined {
  const { data: lengths } = arrays.length!;
  // Longest first: the texts that still go on at a step are the first ones.
  const order = [...lengths.keys()].filter((row) => lengths[row]! > 0).sort((a, b) => lengths[b]! - lengths[a]!);
  if (order.length === 0) return undefined;
  const going: number[] = [];
  const tokens: number[] = [];
  for (let t = 0; t < lengths[order[0]!]!; t++) {
    const rows = order.filter((row) => lengths[row]! > t);
    going.push(rows.length);
    tokens.push(...rows.map((row) => arrays.source!.data[t * lengths.length + row]!));
  }
  const embed = (ids: number[]) => tape.embed(Int32Array.from(ids), weights("embedding.weight"));
  const fromInput = (side: string, x: Tensor) =>
    tape.linear(x, weights(`${side}.input.weight`), weights(`${side}.input.bias`));
  const encoded = tape.lstm(
    fromInput("encoder", tape.dropout(embed(tokens))),
    weights("encoder.recurrent.weight"),
    going,
  );
  const bos = embed(order.map(() => bos_token_id));
  const { h } = tape.lstm(fromInput("decoder", bos), weights("decoder.recurrent.weight"), [order.length], encoded);
  return { vectors: h, rows: order };
}

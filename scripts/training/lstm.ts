/**
 * The loss of classification with long short-term memories: the same arithmetic as `worker/engine/lstm.ts`, in float.
 * jax-js has no loop that it could differentiate, so the steps are unrolled; a batch is as long as its bucket
 * (lstm-batches.ts), and a text keeps its state when it is over.
 */
import { type Array as NdArray, nn, numpy as np } from "@jax-js/jax";
import type { LstmClassificationConfig } from "../../worker/model/config.ts";
import { hashDropout, type Params, type Regularization } from "./blocks.ts";
import { headsLoss } from "./classification.ts";

/** All int32. One text a row. */
export type LstmBatch = {
  /** [L, B] token ids: those of a step stand together */
  source: NdArray;
  /** [B] tokens of each text, 0 where there is none */
  length: NdArray;
  /** [B, 1] index of the label among all heads' labels, −1 where there is no text */
  label: NdArray;
  /** [B, 1] index of the head, −1 where there is no text */
  head: NdArray;
};

/** [B, d_model] each */
interface State {
  h: NdArray;
  c: NdArray;
}

/** One step of a cell. @param input [B, d_embedding] */
type Step = (input: NdArray, state: State) => State;

function cell(params: Params, side: "encoder" | "decoder"): Step {
  const weight = (name: string) => params[`${side}.${name}`]!;
  return (input, { h, c }) => {
    const gates = np
      .matmul(input, weight("input.weight").ref.transpose())
      .add(np.matmul(h, weight("recurrent.weight").ref.transpose()))
      .add(weight("input.bias").ref);
    const [i, f, g, o] = np.split(gates, 4, 1) as [NdArray, NdArray, NdArray, NdArray];
    const next = nn
      .sigmoid(f)
      .mul(c)
      .add(nn.sigmoid(i).mul(np.tanh(g)));
    return { h: nn.sigmoid(o).mul(np.tanh(next.ref)), c: next };
  };
}

/** Summed cross-entropy of a batch in nats: [smoothed, plain], scalars over all its texts. */
export function lstmLoss(
  params: Params,
  { source, length, label, head }: LstmBatch,
  seed: NdArray,
  config: LstmClassificationConfig,
  { dropout: rate, labelSmoothing }: Regularization,
): [NdArray, NdArray] {
  const { d_embedding, d_model, bos_token_id } = config;
  const [l, b] = source.shape as [number, number];
  const dropout = hashDropout(rate, seed);
  // Looked up at once, for the gradient of a look-up is as large as the vocabulary.
  const tokens = np.concatenate([source.reshape([-1]), np.array(new Int32Array([bos_token_id]), { dtype: np.int32 })]);
  const embedded = np.take(params["embedding.weight"]!.ref, tokens, 0).mul(Math.sqrt(d_embedding));
  const [texts, bos] = np.split(embedded, [l * b], 0) as [NdArray, NdArray];
  // The embeddings are split and not what the gates get from them: the gradient of a split is padded and added up.
  const inputs = np.split(dropout(texts).reshape([l, b, d_embedding]), l, 0);

  const encode = cell(params, "encoder");
  let state: State = { h: np.zeros([b, d_model]), c: np.zeros([b, d_model]) };
  for (const [t, input] of inputs.entries()) {
    const next = encode(input.reshape([b, d_embedding]), { h: state.h.ref, c: state.c.ref });
    const goesOn = length.ref.greater(t).reshape([b, 1]);
    state = { h: np.where(goesOn.ref, next.h, state.h), c: np.where(goesOn, next.c, state.c) };
  }
  length.dispose();

  const { h, c } = cell(params, "decoder")(bos, state);
  c.dispose();
  return headsLoss(dropout(h), label, head, params, config, labelSmoothing);
}

/**
 * The trained numbers of a network: one flat Float32Array with every tensor of `tensorSpecs()` behind the other, so
 * that the optimizer is one loop, threads share it, and a checkpoint is a slice.
 */
import { type ModelConfig, type TensorSpec, tensorSpecs } from "../../worker/model/config.ts";
import { NGrams } from "../../worker/model/n-grams.ts";
import { normalStream } from "./random.ts";

export type NetworkConfig = ModelConfig;

export interface Slice extends TensorSpec {
  /** Elements from the start of the flat array. */
  offset: number;
  length: number;
  /** Fixed tables take no gradient. */
  trainable: boolean;
}

/** Of an element of the table of features: less than one of an embedding as it is read, for a token has several. */
const FEATURE_STD = 0.2;

/** Where each tensor lies in the flat array. */
export function parameterSlices(config: NetworkConfig): Slice[] {
  let offset = 0;
  return tensorSpecs(config).map((spec) => {
    const length = spec.shape.reduce((product, s) => product * s, 1);
    const slice = { ...spec, offset, length, trainable: spec.kind !== "positions" && spec.kind !== "n_grams" };
    offset += length;
    return slice;
  });
}

export function parameterCount(slices: Slice[]): number {
  return slices.reduce((sum, slice) => sum + slice.length, 0);
}

/** The n-grams that a network has vectors of, if any. */
export function nGramsIn(flat: Float32Array, config: NetworkConfig): NGrams | undefined {
  const slice = parameterSlices(config).find(({ kind }) => kind === "n_grams");
  return slice && new NGrams(flat.subarray(slice.offset, slice.offset + slice.length), config.vocab_size);
}

/**
 * Draws the first weights into the flat array: matrices from N(0, 2 / (n + k)) (Glorot & Bengio 2010), those that end
 * a residual branch scaled down by √(2·layers) (Radford et al. 2019, GPT-2), the embedding from N(0, 1/d_model) as it
 * is read times √d_model (of long short-term memories d_embedding); norms 1, biases 0; sinusoids for the positions
 * (Vaswani et al. 2017, 3.5), where they are learned N(0, 0.01). The bias of a forget gate is 1, so that a memory keeps at first (Gers et al. 2000).
 */
export function initializeParameters(flat: Float32Array, slices: Slice[], config: NetworkConfig, seed: number): void {
  const normal = normalStream(seed);
  const isLstm = config.model_type === "edge-slm-lstm";
  const embeddingSize = isLstm ? config.d_embedding : config.d_model;
  for (const { name, shape, kind, offset, length } of slices) {
    const data = flat.subarray(offset, offset + length);
    if (kind === "norm_weight") data.fill(1);
    // Of n-grams, which are to be set, a model knows nothing yet.
    else if (kind === "n_grams" || name === "n_grams.weight") data.fill(0);
    else if (kind === "bias" || kind === "norm_bias") {
      data.fill(0);
      if (isLstm && name.endsWith(".input.bias")) data.fill(1, length / 4, length / 2);
    } else if (kind === "positions") writeSinusoids(data, config);
    else if (kind === "learned_positions") for (let i = 0; i < length; i++) data[i] = normal() * 0.1;
    else {
      const [n, k] = shape as [number, number];
      const depth = "n_dec_layers" in config && name.startsWith("decoder.") ? config.n_dec_layers : config.n_enc_layers;
      const endsBranch = /_out\.|ffn_down\./.test(name);
      const std =
        name === "embedding.weight"
          ? 1 / Math.sqrt(embeddingSize)
          : name === "features.weight"
            ? FEATURE_STD
            : Math.sqrt(2 / (n + k)) / (endsBranch ? Math.sqrt(2 * depth) : 1);
      for (let i = 0; i < length; i++) data[i] = normal() * std;
    }
  }
}

/** Half sines, half cosines, wavelengths from 2π to 10,000·2π. [max_seq_len, d_model] */
function writeSinusoids(data: Float32Array, { d_model, max_seq_len }: NetworkConfig): void {
  const half = d_model / 2;
  for (let t = 0; t < max_seq_len; t++) {
    for (let i = 0; i < half; i++) {
      const angle = t * 10_000 ** (-i / (half - 1));
      data[t * d_model + i] = Math.sin(angle);
      data[t * d_model + half + i] = Math.cos(angle);
    }
  }
}

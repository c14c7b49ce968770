/** Reads the weights of a float checkpoint for the float reference. Nothing is computed here. */
import { readFile } from "node:fs/promises";
import { type TranslationConfig, tensorSpecs } from "../../worker/model/config.ts";
import { type Header, readHeader } from "../../worker/model/format.ts";
import type { FloatLinear, FloatNorm } from "./kernels.ts";

export interface FloatAttention {
  norm: FloatNorm;
  qkv: FloatLinear;
  out: FloatLinear;
}

export interface FloatFeedForward {
  norm: FloatNorm;
  up: FloatLinear;
  down: FloatLinear;
}

export interface FloatWeights {
  embedding: FloatLinear;
  /** [max_seq_len, d_model] */
  positions: Float32Array;
  encoder: { self: FloatAttention; feedForward: FloatFeedForward }[];
  encoderNorm: FloatNorm;
  decoder: {
    self: FloatAttention;
    cross: { norm: FloatNorm; q: FloatLinear; kv: FloatLinear; out: FloatLinear };
    feedForward: FloatFeedForward;
  }[];
  decoderNorm: FloatNorm;
}

/**
 * Reads a safetensors file with every tensor of `tensorSpecs(config)` in F32, matrices [n, k].
 * @throws Error in one line if there is no such file, it is broken, or it belongs to another configuration
 */
export async function readFloatWeights(path: string, config: TranslationConfig): Promise<FloatWeights> {
  try {
    const file = await readFile(path);
    const header = readHeader(file);
    const end = header.dataByteOffset + header.dataByteLength;
    if (file.length !== end) throw new Error(`expected ${end} bytes, got ${file.length}`);
    return floatWeights(config, tensorsOf(file, header, config));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${path}: expected a float checkpoint of this model; ${reason}`, { cause });
  }
}

function tensorsOf(file: Uint8Array, header: Header, config: TranslationConfig): Map<string, Float32Array> {
  const tensors = new Map<string, Float32Array>();
  for (const { name, shape } of tensorSpecs(config)) {
    const info = header.tensors.get(name);
    if (info?.dtype !== "F32" || info.shape.join() !== shape.join()) {
      throw new Error(`${name}: expected F32 [${shape}], got ${info ? `${info.dtype} [${info.shape}]` : "none"}`);
    }
    const start = header.dataByteOffset + info.byteOffset;
    // A copy: the data need not lie at a multiple of four bytes. (A Buffer's slice would be none.)
    tensors.set(name, new Float32Array(new Uint8Array(file.subarray(start, start + info.byteLength)).buffer));
  }
  return tensors;
}

/**
 * The weights in the order they are used.
 * @param tensors every tensor of `tensorSpecs(config)`
 */
export function floatWeights(config: TranslationConfig, tensors: ReadonlyMap<string, Float32Array>): FloatWeights {
  const { d_model, d_ff, vocab_size } = config;
  const get = (name: string): Float32Array => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new Error(`floatWeights: expected the tensor ${name}, got none`);
    return tensor;
  };
  const linear = (name: string, n: number, k: number): FloatLinear => ({
    n,
    k,
    weight: get(`${name}.weight`),
    bias: get(`${name}.bias`),
  });
  const norm = (name: string): FloatNorm => ({ weight: get(`${name}.weight`), bias: get(`${name}.bias`) });
  const selfAttention = (layer: string): FloatAttention => ({
    norm: norm(`${layer}.self_norm`),
    qkv: linear(`${layer}.self_qkv`, 3 * d_model, d_model),
    out: linear(`${layer}.self_out`, d_model, d_model),
  });
  const feedForward = (layer: string): FloatFeedForward => ({
    norm: norm(`${layer}.ffn_norm`),
    up: linear(`${layer}.ffn_up`, d_ff, d_model),
    down: linear(`${layer}.ffn_down`, d_model, d_ff),
  });
  const layers = (side: string, count: number) => Array.from({ length: count }, (_, i) => `${side}.${i}`);
  return {
    embedding: { n: vocab_size, k: d_model, weight: get("embedding.weight"), bias: undefined },
    positions: get("positions.weight"),
    encoder: layers("encoder", config.n_enc_layers).map((layer) => ({
      self: selfAttention(layer),
      feedForward: feedForward(layer),
    })),
    encoderNorm: norm("encoder.norm"),
    decoder: layers("decoder", config.n_dec_layers).map((layer) => ({
      self: selfAttention(layer),
      cross: {
        norm: norm(`${layer}.cross_norm`),
        q: linear(`${layer}.cross_q`, d_model, d_model),
        kv: linear(`${layer}.cross_kv`, 2 * d_model, d_model),
        out: linear(`${layer}.cross_out`, d_model, d_model),
      },
      feedForward: feedForward(layer),
    })),
    decoderNorm: norm("decoder.norm"),
  };
}

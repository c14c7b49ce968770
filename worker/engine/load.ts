/**
 * Streams a `model.safetensors` straight into wasm memory: besides the header, no more than one chunk of the stream
 * is ever on the JS heap. Knows nothing of where the bytes come from; checking their hash is the caller's.
 */
import { type ModelConfig, tensorSpecs } from "../model/config.ts";
import {
  checkPacking,
  type Header,
  headerByteLength,
  readHeader,
  roundUp,
  type TensorType,
  TILE_K,
  TILE_N,
} from "../model/format.ts";
import { type Linear, Runtime } from "./runtime.ts";
import { Transformer } from "./transformer.ts";
import type { Weights } from "./weights.ts";

/**
 * @param weights the bytes of a `model.safetensors` exported for this config
 * @param kernels build/kernels/relaxed.wasm, or build/kernels/simd.wasm where relaxed SIMD is missing
 * @throws Error if the file is cut short, packed for other kernels, or does not have the config's tensors
 */
export async function loadTransformer(
  config: ModelConfig,
  weights: ReadableStream<Uint8Array>,
  kernels: WebAssembly.Module,
): Promise<Transformer> {
  const reader = weights.getReader();
  try {
    const { header, rest } = await readStreamHeader(reader);
    checkPacking(header);
    const runtime = new Runtime(kernels, header.dataByteLength);
    const found = findWeights(config, header, runtime.weights);
    let received = 0;
    let chunk: Uint8Array | undefined = rest;
    while (chunk) {
      if (received + chunk.length > header.dataByteLength) {
        throw new Error(`loadTransformer: expected ${header.dataByteLength} bytes of weights, got more`);
      }
      runtime.writeBytes(runtime.weights + received, chunk);
      received += chunk.length;
      chunk = (await reader.read()).value;
    }
    if (received < header.dataByteLength) {
      throw new Error(
        `loadTransformer: expected ${header.dataByteLength} bytes of weights, got ${received}; upload the model again`,
      );
    }
    return new Transformer(config, runtime, found);
  } catch (error) {
    await reader.cancel(error).catch(() => {});
    throw error;
  }
}

/** Reads chunks until the header is whole; `rest` is what of the data came with it. */
async function readStreamHeader(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<{ header: Header; rest: Uint8Array }> {
  let bytes: Uint8Array = new Uint8Array(0);
  for (;;) {
    const length = headerByteLength(bytes);
    if (length !== undefined && bytes.length >= length) {
      return { header: readHeader(bytes), rest: bytes.subarray(length) };
    }
    const { value } = await reader.read();
    if (!value) {
      throw new Error(`loadTransformer: expected a safetensors header of ${length ?? 8} bytes, got ${bytes.length}`);
    }
    bytes = bytes.length === 0 ? value : join(bytes, value);
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** Finds each tensor of the config in the header and says where it will be in memory. */
function findWeights(config: ModelConfig, header: Header, base: number): Weights {
  const address = (name: string, dtype: TensorType, elements: number): number => {
    const info = header.tensors.get(name);
    const bytes = dtype === "I8" ? elements : elements * 4;
    if (!info || info.dtype !== dtype || info.byteLength !== bytes) {
      const got = info ? `${info.dtype} of ${info.byteLength} bytes` : "none";
      throw new Error(`loadTransformer: tensor ${name}: expected ${dtype} of ${bytes} bytes, got ${got}; export again`);
    }
    return base + info.byteOffset;
  };
  const vectors = new Map<string, number>();
  const matrices = new Map<string, Linear>();
  for (const { name, shape, kind } of tensorSpecs(config)) {
    const [rows, columns] = shape;
    if (kind === "matrix") {
      const n = roundUp(rows, TILE_N);
      const k = roundUp(columns!, TILE_K);
      matrices.set(name, {
        n,
        k,
        weight: address(name, "I8", n * k),
        scale: address(`${name}_scale`, "F32", n),
        sum: address(`${name}_sum`, "I32", n),
        bias: 0,
      });
    } else {
      vectors.set(name, address(name, "F32", roundUp(rows * (columns ?? 1), 16)));
    }
  }
  const vector = (name: string) => vectors.get(name)!;
  const norm = (name: string) => ({ weight: vector(`${name}.weight`), bias: vector(`${name}.bias`) });
  const linear = (name: string): Linear => ({ ...matrices.get(`${name}.weight`)!, bias: vector(`${name}.bias`) });
  const selfAttention = (layer: string) => ({
    norm: norm(`${layer}.self_norm`),
    qkv: linear(`${layer}.self_qkv`),
    out: linear(`${layer}.self_out`),
  });
  const feedForward = (layer: string) => ({
    norm: norm(`${layer}.ffn_norm`),
    up: linear(`${layer}.ffn_up`),
    down: linear(`${layer}.ffn_down`),
  });
  const layers = (side: string, count: number) => Array.from({ length: count }, (_, i) => `${side}.${i}`);
  return {
    embedding: matrices.get("embedding.weight")!,
    positions: vector("positions.weight"),
    encoder: layers("encoder", config.n_enc_layers).map((layer) => ({
      self: selfAttention(layer),
      feedForward: feedForward(layer),
    })),
    encoderNorm: norm("encoder.norm"),
    decoder: layers("decoder", config.n_dec_layers).map((layer) => ({
      self: selfAttention(layer),
      cross: {
        norm: norm(`${layer}.cross_norm`),
        q: linear(`${layer}.cross_q`),
        kv: linear(`${layer}.cross_kv`),
        out: linear(`${layer}.cross_out`),
      },
      feedForward: feedForward(layer),
    })),
    decoderNorm: norm("decoder.norm"),
  };
}

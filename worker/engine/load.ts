/**
 * Streams a `model.safetensors` straight into wasm memory: besides the header, no more than one chunk of the stream
 * is ever on the JS heap. Knows nothing of where the bytes come from; checking their hash is the caller's.
 */
import {
  type ClassificationConfig,
  type EmbeddingConfig,
  type EncoderClassificationConfig,
  type ModelConfig,
  type QuestionAnsweringConfig,
  type RecommendationConfig,
  type TranslationConfig,
  tensorSpecs,
} from "../model/config.ts";
import {
  checkPacking,
  type Header,
  headerByteLength,
  neighbourShapes,
  nGramShape,
  readHeader,
  roundUp,
  type TensorType,
  TILE_K,
  TILE_N,
} from "../model/format.ts";
import { MAX_N_GRAM, NGrams } from "../model/n-grams.ts";
import { Embedder } from "./embed.ts";
import { Classifier } from "./heads.ts";
import { LstmEncoder } from "./lstm.ts";
import { MeanEncoder } from "./mean-encoder.ts";
import { type NeighbourAddresses, Neighbours } from "./neighbours.ts";
import { Reader } from "./reader.ts";
import { Recommender } from "./recommender.ts";
import { type Address, type Linear, Runtime } from "./runtime.ts";
import type { ShortlistAddresses } from "./shortlist.ts";
import { Transformer } from "./transformer.ts";
import type { NGramWeights } from "./weights.ts";

/**
 * Loads a model for translation.
 * @param weights the bytes of a `model.safetensors` exported for this config
 * @param kernels build/kernels/relaxed.wasm, or build/kernels/simd.wasm where relaxed SIMD is missing
 * @throws Error if the file is cut short, packed for other kernels, or does not have the config's tensors
 */
export async function loadTransformer(
  config: TranslationConfig,
  weights: ReadableStream<Uint8Array>,
  kernels: WebAssembly.Module,
): Promise<Transformer> {
  const { runtime, found } = await loadWeights(config, weights, kernels);
  return new Transformer(config, runtime, {
    ...found.common(config.n_enc_layers),
    decoder: found.layers("decoder", config.n_dec_layers).map((layer) => ({
      ...found.encoderLayer(layer),
      cross: {
        norm: found.norm(`${layer}.cross_norm`),
        q: found.linear(`${layer}.cross_q`),
        kv: found.linear(`${layer}.cross_kv`),
        out: found.linear(`${layer}.cross_out`),
      },
    })),
    decoderNorm: found.norm("decoder.norm"),
    shortlist: found.shortlist(config.vocab_size),
  });
}

/** Loads a model for classification; parameters and errors as of `loadTransformer`. */
export async function loadClassifier(
  config: ClassificationConfig,
  weights: ReadableStream<Uint8Array>,
  kernels: WebAssembly.Module,
): Promise<Classifier> {
  const { runtime, found } = await loadWeights(config, weights, kernels);
  const encoder =
    config.model_type === "edge-slm-lstm"
      ? new LstmEncoder(config, runtime, {
          embedding: found.matrix("embedding"),
          encoder: found.lstmCell("encoder"),
          decoder: found.lstmCell("decoder"),
        })
      : new MeanEncoder(config, runtime, {
          ...found.common(config.n_enc_layers),
          nGrams: found.nGrams(config, runtime),
        });
  return new Classifier(
    config,
    runtime,
    encoder,
    config.heads.map(({ name }) => found.linear(`heads.${name}`)),
  );
}

/** Loads a model for embedding; parameters and errors as of `loadTransformer`. */
export async function loadEmbedder(
  config: EmbeddingConfig,
  weights: ReadableStream<Uint8Array>,
  kernels: WebAssembly.Module,
): Promise<Embedder> {
  const { runtime, found } = await loadWeights(config, weights, kernels);
  return new Embedder(config, runtime, new MeanEncoder(config, runtime, found.common(config.n_enc_layers)));
}

/** Loads a reader; parameters and errors as of `loadTransformer`. */
export async function loadReader(
  config: QuestionAnsweringConfig,
  weights: ReadableStream<Uint8Array>,
  kernels: WebAssembly.Module,
): Promise<Reader> {
  const { runtime, found } = await loadWeights(config, weights, kernels);
  return new Reader(config, runtime, {
    ...found.common(config.n_enc_layers),
    features: found.matrix("features"),
    span: found.linear("span"),
  });
}

/** Loads a model for recommendation; parameters and errors as of `loadTransformer`. */
export async function loadRecommender(
  config: RecommendationConfig,
  weights: ReadableStream<Uint8Array>,
  kernels: WebAssembly.Module,
): Promise<Recommender> {
  const { runtime, found } = await loadWeights(config, weights, kernels);
  const { neighbours } = config;
  return new Recommender(
    config,
    runtime,
    found.common(config.n_enc_layers),
    neighbours && new Neighbours(runtime, found.neighbours(config.vocab_size, neighbours.count), neighbours),
  );
}

async function loadWeights(
  config: ModelConfig,
  weights: ReadableStream<Uint8Array>,
  kernels: WebAssembly.Module,
): Promise<{ runtime: Runtime; found: FoundWeights }> {
  const reader = weights.getReader();
  try {
    const { header, rest } = await readStreamHeader(reader);
    checkPacking(header);
    const runtime = new Runtime(kernels, header.dataByteLength);
    const found = new FoundWeights(config, header, runtime.weights);
    let received = 0;
    let chunk: Uint8Array | undefined = rest;
    while (chunk) {
      if (received + chunk.length > header.dataByteLength) {
        throw new Error(`loadWeights: expected ${header.dataByteLength} bytes of weights, got more`);
      }
      runtime.writeBytes(runtime.weights + received, chunk);
      received += chunk.length;
      chunk = (await reader.read()).value;
    }
    if (received < header.dataByteLength) {
      throw new Error(
        `loadWeights: expected ${header.dataByteLength} bytes of weights, got ${received}; upload the model again`,
      );
    }
    return { runtime, found };
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
      throw new Error(`loadWeights: expected a safetensors header of ${length ?? 8} bytes, got ${bytes.length}`);
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

/** Where each tensor of a config will be in memory, after a look into the header that it is there. */
class FoundWeights {
  readonly #vectors = new Map<string, Address>();
  readonly #matrices = new Map<string, Linear>();
  readonly #header: Header;
  readonly #base: Address;

  /** @param base address of the first tensor's bytes */
  constructor(config: ModelConfig, header: Header, base: Address) {
    this.#header = header;
    this.#base = base;
    const address = (name: string, dtype: TensorType, elements: number): Address => {
      const info = header.tensors.get(name);
      const bytes = dtype === "I8" ? elements : elements * 4;
      if (!info || info.dtype !== dtype || info.byteLength !== bytes) {
        const got = info ? `${info.dtype} of ${info.byteLength} bytes` : "none";
        throw new Error(`loadWeights: tensor ${name}: expected ${dtype} of ${bytes} bytes, got ${got}; export again`);
      }
      return base + info.byteOffset;
    };
    for (const { name, shape, kind } of tensorSpecs(config)) {
      const [rows, columns] = shape;
      if (kind === "matrix") {
        const n = roundUp(rows, TILE_N);
        const k = roundUp(columns!, TILE_K);
        this.#matrices.set(name, {
          n,
          k,
          weight: address(name, "I8", n * k),
          scale: address(`${name}_scale`, "F32", n),
          sum: address(`${name}_sum`, "I32", n),
          bias: 0,
        });
      } else if (kind === "n_grams") {
        const [padded, tokens] = nGramShape(rows);
        this.#vectors.set(name, address(name, "I32", padded * tokens));
      } else {
        this.#vectors.set(name, address(name, "F32", roundUp(rows * (columns ?? 1), 16)));
      }
    }
  }

  /** The two tensors of a shortlist, if the model has one. */
  shortlist(vocabSize: number): ShortlistAddresses | undefined {
    const offsets = this.#header.tensors.get("shortlist.offsets");
    const targets = this.#header.tensors.get("shortlist.targets");
    if (!offsets || !targets) return undefined;
    const expected = roundUp(vocabSize + 2, TILE_N);
    if (offsets.dtype !== "I32" || targets.dtype !== "I32" || offsets.byteLength !== 4 * expected) {
      throw new Error(
        `loadWeights: shortlist: expected I32 with ${expected} offsets, got ${offsets.dtype} of ${offsets.byteLength} bytes; export again`,
      );
    }
    const base = this.#base;
    return {
      offsets: base + offsets.byteOffset,
      targets: base + targets.byteOffset,
      targetCount: targets.byteLength / 4,
    };
  }

  /** The three tensors of a recommender's neighbours. */
  neighbours(items: number, count: number): NeighbourAddresses {
    const addresses: Address[] = [];
    for (const [name, [dtype, shape]] of neighbourShapes(items, count)) {
      const info = this.#header.tensors.get(name);
      if (info?.dtype !== dtype || info.shape.join() !== shape.join()) {
        throw new Error(
          `loadWeights: tensor ${name}: expected ${dtype} [${shape}], got ${info?.dtype} [${info?.shape}]; export again`,
        );
      }
      addresses.push(this.#base + info.byteOffset);
    }
    const [itemsAt, weights, scale] = addresses as [Address, Address, Address];
    return { items: itemsAt, weights, scale };
  }

  /** The n-grams of a classifier and their vectors, if it has any. */
  nGrams({ n_grams, vocab_size }: EncoderClassificationConfig, runtime: Runtime): NGramWeights | undefined {
    if (!n_grams) return undefined;
    const tokens = runtime.readInts(this.#vector("n_grams.tokens"), n_grams * MAX_N_GRAM);
    return { known: new NGrams(tokens, vocab_size), table: this.matrix("n_grams") };
  }

  #vector(name: string): Address {
    return this.#vectors.get(name)!;
  }

  norm(name: string) {
    return { weight: this.#vector(`${name}.weight`), bias: this.#vector(`${name}.bias`) };
  }

  /** Without a bias. */
  matrix(name: string): Linear {
    return this.#matrices.get(`${name}.weight`)!;
  }

  linear(name: string): Linear {
    return { ...this.matrix(name), bias: this.#vector(`${name}.bias`) };
  }

  lstmCell(side: "encoder" | "decoder") {
    return { input: this.linear(`${side}.input`), recurrent: this.matrix(`${side}.recurrent`) };
  }

  /** The names of a side's layers. */
  layers(side: "encoder" | "decoder", count: number): string[] {
    return Array.from({ length: count }, (_, i) => `${side}.${i}`);
  }

  /** What a layer of the encoder has, and one of the decoder, too. */
  encoderLayer(layer: string) {
    return {
      self: {
        norm: this.norm(`${layer}.self_norm`),
        qkv: this.linear(`${layer}.self_qkv`),
        out: this.linear(`${layer}.self_out`),
      },
      feedForward: {
        norm: this.norm(`${layer}.ffn_norm`),
        up: this.linear(`${layer}.ffn_up`),
        down: this.linear(`${layer}.ffn_down`),
      },
    };
  }

  /** What every transformer has. */
  common(encoderLayers: number) {
    return {
      embedding: this.matrix("embedding"),
      positions: this.#vector("positions.weight"),
      encoder: {
        layers: this.layers("encoder", encoderLayers).map((layer) => this.encoderLayer(layer)),
        norm: this.norm("encoder.norm"),
      },
    };
  }
}

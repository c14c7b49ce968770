/**
 * The forward pass as naive loops over test/reference.ts: unpacked weights, no key/value cache, no batch. The logits of
 * a target prefix are computed from scratch each time, which is what the engine's cached steps must reproduce exactly.
 */
import { expectTask, expectTransformer, headSize, type ModelConfig, tensorSpecs } from "../worker/model/config.ts";
import { readHeader, roundUp, unpackMatrix } from "../worker/model/format.ts";
import type { Reading } from "../worker/model/reading.ts";
import {
  attention,
  attentionWeights,
  embed,
  layerNorm,
  logSoftmax,
  lstmCell,
  type Matrix,
  mean,
  product,
  quantize,
  selfAttention,
} from "./reference.ts";

type Rows = Float32Array[];

export class ReferenceModel {
  readonly config: ModelConfig;
  readonly #matrices = new Map<string, Matrix>();
  readonly #vectors = new Map<string, Float32Array>();
  /** Tokens of each n-gram that has a vector. */
  readonly #nGrams: number[][] = [];

  /** @param file the bytes of a model.safetensors */
  constructor(config: ModelConfig, file: Uint8Array) {
    this.config = config;
    const header = readHeader(file);
    const bytes = (name: string) => {
      const { byteOffset, byteLength } = header.tensors.get(name)!;
      const start = header.dataByteOffset + byteOffset;
      return new Uint8Array(file.subarray(start, start + byteLength)).buffer;
    };
    for (const { name, shape, kind } of tensorSpecs(config)) {
      const [n, k = 1] = shape;
      if (kind === "n_grams") {
        const tokens = [...new Int32Array(bytes(name)).subarray(0, n * k)];
        for (let i = 0; i < n; i++) this.#nGrams.push(tokens.slice(i * k, (i + 1) * k).filter((token) => token >= 0));
        continue;
      }
      if (kind !== "matrix") {
        this.#vectors.set(name, new Float32Array(bytes(name)).subarray(0, n * k));
        continue;
      }
      const packed = new Int8Array(bytes(name));
      if (packed.length !== roundUp(n, 16) * roundUp(k, 4)) throw new Error(`${name}: wrong size`);
      const scale = new Float32Array(bytes(`${name}_scale`));
      this.#matrices.set(name, { n, k, q: unpackMatrix(packed, n, k), scale });
    }
  }

  /** @param source tokens, end token included @returns the encoder's output, [T, d_model] */
  encode(source: readonly number[], features: readonly (readonly number[])[] = []): Rows {
    let x = source.map((token, t) => this.#addFeatures(this.#embed(token, t), features[t] ?? []));
    x = x.map((row, t) => this.#addNGrams(row, source.slice(0, t + 1)));
    for (let i = 0; i < this.config.n_enc_layers; i++) {
      x = this.#selfAttention(`encoder.${i}`, x, false);
      x = this.#feedForward(`encoder.${i}`, x);
    }
    return x.map((row) => this.#norm("encoder.norm", row));
  }

  /**
   * @param target tokens, start token included
   * @param looked receives for each of them what the last layer gave each row of `encoded`, mean over heads
   * @returns logits [T, vocab_size] after each of them
   */
  decode(encoded: Rows, target: readonly number[], looked: number[][] = []): Rows {
    const { n_dec_layers, n_heads, d_model } = expectTask("translation", this.config);
    let x = target.map((token, t) => this.#embed(token, t));
    for (let i = 0; i < n_dec_layers; i++) {
      const layer = `decoder.${i}`;
      x = this.#selfAttention(layer, x, true);
      const keyValues = encoded.map((row) => this.#linear(`${layer}.cross_kv`, row));
      const keys = keyValues.map((row) => row.subarray(0, d_model));
      const values = keyValues.map((row) => row.subarray(d_model));
      x = x.map((row) => {
        const query = this.#linear(`${layer}.cross_q`, this.#norm(`${layer}.cross_norm`, row));
        if (i === n_dec_layers - 1) looked.push(attentionWeights(query, keys, n_heads));
        return this.#linear(`${layer}.cross_out`, attention(query, keys, values, n_heads), row);
      });
      x = this.#feedForward(layer, x);
    }
    const embedding = this.#matrices.get("embedding.weight")!;
    return x.map((row) => product(quantize(this.#norm("decoder.norm", row)), embedding));
  }

  /** @param text tokens, end token included @returns for each head the log_probs of its labels */
  classify(text: readonly number[]): Float64Array[] {
    const vector = this.config.model_type === "edge-slm-lstm" ? this.#readText(text) : mean(this.encode(text));
    const { heads } = expectTask("classification", this.config);
    return heads.map(({ name, temperature }) => logSoftmax(this.#linear(`heads.${name}`, vector), temperature));
  }

  /** @param text tokens, end token included @returns [d_model], of length 1 */
  embed(text: readonly number[]): Float32Array {
    const vector = mean(this.encode(text));
    let sum = 0;
    for (const value of vector) sum += value * value;
    return vector.map((value) => value / Math.sqrt(sum));
  }

  /** @returns the logits of a beginning and of an end at each token, [T, 2] */
  read({ tokens, features }: Pick<Reading, "tokens" | "features">): Rows {
    return this.encode(tokens, features).map((row) => this.#linear("span", row));
  }

  #addFeatures(row: Float32Array, features: readonly number[]): Float32Array {
    return features.reduce((sum, feature) => embed(this.#matrices.get("features.weight")!, feature, 1, sum), row);
  }

  /** The vectors of the n-grams that `tokens` end with, pairs before triples. */
  #addNGrams(row: Float32Array, tokens: readonly number[]): Float32Array {
    const table = this.#matrices.get("n_grams.weight");
    const factor = Math.sqrt(row.length);
    return [2, 3].reduce((sum, order) => {
      const last = tokens.slice(-order).join();
      const found = this.#nGrams.findIndex((nGram) => nGram.length === order && nGram.join() === last);
      return found < 0 ? sum : embed(table!, found, factor, sum);
    }, row);
  }

  /** @param history items, oldest first @returns the logits of what comes next, [vocab_size] */
  next(history: readonly number[]): Float32Array {
    let x = history.map((item, i) => this.#embed(item, history.length - 1 - i));
    for (let i = 0; i < this.config.n_enc_layers; i++) {
      x = this.#selfAttention(`encoder.${i}`, x, true);
      x = this.#feedForward(`encoder.${i}`, x);
    }
    return product(quantize(this.#norm("encoder.norm", x.at(-1)!)), this.#matrices.get("embedding.weight")!);
  }

  /** The state in which a decoder is after its first step, that of an encoder after the text. */
  #readText(text: readonly number[]): Float32Array {
    const { d_model, bos_token_id } = expectTask("classification", this.config);
    let state: { h: Float32Array; c: Float32Array } = { h: new Float32Array(d_model), c: new Float32Array(d_model) };
    for (const token of text) state = this.#lstmStep("encoder", token, state);
    return this.#lstmStep("decoder", bos_token_id, state).h;
  }

  #lstmStep(side: "encoder" | "decoder", token: number, { h, c }: { h: Float32Array; c: Float32Array }) {
    const embedding = this.#matrices.get("embedding.weight")!;
    const x = embed(embedding, token, Math.sqrt(embedding.k), new Float32Array(embedding.k));
    const recurrent = this.#matrices.get(`${side}.recurrent.weight`)!;
    const fromInput = this.#linear(`${side}.input`, x);
    return lstmCell(product(quantize(h), recurrent, undefined, fromInput), c);
  }

  #embed(token: number, t: number): Float32Array {
    const { d_model } = this.config;
    const position = this.#vectors.get("positions.weight")!.subarray(t * d_model, (t + 1) * d_model);
    return embed(this.#matrices.get("embedding.weight")!, token, Math.sqrt(d_model), position);
  }

  #norm(name: string, row: Float32Array): Float32Array {
    const weight = this.#vectors.get(`${name}.weight`)!;
    return layerNorm(row, weight, this.#vectors.get(`${name}.bias`)!, expectTransformer(this.config).layer_norm_eps);
  }

  #linear(
    name: string,
    row: Float32Array,
    residual?: Float32Array,
    activation: "none" | "relu" | "gelu" = "none",
  ): Float32Array {
    const matrix = this.#matrices.get(`${name}.weight`)!;
    return product(quantize(row, activation), matrix, this.#vectors.get(`${name}.bias`)!, residual);
  }

  #selfAttention(layer: string, x: Rows, causal: boolean): Rows {
    const config = expectTransformer(this.config);
    const { d_model, n_heads } = config;
    const qkv = x.map((row) => this.#linear(`${layer}.self_qkv`, this.#norm(`${layer}.self_norm`, row)));
    const part = (i: number) => qkv.map((row) => row.subarray(i * d_model, (i + 1) * d_model));
    const [queries, keys, values] = [part(0), part(1), part(2)] as const;
    if (queries[0]!.length !== n_heads * headSize(config)) throw new Error("heads do not fill d_model");
    const attended = causal
      ? queries.map((query, t) => attention(query, keys.slice(0, t + 1), values.slice(0, t + 1), n_heads))
      : selfAttention(queries, keys, values, n_heads);
    return x.map((row, t) => this.#linear(`${layer}.self_out`, attended[t]!, row));
  }

  #feedForward(layer: string, x: Rows): Rows {
    const { activation } = expectTransformer(this.config);
    return x.map((row) => {
      const inside = this.#linear(`${layer}.ffn_up`, this.#norm(`${layer}.ffn_norm`, row));
      return this.#linear(`${layer}.ffn_down`, inside, row, activation);
    });
  }
}

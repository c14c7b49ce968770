/**
 * A model as ONNX graphs for onnxruntime, with the int8 weights and scales of `model.safetensors`: the peer of the
 * benchmark, and a way out of this repository. Dynamic int8 as onnxruntime does it: activations are quantized to 8 bits
 * with one scale for a whole operand, where our kernels take 7 bits and one scale a row, so outputs agree within the
 * error of quantization and not to the bit. onnxruntime's optimizer makes one DynamicQuantizeMatMul node of each
 * product and one FusedMatMul of each product of attention.
 *
 * Translation, one sentence and one token at a time, the cache starting with P = 0:
 *   encoder.onnx  input_ids [T] → per decoder layer cross.{i}.key, cross.{i}.value [n_heads, T, d_head]
 *   decoder.onnx  input_ids [1], position [1], cross.{i}.*, past.{i}.key, past.{i}.value [n_heads, P, d_head]
 *                 → logits [1, vocab_size], present.{i}.key, present.{i}.value [n_heads, P + 1, d_head]
 * Classification, one text:
 *   model.onnx    input_ids [T] → per head logits.{name} [1, labels], before the temperature; of a model with n-grams
 *                 also n_gram_rows [T, 2], the rows of those that end at each token (worker/model/n-grams.ts), n_grams
 *                 for none
 */
import {
  type ClassificationConfig,
  expectTask,
  expectTransformer,
  headSize,
  type ModelConfig,
  type TranslationConfig,
} from "../../worker/model/config.ts";
import { N_GRAMS_OF_TOKEN, type NGrams } from "../../worker/model/n-grams.ts";
import { Network } from "./onnx-network.ts";
import { type OnnxWeights, readWeights } from "./onnx-weights.ts";

export interface OnnxTranslation {
  /** The bytes of the two files. */
  encoder: Uint8Array<ArrayBuffer>;
  decoder: Uint8Array<ArrayBuffer>;
}

/**
 * @param file the bytes of a `model.safetensors` exported for this config
 * @returns the bytes of each file, by its name
 * @throws Error if the model is a recommender
 */
export function exportOnnx(config: ModelConfig, file: Uint8Array): Record<string, Uint8Array<ArrayBuffer>> {
  if (config.task === "classification") return { "model.onnx": exportClassification(config, file) };
  const { encoder, decoder } = exportTranslation(expectTask("translation", config), file);
  return { "encoder.onnx": encoder, "decoder.onnx": decoder };
}

export function exportTranslation(config: TranslationConfig, file: Uint8Array): OnnxTranslation {
  const weights = readWeights(config, file);
  return { encoder: encoderGraph(config, weights), decoder: decoderGraph(config, weights) };
}

/** @throws Error if the model is no transformer */
export function exportClassification(config: ClassificationConfig, file: Uint8Array): Uint8Array<ArrayBuffer> {
  const encoder = expectTransformer(config);
  const net = new Network(encoder, readWeights(config, file), "model");
  const { graph } = net;
  const ids = graph.input("input_ids", "int64", ["tokens"]);
  const nGrams = encoder.n_grams ? graph.input("n_gram_rows", "int64", ["tokens", N_GRAMS_OF_TOKEN]) : undefined;
  const encoded = net.encode(ids, nGrams);
  const mean = graph.node("ReduceMean", [encoded, graph.integers([0])], { keepdims: { int: 1 } });
  for (const { name, labels } of config.heads) {
    graph.output(net.linear(`heads.${name}`, mean), `logits.${name}`, "float32", [1, labels.length]);
  }
  return graph.encode();
}

/** `n_gram_rows` of a text, [T · N_GRAMS_OF_TOKEN]. */
export function onnxRows(nGrams: NGrams, text: readonly number[]): number[] {
  return nGrams.rowsOf(text).flatMap((rows) => {
    const none = Array.from({ length: N_GRAMS_OF_TOKEN - rows.length }, () => nGrams.size);
    return [...rows, ...none];
  });
}

/** Names of a decoder layer's keys and values, in the order of the graphs' inputs and outputs. */
export function cacheNames(kind: "cross" | "past" | "present", layer: number): [string, string] {
  return [`${kind}.${layer}.key`, `${kind}.${layer}.value`];
}

function encoderGraph(config: TranslationConfig, weights: OnnxWeights): Uint8Array<ArrayBuffer> {
  const net = new Network(config, weights, "encoder");
  const { graph } = net;
  const encoded = net.encode(graph.input("input_ids", "int64", ["tokens"]));
  for (let i = 0; i < config.n_dec_layers; i++) {
    const attributes = { axis: { int: 1 }, num_outputs: { int: 2 } };
    const keyValue = graph.nodes("Split", [net.linear(`decoder.${i}.cross_kv`, encoded)], 2, attributes);
    for (const [j, name] of cacheNames("cross", i).entries()) {
      graph.output(net.heads(keyValue[j]!), name, "float32", [config.n_heads, "tokens", headSize(config)]);
    }
  }
  return graph.encode();
}

function decoderGraph(config: TranslationConfig, weights: OnnxWeights): Uint8Array<ArrayBuffer> {
  const { n_dec_layers, n_heads, vocab_size } = config;
  const net = new Network(config, weights, "decoder");
  const { graph } = net;
  const ids = graph.input("input_ids", "int64", [1]);
  const position = graph.input("position", "int64", [1]);
  const cacheInputs = (kind: "cross" | "past", i: number, length: string) =>
    cacheNames(kind, i).map((name) => graph.input(name, "float32", [n_heads, length, headSize(config)]));
  let x = net.embed(ids, graph.node("Gather", [net.vector("positions.weight"), position]));
  for (let i = 0; i < n_dec_layers; i++) {
    const layer = `decoder.${i}`;
    const past = cacheInputs("past", i, "past_tokens");
    const cross = cacheInputs("cross", i, "source_tokens");
    const [query, ...keyValue] = net.projectQkv(layer, x);
    const present = keyValue.map((now, j) => graph.node("Concat", [past[j]!, net.heads(now)], { axis: { int: 1 } }));
    cacheNames("present", i).forEach((name, j) => {
      graph.output(present[j]!, name, "float32", [n_heads, "past_tokens + 1", headSize(config)]);
    });
    x = net.add(x, net.linear(`${layer}.self_out`, net.attention(net.heads(query), present[0]!, present[1]!)));
    const crossQuery = net.linear(`${layer}.cross_q`, net.norm(`${layer}.cross_norm`, x));
    const attended = net.attention(net.heads(crossQuery), cross[0]!, cross[1]!);
    x = net.add(x, net.linear(`${layer}.cross_out`, attended));
    x = net.add(x, net.feedForward(layer, x));
  }
  const last = net.norm("decoder.norm", x);
  const logits = graph.product(last, "embedding", weights.matrix("embedding.weight"));
  graph.output(logits, "logits", "float32", [1, vocab_size]);
  return graph.encode();
}

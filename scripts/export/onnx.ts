/**
 * A model as two ONNX graphs for onnxruntime, with the int8 weights and scales of `model.safetensors`: the peer of the
 * benchmark, and a way out of this repository. Dynamic int8 as onnxruntime does it: activations are quantized to 8 bits
 * with one scale for a whole operand, where our kernels take 7 bits and one scale a row, so outputs agree within the
 * error of quantization and not to the bit.
 *
 * encoder.onnx  input_ids [T] → per decoder layer cross.{i}.key, cross.{i}.value [n_heads, T, d_head]
 * decoder.onnx  input_ids [1], position [1], cross.{i}.*, past.{i}.key, past.{i}.value [n_heads, P, d_head]
 *               → logits [1, vocab_size], present.{i}.key, present.{i}.value [n_heads, P + 1, d_head]
 *
 * One sentence and one token at a time; the cache starts with P = 0. The network is what worker/engine/transformer.ts
 * computes, in the same order and with the same names.
 */
import { headSize, type ModelConfig } from "../../worker/model/config.ts";
import { OnnxGraph, type Value } from "./onnx-graph.ts";
import { DATA_TYPE } from "./onnx-schema.ts";
import { type OnnxWeights, readWeights } from "./onnx-weights.ts";

export interface OnnxModel {
  /** The bytes of the two files. */
  encoder: Uint8Array<ArrayBuffer>;
  decoder: Uint8Array<ArrayBuffer>;
}

/** @param file the bytes of a `model.safetensors` exported for this config */
export function exportOnnx(config: ModelConfig, file: Uint8Array): OnnxModel {
  const weights = readWeights(config, file);
  return { encoder: encoderGraph(config, weights), decoder: decoderGraph(config, weights) };
}

/** Names of a decoder layer's keys and values, in the order of the graphs' inputs and outputs. */
export function cacheNames(kind: "cross" | "past" | "present", layer: number): [string, string] {
  return [`${kind}.${layer}.key`, `${kind}.${layer}.value`];
}

function encoderGraph(config: ModelConfig, weights: OnnxWeights): Uint8Array<ArrayBuffer> {
  const { n_enc_layers, n_dec_layers, n_heads } = config;
  const net = new Network(config, weights, "encoder");
  const { graph } = net;
  const ids = graph.input("input_ids", "int64", ["tokens"]);
  // Positions 0 … T−1.
  const length = graph.node("Shape", [ids]);
  const positions = graph.node("Slice", [
    net.vector("positions.weight"),
    graph.integers([0]),
    length,
    graph.integers([0]),
  ]);
  let x = net.embed(ids, positions);
  for (let i = 0; i < n_enc_layers; i++) {
    const layer = `encoder.${i}`;
    const [query, key, value] = net.projectQkv(layer, x);
    const attended = net.attention(net.heads(query), net.heads(key), net.heads(value));
    x = net.add(x, net.linear(`${layer}.self_out`, attended));
    x = net.add(x, net.feedForward(layer, x));
  }
  const encoded = net.norm("encoder.norm", x);
  for (let i = 0; i < n_dec_layers; i++) {
    const keyValue = graph.nodes("Split", [net.linear(`decoder.${i}.cross_kv`, encoded)], 2, {
      axis: { int: 1 },
      num_outputs: { int: 2 },
    });
    for (const [j, name] of cacheNames("cross", i).entries()) {
      graph.output(net.heads(keyValue[j]!), name, "float32", [n_heads, "tokens", headSize(config)]);
    }
  }
  return graph.encode();
}

function decoderGraph(config: ModelConfig, weights: OnnxWeights): Uint8Array<ArrayBuffer> {
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

/** The blocks of the transformer as nodes of one graph; every value is [T, d_model] unless it says otherwise. */
class Network {
  readonly graph: OnnxGraph;
  readonly #config: ModelConfig;
  readonly #weights: OnnxWeights;

  constructor(config: ModelConfig, weights: OnnxWeights, name: string) {
    this.graph = new OnnxGraph(name);
    this.#config = config;
    this.#weights = weights;
  }

  /** A bias, a norm's weight, or the positions [max_seq_len, d_model]. */
  vector(name: string): Value {
    const data = this.#weights.vector(name);
    const { d_model } = this.#config;
    const shape = name === "positions.weight" ? [data.length / d_model, d_model] : [data.length];
    return this.graph.constant(name, shape, data);
  }

  /** embedding[ids] · sqrt(d_model) + positions, the embedding's rows dequantized after they are gathered. */
  embed(ids: Value, positions: Value): Value {
    const { graph } = this;
    const { n, k, q, scale } = this.#weights.matrix("embedding.weight");
    const rows = graph.node("Gather", [graph.constant("embedding_rows", [n, k], q), ids]);
    const factor = Math.sqrt(this.#config.d_model);
    const scales = graph.constant(
      "embedding_row_scale",
      [n, 1],
      scale.map((value) => Math.fround(value * factor)),
    );
    const floats = graph.node("Cast", [rows], { to: { int: DATA_TYPE.float32 } });
    return this.add(graph.node("Mul", [floats, graph.node("Gather", [scales, ids])]), positions);
  }

  norm(name: string, x: Value): Value {
    const inputs = [x, this.vector(`${name}.weight`), this.vector(`${name}.bias`)];
    return this.graph.node("LayerNormalization", inputs, {
      axis: { int: -1 },
      epsilon: { float: this.#config.layer_norm_eps },
    });
  }

  linear(name: string, x: Value): Value {
    const bias = this.vector(`${name}.bias`);
    return this.graph.product(x, name, this.#weights.matrix(`${name}.weight`), bias);
  }

  add(a: Value, b: Value): Value {
    return this.graph.node("Add", [a, b]);
  }

  /** Query, key and value of LN(x). */
  projectQkv(layer: string, x: Value): [Value, Value, Value] {
    const wide = this.linear(`${layer}.self_qkv`, this.norm(`${layer}.self_norm`, x));
    const attributes = { axis: { int: 1 }, num_outputs: { int: 3 } };
    return this.graph.nodes("Split", [wide], 3, attributes) as [Value, Value, Value];
  }

  /** [T, d_model] → [n_heads, T, d_head] */
  heads(x: Value): Value {
    const { n_heads } = this.#config;
    const shape = this.graph.integers([-1, n_heads, headSize(this.#config)]);
    return this.graph.node("Transpose", [this.graph.node("Reshape", [x, shape])], { perm: { ints: [1, 0, 2] } });
  }

  /** softmax(query · keyᵀ / sqrt(d_head)) · value; operands [n_heads, T, d_head], result [T, d_model] */
  attention(query: Value, key: Value, value: Value): Value {
    const { graph } = this;
    const factor = graph.constant("attention_factor", [1], Float32Array.of(1 / Math.sqrt(headSize(this.#config))));
    const turned = graph.node("Transpose", [key], { perm: { ints: [0, 2, 1] } });
    const scores = graph.node("Mul", [graph.node("MatMul", [query, turned]), factor]);
    const weights = graph.node("Softmax", [scores], { axis: { int: -1 } });
    const mixed = graph.node("Transpose", [graph.node("MatMul", [weights, value])], { perm: { ints: [1, 0, 2] } });
    return graph.node("Reshape", [mixed, graph.integers([-1, this.#config.d_model])]);
  }

  /** down(activation(up(LN(x)))) */
  feedForward(layer: string, x: Value): Value {
    const inside = this.linear(`${layer}.ffn_up`, this.norm(`${layer}.ffn_norm`, x));
    const active =
      this.#config.activation === "relu"
        ? this.graph.node("Relu", [inside])
        : this.graph.node("Gelu", [inside], { approximate: { string: "tanh" } });
    return this.linear(`${layer}.ffn_down`, active);
  }
}

/** The blocks of the transformer as nodes of an ONNX graph, as worker/engine/ computes them and by the same names. */
import { type EncoderConfig, headSize } from "../../worker/model/config.ts";
import { OnnxGraph, type OnnxMatrix, type Value } from "./onnx-graph.ts";
import { DATA_TYPE } from "./onnx-schema.ts";
import type { OnnxWeights } from "./onnx-weights.ts";

/** The nodes of one graph; every value is [T, d_model] unless it says otherwise. */
export class Network {
  readonly graph: OnnxGraph;
  readonly #config: EncoderConfig;
  readonly #weights: OnnxWeights;

  constructor(config: EncoderConfig, weights: OnnxWeights, name: string) {
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
    return this.add(this.#takeRows("embedding", this.#weights.matrix("embedding.weight"), ids), positions);
  }

  /** Rows of a table · sqrt(d_model), dequantized. */
  #takeRows(name: string, { n, k, q, scale }: OnnxMatrix, ids: Value): Value {
    const { graph } = this;
    const rows = graph.node("Gather", [graph.constant(`${name}_rows`, [n, k], q), ids]);
    const factor = Math.sqrt(this.#config.d_model);
    const scales = graph.constant(
      `${name}_row_scale`,
      [n, 1],
      scale.map((value) => Math.fround(value * factor)),
    );
    const floats = graph.node("Cast", [rows], { to: { int: DATA_TYPE.float32 } });
    return graph.node("Mul", [floats, graph.node("Gather", [scales, ids])]);
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

  /** The sum of each token's rows of the table of n-grams · sqrt(d_model); rows [T, 2], that of zeros for none. */
  embedNGrams(rows: Value): Value {
    const { n, k, q, scale } = this.#weights.matrix("n_grams.weight");
    const withZeros = { n: n + 1, k, q: new Int8Array((n + 1) * k), scale: new Float32Array(n + 1) };
    withZeros.q.set(q);
    withZeros.scale.set(scale);
    const vectors = this.#takeRows("n_grams", withZeros, rows);
    return this.graph.node("ReduceSum", [vectors, this.graph.integers([1])], { keepdims: { int: 0 } });
  }

  /** The whole encoder: token ids [T] → normalized outputs. @param nGrams rows as of `embedNGrams`, if the model has any */
  encode(ids: Value, nGrams?: Value): Value {
    const { graph } = this;
    // Positions 0 … T−1.
    const length = graph.node("Shape", [ids]);
    const zero = graph.integers([0]);
    let x = this.embed(ids, graph.node("Slice", [this.vector("positions.weight"), zero, length, zero]));
    if (nGrams) x = this.add(x, this.embedNGrams(nGrams));
    for (let i = 0; i < this.#config.n_enc_layers; i++) {
      const layer = `encoder.${i}`;
      const [query, key, value] = this.projectQkv(layer, x);
      const attended = this.attention(this.heads(query), this.heads(key), this.heads(value));
      x = this.add(x, this.linear(`${layer}.self_out`, attended));
      x = this.add(x, this.feedForward(layer, x));
    }
    return this.norm("encoder.norm", x);
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

/**
 * Builds an ONNX graph node by node, with the one piece every graph here is made of: the matrix product of dynamic
 * int8 quantization, in the very nodes that onnxruntime's own `quantize_dynamic` writes
 * (onnxruntime/python/tools/quantization/operators/matmul.py), so that its optimizer knows the pattern and fuses it.
 */
import {
  type AttributeValue,
  attribute,
  DATA_TYPE,
  type DataType,
  encodeModel,
  type Initializer,
  type Node,
  type ValueInfo,
  valueInfo,
} from "./onnx-schema.ts";

/** The first with Gelu; onnxruntime 1.17 and later. */
const OPSET_VERSION = 20;
const IR_VERSION = 9;

/** A name in the graph: of an input, a weight or a node's output. */
export type Value = string;

export interface OnnxMatrix {
  n: number;
  k: number;
  /** [n, k] row-major */
  q: Int8Array;
  /** [n] */
  scale: Float32Array;
}

export class OnnxGraph {
  readonly #name: string;
  readonly #nodes: Node[] = [];
  readonly #initializers = new Map<string, Initializer>();
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  input(name: string, type: DataType, shape: (number | string)[]): Value {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  /** Makes a value an output of the graph, under a name of its own. */
  output(value: Value, name: string, type: DataType, shape: (number | string)[]): void {
    this.#nodes.push({ name, op_type: "Identity", input: [value], output: [name], attribute: [] });
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** A weight or constant; of the same name it is stored once. */
  constant(name: string, shape: number[], data: Float32Array | Int8Array | BigInt64Array): Value {
    const elements = shape.reduce((product, size) => product * size, 1);
    if (elements !== data.length) {
      throw new Error(`OnnxGraph: ${name} [${shape}]: expected ${elements} elements, got ${data.length}`);
    }
    const type = data instanceof Float32Array ? "float32" : data instanceof Int8Array ? "int8" : "int64";
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.#initializers.set(name, { name, dims: shape, data_type: DATA_TYPE[type], raw_data: bytes });
    return name;
  }

  /** A shape or a list of indices, where a node takes it as an input. */
  integers(values: number[]): Value {
    return this.constant(`integers_${values.join("_")}`, [values.length], BigInt64Array.from(values, BigInt));
  }

  /** @returns the node's one output */
  node(opType: string, inputs: Value[], attributes: Record<string, AttributeValue> = {}): Value {
    return this.nodes(opType, inputs, 1, attributes)[0]!;
  }

  /** @returns the node's outputs */
  nodes(opType: string, inputs: Value[], outputs: number, attributes: Record<string, AttributeValue> = {}): Value[] {
    const name = `${opType}_${this.#nodes.length}`;
    const output = Array.from({ length: outputs }, (_, i) => (outputs === 1 ? name : `${name}_${i}`));
    const list = Object.entries(attributes).map(([key, value]) => attribute(key, value));
    this.#nodes.push({ name, op_type: opType, input: inputs, output, attribute: list });
    return output;
  }

  /**
   * x · weightᵀ + bias with x [m, k] quantized at run time to 8 bits, one scale for the whole of it.
   * @param name of the weight
   * @param bias [n]
   */
  product(x: Value, name: string, matrix: OnnxMatrix, bias?: Value): Value {
    const { n, k, scale } = matrix;
    const weight = this.constant(`${name}_quantized`, [k, n], transpose(matrix));
    const weightScale = this.constant(`${name}_scale`, [n], scale);
    const [q, xScale, zeroPoint] = this.nodes("DynamicQuantizeLinear", [x], 3);
    const sums = this.node("MatMulInteger", [q!, weight, zeroPoint!]);
    const floats = this.node("Cast", [sums], { to: { int: DATA_TYPE.float32 } });
    const y = this.node("Mul", [floats, this.node("Mul", [xScale!, weightScale])]);
    return bias === undefined ? y : this.node("Add", [y, bias]);
  }

  /** The bytes of the `.onnx` file. */
  encode(): Uint8Array<ArrayBuffer> {
    return encodeModel({
      ir_version: IR_VERSION,
      producer_name: "edge-slm",
      opset_import: [{ domain: "", version: OPSET_VERSION }],
      graph: {
        name: this.#name,
        node: this.#nodes,
        initializer: [...this.#initializers.values()],
        input: this.#inputs,
        output: this.#outputs,
      },
    });
  }
}

/** [n, k] → [k, n] */
function transpose({ n, k, q }: OnnxMatrix): Int8Array {
  const transposed = new Int8Array(q.length);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < k; i++) transposed[i * n + row] = q[row * k + i]!;
  }
  return transposed;
}

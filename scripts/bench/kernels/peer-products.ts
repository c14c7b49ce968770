/**
 * The matrix product on the peer: DynamicQuantizeLinear, MatMulInteger and the scales behind it, as a graph of its own.
 */
import type { InferenceSession } from "onnxruntime-web";
import { OnnxGraph } from "../../export/onnx-graph.ts";
import { timeAsyncCalls } from "../clock.ts";
import type { Feeds, Peer } from "../onnxruntime.ts";
import { type Shape, testValues } from "./products.ts";

/**
 * A call of a session costs tens of microseconds before anything is multiplied. A whole model pays that once a token,
 * not once a product, so a graph holds as many products as make up this many multiply-adds.
 */
const MACS_PER_CALL = 16e6;
const MAX_PRODUCTS_PER_CALL = 32;
const WARM_UP_CALLS = 10;

export class PeerProducts {
  readonly #peer: Peer;
  #prepared: { key: string; session: InferenceSession; feeds: Feeds; products: number } | undefined;

  readonly #maxProducts: number;

  /** @param maxProducts of a call of the session, at most: 1 leaves the cost of the call in the figure */
  constructor(peer: Peer, maxProducts = MAX_PRODUCTS_PER_CALL) {
    this.#peer = peer;
    this.#maxProducts = maxProducts;
  }

  /** @returns 10⁹ multiply-adds a second, quantization of the activations included */
  async measure(shape: Shape, burstMs: number): Promise<number> {
    const { session, feeds, products } = await this.#prepare(shape);
    const [ms] = await timeAsyncCalls([() => session.run(feeds)], burstMs);
    return (products * shape.m * shape.n * shape.k) / 1e6 / ms!;
  }

  async #prepare(shape: Shape) {
    const key = `${shape.m} ${shape.n} ${shape.k}`;
    if (this.#prepared?.key === key) return this.#prepared;
    await this.#prepared?.session.release();
    this.#prepared = undefined;
    const { m, n, k } = shape;
    const wanted = Math.round(MACS_PER_CALL / (m * n * k));
    const products = Math.min(this.#maxProducts, Math.max(1, wanted));
    const { x, q, scale } = testValues(shape);
    const session = await this.#peer.createSession(productGraph(shape, products, q, scale));
    // Different numbers, or the optimizer would take the products for one.
    const feeds: Feeds = {};
    for (let i = 0; i < products; i++) {
      feeds[`x_${i}`] = this.#peer.floats(
        x.map((value) => value + i),
        [m, k],
      );
    }
    for (let i = 0; i < WARM_UP_CALLS; i++) await session.run(feeds);
    this.#prepared = { key, session, feeds, products };
    return this.#prepared;
  }
}

/** Products of the same weights with inputs `x_0`, `x_1`, …. */
function productGraph({ m, n, k }: Shape, products: number, q: Int8Array, scale: Float32Array): Uint8Array {
  const graph = new OnnxGraph("products");
  for (let i = 0; i < products; i++) {
    const x = graph.input(`x_${i}`, "float32", [m, k]);
    graph.output(graph.product(x, "w", { n, k, q, scale }), `y_${i}`, "float32", [m, n]);
  }
  return graph.encode();
}

/** The matrix products on the peer, in a process of their own. */
import { serve } from "../child.ts";
import { Peer, type PeerName } from "../onnxruntime.ts";
import { PeerProducts } from "./peer-products.ts";
import type { Shape } from "./products.ts";

let benches: { alone: PeerProducts; inGraph: PeerProducts } | undefined;

export interface PeerRates {
  /** A session of one product: the cost of the call is in the figure. */
  alone: number;
  /** Among the products of a larger graph. */
  inGraph: number;
}

export const methods = {
  /** @returns the version, or undefined if it is not installed */
  open(name: PeerName): string | undefined {
    const peer = Peer.open(name);
    if (peer) benches = { alone: new PeerProducts(peer, 1), inGraph: new PeerProducts(peer) };
    return peer?.version;
  },
  /** @returns 10⁹ multiply-adds a second, quantization of the activations included */
  async measure(shape: Shape, burstMs: number): Promise<PeerRates> {
    return {
      alone: await benches!.alone.measure(shape, burstMs),
      inGraph: await benches!.inGraph.measure(shape, burstMs),
    };
  },
};

serve(methods);

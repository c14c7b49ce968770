/** The matrix products in workerd: a Worker whose one route measures. Never deployed. */
import peakRelaxed from "../../../build/bench/peak-relaxed.wasm";
import peakSimd from "../../../build/bench/peak-simd.wasm";
import relaxed from "../../../build/kernels/relaxed.wasm";
import simd from "../../../build/kernels/simd.wasm";
import type { KernelBuild } from "../../kernels.ts";
import { KernelBench, type Shape } from "./products.ts";

export interface KernelRequest {
  build: KernelBuild;
  shape: Shape;
  burstMs: number;
}

const modules = { relaxed: [relaxed, peakRelaxed], simd: [simd, peakSimd] } as const;
const benches = new Map<KernelBuild, KernelBench>();

export default {
  async fetch(request: Request): Promise<Response> {
    const { build, shape, burstMs } = (await request.json()) as KernelRequest;
    let bench = benches.get(build);
    if (!bench) {
      bench = new KernelBench(...modules[build]);
      benches.set(build, bench);
    }
    return Response.json(bench.measure(shape, burstMs));
  },
};

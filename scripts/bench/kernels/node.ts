/** The matrix products in Node, in a process of their own. */
import type { KernelBuild } from "../../kernels.ts";
import { loadKernels } from "../../kernels.ts";
import { serve } from "../child.ts";
import { loadPeak } from "./peak.ts";
import { KernelBench, type KernelRates, type Shape } from "./products.ts";

const benches = new Map<KernelBuild, KernelBench>();

export const methods = {
  async measure(build: KernelBuild, shape: Shape, burstMs: number): Promise<KernelRates> {
    let bench = benches.get(build);
    if (!bench) {
      bench = new KernelBench(await loadKernels(build), await loadPeak(build));
      benches.set(build, bench);
    }
    return bench.measure(shape, burstMs);
  },
};

serve(methods);

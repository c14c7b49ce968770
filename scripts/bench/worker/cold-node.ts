/** The parts of a cold start in Node, whose clock is fine enough for them; a process serves for one measurement. */
import { generate } from "../../../worker/engine/generate.ts";
import { loadTransformer } from "../../../worker/engine/load.ts";
import type { TranslationConfig } from "../../../worker/model/config.ts";
import { loadKernels } from "../../kernels.ts";
import { serve } from "../child.ts";
import { streamOf } from "../stream.ts";

export interface ColdParts {
  /** A Worker's modules are compiled when it starts, an instance is made for each model. */
  instantiateMs: number;
  /** From bytes in memory to a model. */
  loadMs: number;
  /** From there to the first token: the encoder and one step, in the baseline compiler's code. */
  firstTokenMs: number;
}

export const methods = {
  async measure(config: TranslationConfig, weights: Uint8Array<ArrayBuffer>, source: number[]): Promise<ColdParts> {
    const kernels = await loadKernels();
    const startMs = performance.now();
    new WebAssembly.Instance(kernels, { env: { memory: new WebAssembly.Memory({ initial: 1 }) } });
    const instantiatedMs = performance.now();
    const model = await loadTransformer(config, streamOf(weights), kernels);
    const loadedMs = performance.now();
    await generate(model, [source], { beamSize: 1, maxTokens: 1 });
    return {
      instantiateMs: instantiatedMs - startMs,
      loadMs: loadedMs - instantiatedMs,
      firstTokenMs: performance.now() - loadedMs,
    };
  },
};

serve(methods);

/** Models of any size, timed in Node in a process of their own. */
import { generate } from "../../../worker/engine/generate.ts";
import { loadTransformer } from "../../../worker/engine/load.ts";
import type { Transformer } from "../../../worker/engine/transformer.ts";
import { loadKernels } from "../../kernels.ts";
import { serve } from "../child.ts";
import { timeAsyncCalls } from "../clock.ts";
import { type ModelSizes, makeRandomModel } from "../random-model.ts";
import { streamOf } from "../stream.ts";

export interface GrowthCase {
  model: ModelSizes;
  /** Source and target tokens of a sentence. */
  tokens: number;
  batch: number;
  beamSize: number;
}

export interface GrowthSample {
  ms: number;
  /** Wasm memory above the weights. */
  workingBytes: number;
  modelBytes: number;
}

const loaded = new Map<string, { model: Transformer; modelBytes: number }>();

async function load(sizes: ModelSizes) {
  const { config, weights } = makeRandomModel(sizes);
  return {
    model: await loadTransformer(config, streamOf(weights), await loadKernels()),
    modelBytes: weights.length,
  };
}

export const methods = {
  async measure({ model: sizes, tokens, batch, beamSize }: GrowthCase, burstMs: number): Promise<GrowthSample> {
    // Memory never shrinks, so each case has a model of its own; its weights are the same each round.
    const key = JSON.stringify([sizes, tokens, batch, beamSize]);
    let entry = loaded.get(key);
    if (!entry) {
      entry = await load(sizes);
      loaded.set(key, entry);
    }
    const { model, modelBytes } = entry;
    const sources = Array.from({ length: batch }, (_, s) =>
      Array.from({ length: tokens - 1 }, (_, t) => 3 + ((7 * t + 13 * s) % 500)),
    );
    const run = () => generate(model, sources, { beamSize, maxTokens: tokens });
    await run();
    const [ms] = await timeAsyncCalls([run], burstMs);
    return { ms: ms!, workingBytes: model.memoryBytes - modelBytes, modelBytes };
  },
  /** Lets go of the models of the cases so far. */
  forget(): void {
    loaded.clear();
  },
};

serve(methods);

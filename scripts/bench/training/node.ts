/** A contender of the training suite: forward and backward passes of one replica on one device. */
import type { TranslationConfig } from "../../../worker/model/config.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../training/parameters.ts";
import { uniformStream } from "../../training/random.ts";
import type { DeviceName, Replica } from "../../training/replica.ts";
import { createReplica } from "../../training/replicas.ts";
import { type PairShape, translationBatches } from "../../training/translation-batches.ts";
import { serve } from "../child.ts";

/** Rows of packed sentence pairs. */
const SHAPE: PairShape = { rows: 32, sourceLength: 48, targetLength: 48 };

let replica: Replica;
let parameters: Float32Array;
let gradients: Float32Array;
let batch: ReturnType<typeof randomBatch>;

export const methods = {
  /** Builds the network and runs a first step, which compiles it where the device does that. */
  async open(device: DeviceName, config: TranslationConfig): Promise<void> {
    const slices = parameterSlices(config);
    parameters = new Float32Array(parameterCount(slices));
    gradients = new Float32Array(parameters.length);
    initializeParameters(parameters, slices, config, 1);
    const regularization = { dropout: 0.1, labelSmoothing: 0.1 };
    replica = await createReplica({ device, objective: { kind: "translation", config }, regularization });
    batch = randomBatch(config);
    await methods.step();
  },

  /** Real target tokens a second of one step. */
  async step(): Promise<number> {
    const startMs = performance.now();
    await replica.gradients(parameters, batch, 1, gradients);
    return batch.tokens / ((performance.now() - startMs) / 1000);
  },
};

/** Sentence pairs as long as captions are: 8 to 20 tokens a side. */
function randomBatch(config: TranslationConfig) {
  const uniform = uniformStream(1);
  const sentence = () =>
    Array.from({ length: 8 + Math.floor(uniform() * 13) }, () => 3 + Math.floor(uniform() * (config.vocab_size - 3)));
  const pairs = Array.from({ length: 8 * SHAPE.rows }, () => ({ source: sentence(), target: sentence() }));
  return [...translationBatches(pairs, SHAPE, config, 1, 1)][0]![0]!;
}

serve(methods);

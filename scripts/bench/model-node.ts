/** The engine with one model in Node, in a process of its own. */
import type { ModelConfig } from "../../worker/model/config.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { type KernelBuild, loadKernels } from "../kernels.ts";
import { serve } from "./child.ts";
import { timeCalls } from "./clock.ts";
import { ModelBench, type TranslationTimes } from "./model-bench.ts";

let bench: ModelBench;

export const methods = {
  async load(config: ModelConfig, weights: Uint8Array<ArrayBuffer>, build: KernelBuild): Promise<void> {
    bench = await ModelBench.load(config, weights, await loadKernels(build));
  },
  translate: (source: number[], beamSize: number): Promise<number[]> => bench.translate(source, beamSize),
  time: (source: number[], burstMs: number): Promise<TranslationTimes> => bench.time(source, burstMs),
  timeEncoder: (source: number[], burstMs: number): number => bench.timeEncoder(source, burstMs),
  logits: (source: number[], target: number[]): Float32Array => bench.logits(source, target),
  /** @returns milliseconds to make ids of a text, and a text of ids */
  timeTokenizer(json: string, text: string, target: number[], burstMs: number): number {
    const tokenizer = Tokenizer.fromJson(json);
    const both = () => {
      tokenizer.encode(text);
      tokenizer.decode(target);
    };
    timeCalls([both], burstMs);
    return timeCalls([both], burstMs)[0]!;
  },
};

serve(methods);

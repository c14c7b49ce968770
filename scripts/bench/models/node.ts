/** The engine in Node, in a process of its own: one model for each task. */
import type { ClassificationConfig, TranslationConfig } from "../../../worker/model/config.ts";
import { type KernelBuild, loadKernels } from "../../kernels.ts";
import { serve } from "../child.ts";
import { ClassificationBench } from "./classification.ts";
import { type RunTimes, TranslationBench } from "./translation.ts";

let translation: TranslationBench;
let classification: ClassificationBench;

export const methods = {
  async loadTranslation(config: TranslationConfig, weights: Uint8Array, build: KernelBuild): Promise<void> {
    translation = await TranslationBench.load(config, weights, await loadKernels(build));
  },
  async loadClassification(config: ClassificationConfig, weights: Uint8Array, build: KernelBuild): Promise<void> {
    classification = await ClassificationBench.load(config, weights, await loadKernels(build));
  },
  translate: (source: number[]): Promise<number[]> => translation.translate(source),
  timeTranslation: (source: number[], burstMs: number): Promise<RunTimes> => translation.time(source, burstMs),
  logits: (source: number[], target: number[]): Float32Array => translation.logits(source, target),
  classify: (text: number[]): Float64Array[] => classification.classify(text),
  timeClassification: (text: number[], burstMs: number): Promise<RunTimes> => classification.time(text, burstMs),
};

serve(methods);

/** Classification through the engine, timed, and of its time the kernels'. Runs unchanged in Node and in workerd. */
import type { Classifier } from "../../../worker/engine/heads.ts";
import { loadClassifier } from "../../../worker/engine/load.ts";
import type { ClassificationConfig } from "../../../worker/model/config.ts";
import { timeCalls } from "../clock.ts";
import { streamOf } from "../stream.ts";
import { type Call, loadRecorded, playBack } from "./recording.ts";
import type { RunTimes } from "./translation.ts";

const WARM_UP_RUNS = 20;

export class ClassificationBench {
  readonly #model: Classifier;
  readonly #recorded: { model: Classifier; calls: Call[] };
  /** All heads of the configuration. */
  readonly #heads: number[];

  private constructor(model: Classifier, recorded: { model: Classifier; calls: Call[] }) {
    this.#model = model;
    this.#recorded = recorded;
    this.#heads = [...model.config.heads.keys()];
  }

  /** @param weights the bytes of a `model.safetensors` */
  static async load(
    config: ClassificationConfig,
    weights: Uint8Array,
    kernels: WebAssembly.Module,
  ): Promise<ClassificationBench> {
    const load = () => loadClassifier(config, streamOf(weights), kernels);
    return new ClassificationBench(await load(), await loadRecorded(load));
  }

  /** @param text token ids, end token included @returns for each head the log_probs of its labels */
  classify(text: readonly number[]): Float64Array[] {
    return this.#model.step([text], this.#heads)[0]!;
  }

  time(text: readonly number[], burstMs: number): RunTimes {
    for (let i = 0; i < WARM_UP_RUNS; i++) this.classify(text);
    const { model, calls } = this.#recorded;
    calls.length = 0;
    model.step([text], this.#heads);
    const recorded = calls.slice();
    const [ms, kernelMs] = timeCalls([() => this.classify(text), () => playBack(recorded)], burstMs);
    return { ms: ms!, kernelMs: kernelMs! };
  }
}

/** Classification through the engine, timed, and of its time the kernels'. Runs unchanged in Node and in workerd. */
import type { Classifier } from "../../../worker/engine/heads.ts";
import { loadClassifier } from "../../../worker/engine/load.ts";
import type { ClassificationConfig } from "../../../worker/model/config.ts";
import { timeCalls } from "../clock.ts";
import { streamOf } from "../stream.ts";
import { type Call, type KernelShare, kernelShares, loadRecorded, playBack, type Recorded } from "./recording.ts";
import type { RunTimes } from "./translation.ts";

const WARM_UP_RUNS = 20;

export class ClassificationBench {
  readonly #model: Classifier;
  readonly #recorded: Recorded<Classifier>;
  /** All heads of the configuration. */
  readonly #heads: number[];

  private constructor(model: Classifier, recorded: Recorded<Classifier>) {
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

  async time(text: readonly number[], burstMs: number): Promise<RunTimes> {
    for (let i = 0; i < WARM_UP_RUNS; i++) this.classify(text);
    const calls = await this.#record(text);
    const [ms, kernelMs] = timeCalls([() => this.classify(text), () => playBack(calls)], burstMs);
    return { ms: ms!, kernelMs: kernelMs! };
  }

  async kernelShares(text: readonly number[], burstMs: number): Promise<KernelShare[]> {
    return kernelShares(await this.#record(text), burstMs);
  }

  #record(text: readonly number[]): Promise<Call[]> {
    const { model, record } = this.#recorded;
    return record(() => model.step([text], this.#heads));
  }
}

/**
 * A whole model through the engine, timed, and of its time the kernels' share. Runs unchanged in Node and in workerd.
 *
 * The kernels' share is measured by doing their calls again without anything around them: one translation is recorded,
 * call by call with its arguments, and then played back. Clocks around each call would cost as much as the short ones.
 * The way from JavaScript into WebAssembly counts as the kernels'; copies in memory, the search and the tokenizer don't.
 */

import type { Prefix } from "../../worker/engine/cache.ts";
import { generate } from "../../worker/engine/generate.ts";
import { loadTransformer } from "../../worker/engine/load.ts";
import type { Transformer } from "../../worker/engine/transformer.ts";
import type { ModelConfig } from "../../worker/model/config.ts";
import { timeAsyncCalls, timeCalls } from "./clock.ts";

type Kernel = (...args: number[]) => unknown;

interface Call {
  kernel: Kernel;
  args: number[];
}

export interface TranslationTimes {
  /** Milliseconds of a greedy translation, tokens in and tokens out. */
  ms: number;
  /** Of them in the kernels. */
  kernelMs: number;
  /** Calls of kernels in it. */
  calls: number;
}

const WARM_UP_RUNS = 20;
/** A kernel has fewer arguments; what is too many is ignored. */
const MAX_ARGUMENTS = 16;

export class ModelBench {
  readonly #model: Transformer;
  /** A second copy of the model, whose kernels note their calls. */
  readonly #recorded: Transformer;
  readonly #calls: Call[];

  private constructor(model: Transformer, recorded: Transformer, calls: Call[]) {
    this.#model = model;
    this.#recorded = recorded;
    this.#calls = calls;
  }

  /** @param weights the bytes of a `model.safetensors` */
  static async load(
    config: ModelConfig,
    weights: Uint8Array<ArrayBuffer>,
    kernels: WebAssembly.Module,
  ): Promise<ModelBench> {
    const load = () => loadTransformer(config, new Blob([weights]).stream(), kernels);
    const calls: Call[] = [];
    const { Instance } = WebAssembly;
    WebAssembly.Instance = recordingInstance(calls);
    let recorded: Transformer;
    try {
      recorded = await load();
    } finally {
      WebAssembly.Instance = Instance;
    }
    return new ModelBench(await load(), recorded, calls);
  }

  get memoryBytes(): number {
    return this.#model.memoryBytes;
  }

  /** @param source token ids without the end token @returns the best target's token ids */
  async translate(source: readonly number[], beamSize = 1): Promise<number[]> {
    const [[best] = []] = await generate(this.#model, [source], { beamSize });
    return best!.tokens;
  }

  /** Bursts of greedy translations of one source, and of their kernels alone. */
  async time(source: readonly number[], burstMs: number): Promise<TranslationTimes> {
    for (let i = 0; i < WARM_UP_RUNS; i++) await this.translate(source);
    this.#calls.length = 0;
    await generate(this.#recorded, [source], { beamSize: 1 });
    const calls = this.#calls.slice();
    const [ms, kernelMs] = await timeAsyncCalls([() => this.translate(source), () => playBack(calls)], burstMs);
    return { ms: ms!, kernelMs: kernelMs!, calls: calls.length };
  }

  /** @param source end token included @returns milliseconds of the encoder */
  timeEncoder(source: readonly number[], burstMs: number): number {
    const encode = () => this.#model.releaseSource(this.#model.encode(source));
    for (let i = 0; i < WARM_UP_RUNS; i++) encode();
    return timeCalls([encode], burstMs)[0]!;
  }

  /**
   * The logits after each token of a given target: [T + 1, vocab_size], the first after the start token.
   * @param source token ids without the end token
   */
  logits(source: readonly number[], target: readonly number[]): Float32Array {
    const { config } = this.#model;
    const encoded = this.#model.encode([...source, config.eos_token_id]);
    const cache = this.#model.createCache();
    const all = new Float32Array((target.length + 1) * config.vocab_size);
    let previous: Prefix | undefined;
    [config.bos_token_id, ...target].forEach((token, position) => {
      const prefix: Prefix = { token, previous, position, cacheRow: 0 };
      this.#model.step([{ source: encoded, prefix }], cache, 1);
      all.set(this.#model.logits(0), position * config.vocab_size);
      previous = prefix;
    });
    cache.release();
    this.#model.releaseSource(encoded);
    return all;
  }
}

/** Stands in for WebAssembly.Instance: its functions note each call before they make it. */
function recordingInstance(calls: Call[]): typeof WebAssembly.Instance {
  const { Instance } = WebAssembly;
  return class {
    readonly exports: WebAssembly.Exports;

    constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
      const wrapped: WebAssembly.Exports = {};
      for (const [name, value] of Object.entries(new Instance(module, imports).exports)) {
        if (typeof value !== "function") {
          wrapped[name] = value;
          continue;
        }
        const kernel = value as Kernel;
        wrapped[name] = (...args: number[]) => {
          const padded = args.concat(new Array(Math.max(0, MAX_ARGUMENTS - args.length)).fill(0));
          calls.push({ kernel, args: padded });
          return kernel(...args);
        };
      }
      this.exports = wrapped;
    }
  } as typeof WebAssembly.Instance;
}

/** Arguments one by one: spreading them would cost more than the call. */
function playBack(calls: Call[]): void {
  for (const { kernel, args: a } of calls) {
    // biome-ignore format: one line reads better
    kernel(a[0]!, a[1]!, a[2]!, a[3]!, a[4]!, a[5]!, a[6]!, a[7]!, a[8]!, a[9]!, a[10]!, a[11]!, a[12]!, a[13]!, a[14]!, a[15]!);
  }
}

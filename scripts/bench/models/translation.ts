/** Translation through the engine, timed, and of its time the kernels'. Runs unchanged in Node and in workerd. */
import type { Prefix } from "../../../worker/engine/cache.ts";
import { generate } from "../../../worker/engine/generate.ts";
import { loadTransformer } from "../../../worker/engine/load.ts";
import type { Transformer } from "../../../worker/engine/transformer.ts";
import type { TranslationConfig } from "../../../worker/model/config.ts";
import { timeAsyncCalls } from "../clock.ts";
import { streamOf } from "../stream.ts";
import { type Call, type KernelShare, kernelShares, loadRecorded, playBack, type Recorded } from "./recording.ts";

export interface RunTimes {
  /** Milliseconds of a run, tokens in and tokens or labels out. */
  ms: number;
  /** Of them in the kernels. */
  kernelMs: number;
}

const WARM_UP_RUNS = 20;
/** As the peer, which works out no log_probs either. */
const GREEDY = { beamSize: 1, shortlist: false, scores: false };

export class TranslationBench {
  readonly #model: Transformer;
  readonly #recorded: Recorded<Transformer>;

  private constructor(model: Transformer, recorded: Recorded<Transformer>) {
    this.#model = model;
    this.#recorded = recorded;
  }

  /** @param weights the bytes of a `model.safetensors` */
  static async load(
    config: TranslationConfig,
    weights: Uint8Array,
    kernels: WebAssembly.Module,
  ): Promise<TranslationBench> {
    const load = () => loadTransformer(config, streamOf(weights), kernels);
    return new TranslationBench(await load(), await loadRecorded(load));
  }

  /**
   * Over the whole vocabulary, as the peer.
   * @param source token ids without the end token
   * @returns the greedy target's token ids
   */
  async translate(source: readonly number[]): Promise<number[]> {
    const [[best] = []] = await generate(this.#model, [source], GREEDY);
    return best!.tokens;
  }

  /** Bursts of greedy translations of one source, and of their kernels alone. */
  async time(source: readonly number[], burstMs: number): Promise<RunTimes> {
    for (let i = 0; i < WARM_UP_RUNS; i++) await this.translate(source);
    const calls = await this.#record(source);
    const [ms, kernelMs] = await timeAsyncCalls([() => this.translate(source), () => playBack(calls)], burstMs);
    return { ms: ms!, kernelMs: kernelMs! };
  }

  async kernelShares(source: readonly number[], burstMs: number): Promise<KernelShare[]> {
    return kernelShares(await this.#record(source), burstMs);
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

  #record(source: readonly number[]): Promise<Call[]> {
    const { model, record } = this.#recorded;
    return record(() => generate(model, [source], GREEDY));
  }
}

/** The ONNX export of a model on the peer, in a process of its own. */
import type { ModelConfig } from "../../worker/model/config.ts";
import { exportOnnx } from "../export/onnx.ts";
import { serve } from "./child.ts";
import { timeAsyncCalls } from "./clock.ts";
import { Peer, type PeerName } from "./peer.ts";
import { indexOfLargest, PeerTranslator } from "./peer-translate.ts";

const WARM_UP_RUNS = 10;
let config: ModelConfig;
let translator: PeerTranslator;

/** Decodes a given target, whatever the peer itself would have chosen: the same work as ours, step by step. */
async function forceTarget(source: number[], target: number[], onLogits: (logits: Float32Array, step: number) => void) {
  let step = 0;
  const cross = await translator.encode([...source, config.eos_token_id]);
  await translator.decode(cross, target.length + 1, config.bos_token_id, (logits) => {
    onLogits(logits, step);
    return target[step++];
  });
}

export const methods = {
  /** @returns the version, or undefined if it is not installed */
  async load(name: PeerName, modelConfig: ModelConfig, weights: Uint8Array): Promise<string | undefined> {
    const peer = Peer.open(name);
    if (!peer) return undefined;
    config = modelConfig;
    translator = await PeerTranslator.load(config, exportOnnx(config, weights), peer);
    return peer.version;
  },
  /** @returns milliseconds of a translation with a given target, the choice of each token included */
  async time(source: number[], target: number[], burstMs: number): Promise<number> {
    const translate = () => forceTarget(source, target, indexOfLargest);
    for (let i = 0; i < WARM_UP_RUNS; i++) await translate();
    return (await timeAsyncCalls([translate], burstMs))[0]!;
  },
  async timeEncoder(source: number[], burstMs: number): Promise<number> {
    const encode = () => translator.encode(source);
    for (let i = 0; i < WARM_UP_RUNS; i++) await encode();
    return (await timeAsyncCalls([encode], burstMs))[0]!;
  },
  /** @returns [T + 1, vocab_size], the first after the start token */
  async logits(source: number[], target: number[]): Promise<Float32Array> {
    const all = new Float32Array((target.length + 1) * config.vocab_size);
    await forceTarget(source, target, (logits, step) => all.set(logits, step * config.vocab_size));
    return all;
  },
};

serve(methods);

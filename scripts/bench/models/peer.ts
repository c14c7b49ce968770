/** The ONNX exports of a model for each task on the peer, in a process of their own. */
import type { InferenceSession } from "onnxruntime-web";
import type { ClassificationConfig, TranslationConfig } from "../../../worker/model/config.ts";
import { N_GRAMS_OF_TOKEN, NGrams } from "../../../worker/model/n-grams.ts";
import { dequantizeModel } from "../../export/dequantize.ts";
import { exportClassification, exportTranslation, onnxRows } from "../../export/onnx.ts";
import { serve } from "../child.ts";
import { timeAsyncCalls } from "../clock.ts";
import { Peer, type PeerName } from "../onnxruntime.ts";
import { indexOfLargest, PeerTranslator } from "./peer-translation.ts";

const WARM_UP_RUNS = 10;
let peer: Peer;
let translation: { config: TranslationConfig; translator: PeerTranslator };
let classification: { config: ClassificationConfig; session: InferenceSession; nGrams: NGrams | undefined };

/** Decodes a given target, whatever the peer itself would have chosen: the same work as ours, step by step. */
async function forceTarget(source: number[], target: number[], onLogits: (logits: Float32Array, step: number) => void) {
  const { config, translator } = translation;
  let step = 0;
  const cross = await translator.encode([...source, config.eos_token_id]);
  await translator.decode(cross, target.length + 1, config.bos_token_id, (logits) => {
    onLogits(logits, step);
    return target[step++];
  });
}

async function classify(text: number[]): Promise<Float32Array[]> {
  const { config, session, nGrams } = classification;
  const outputs = await session.run({
    input_ids: peer.integers(text),
    ...(nGrams && { n_gram_rows: peer.integers(onnxRows(nGrams, text), N_GRAMS_OF_TOKEN) }),
  });
  return config.heads.map(({ name }) => outputs[`logits.${name}`]!.data as Float32Array);
}

async function timeRuns(run: () => Promise<unknown>, burstMs: number): Promise<number> {
  for (let i = 0; i < WARM_UP_RUNS; i++) await run();
  return (await timeAsyncCalls([run], burstMs))[0]!;
}

export const methods = {
  /** @returns the version, or undefined if it is not installed */
  open(name: PeerName): string | undefined {
    const found = Peer.open(name);
    if (found) peer = found;
    return found?.version;
  },
  async loadTranslation(config: TranslationConfig, weights: Uint8Array): Promise<void> {
    translation = { config, translator: await PeerTranslator.load(config, exportTranslation(config, weights), peer) };
  },
  async loadClassification(config: ClassificationConfig, weights: Uint8Array): Promise<void> {
    const tokens = dequantizeModel(config, weights).get("n_grams.tokens");
    classification = {
      config,
      session: await peer.createSession(exportClassification(config, weights)),
      nGrams: tokens && new NGrams(tokens, config.vocab_size),
    };
  },
  /** @returns milliseconds of a translation with a given target, the choice of each token included */
  timeTranslation: (source: number[], target: number[], burstMs: number): Promise<number> =>
    timeRuns(() => forceTarget(source, target, indexOfLargest), burstMs),
  timeClassification: (text: number[], burstMs: number): Promise<number> => timeRuns(() => classify(text), burstMs),
  /** @returns [T + 1, vocab_size], the first after the start token */
  async logits(source: number[], target: number[]): Promise<Float32Array> {
    const { vocab_size } = translation.config;
    const all = new Float32Array((target.length + 1) * vocab_size);
    await forceTarget(source, target, (logits, step) => all.set(logits, step * vocab_size));
    return all;
  },
  /** @returns for each head the logits of its labels, before the temperature */
  classify: (text: number[]): Promise<Float32Array[]> => classify(text),
};

serve(methods);

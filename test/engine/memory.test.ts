/**
 * Our own gate for the isolate's 128 MB, which a local workerd does not enforce: a model far above what we ship, its
 * longest request, and half of the limit.
 */
import { expect, it } from "vitest";
import { generate } from "../../worker/engine/generate.ts";
import { loadTransformer } from "../../worker/engine/load.ts";
import { type TranslationConfig, tensorSpecs } from "../../worker/model/config.ts";
import { kernelsOf, tinyConfig } from "./models.ts";
import { randomWeights } from "./random-weights.ts";

const LIMIT_BYTES = 64e6;
const PARAMETERS = 20e6;
const TOKENS = 128;

const config: TranslationConfig = {
  ...tinyConfig,
  ...{ d_model: 384, d_ff: 1536, n_heads: 6, n_enc_layers: 6, n_dec_layers: 6 },
  ...{ vocab_size: 16_000, max_seq_len: 256 },
};

/**
 * Bytes on the JS heap and in array buffers outside of it. Garbage that is not collected yet counts, too, so this is
 * more than what is alive. Wasm memory is not part of either; the model says how much it has.
 */
function heapBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

it(`a model of more than 20 M parameters, beam 4, ${TOKENS} tokens: at most 64 MB of wasm memory and heap`, async () => {
  const parameters = tensorSpecs(config).reduce((sum, { shape: [n, k = 1] }) => sum + n * k, 0);
  expect(parameters).toBeGreaterThan(PARAMETERS);
  const kernels = kernelsOf("relaxed");
  const before = heapBytes();
  // The weights' own generator runs in this process and leaves garbage behind that a Worker has not: looked at after.
  const model = await loadTransformer(config, randomWeights(config), kernels);
  let peak = 0;
  let running = true;
  const look = () => {
    peak = Math.max(peak, heapBytes() - before);
    if (running) setImmediate(look);
  };
  setImmediate(look);
  const source = Array.from({ length: TOKENS - 1 }, (_, i) => 3 + i);
  const [hypotheses] = await generate(model, [source], { beamSize: 4, maxTokens: TOKENS, macsPerTurn: 0 });
  running = false;
  expect(hypotheses!.map(({ tokens }) => tokens.length)).toEqual(new Array(4).fill(TOKENS));
  // Wasm memory never shrinks: what it is now is its peak.
  expect(model.memoryBytes + peak).toBeLessThanOrEqual(LIMIT_BYTES);
});

/** The float reference against two others: the training graph in jax-js, and plain loops over the definitions. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readFloatWeights } from "../../scripts/float/checkpoint.ts";
import { activate, attend, layerNorm, logSumExp, multiply, topK } from "../../scripts/float/kernels.ts";
import { FloatTransformer } from "../../scripts/float/transformer.ts";
import { writeCheckpoint } from "../../scripts/training/checkpoint.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { uniformStream } from "../../scripts/training/random.ts";
import { createReplica } from "../../scripts/training/replicas.ts";
import { type PairShape, translationBatches } from "../../scripts/training/translation-batches.ts";
import type { Prefix } from "../../worker/engine/cache.ts";
import { generate } from "../../worker/engine/generate.ts";
import type { TranslationConfig } from "../../worker/model/config.ts";
import { reversals, TINY } from "../training/tiny.ts";

const progress = { step: 0, epoch: 0, group: 0, bestScore: 0, bestStep: 0, elapsedS: 0 };
const start = (config: TranslationConfig): Prefix => ({
  token: config.bos_token_id,
  previous: undefined,
  position: 0,
  cacheRow: 0,
});
const uniform = uniformStream(5);
const random = (length: number) => Float32Array.from({ length }, () => 2 * uniform() - 1);

/** Random weights with biases and norms away from 0 and 1, so that a missing one shows. */
function randomParameters(config: TranslationConfig): Float32Array {
  const slices = parameterSlices(config);
  const parameters = new Float32Array(parameterCount(slices));
  initializeParameters(parameters, slices, config, 3);
  for (const { kind, offset, length } of slices) {
    if (kind === "matrix" || kind === "positions") continue;
    for (let i = offset; i < offset + length; i++) parameters[i]! += uniform() - 0.5;
  }
  return parameters;
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-slm-float-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function load(config: TranslationConfig, parameters: Float32Array): Promise<FloatTransformer> {
  const path = join(folder, "best.safetensors");
  await writeCheckpoint(path, config, parameters, progress);
  return new FloatTransformer(config, await readFloatWeights(path, config));
}

/** log p(target, end | source) */
function logProbOf(model: FloatTransformer, source: number[], target: number[]): number {
  const { config } = model;
  const encoded = model.encode([...source, config.eos_token_id]);
  const cache = model.createCache();
  let prefix = start(config);
  let sum = 0;
  for (const token of [...target, config.eos_token_id]) {
    const logits = model.logits([{ source: encoded, prefix }], cache);
    sum += logits[token]! - logSumExp(logits, 0, config.vocab_size);
    prefix = { token, previous: prefix, position: prefix.position + 1, cacheRow: 0 };
  }
  return sum;
}

describe("FloatTransformer", () => {
  test.each(["relu", "gelu"] as const)("gives the training graph's loss (%s)", async (activation) => {
    const config: TranslationConfig = { ...TINY, activation, n_enc_layers: 2, n_dec_layers: 2 };
    const parameters = randomParameters(config);
    const pairs = reversals(6, 11, 4);
    const shape: PairShape = { rows: 2, sourceLength: 16, targetLength: 16 };
    const replica = await createReplica({
      device: "cpu",
      objective: { kind: "translation", config },
      regularization: { dropout: 0, labelSmoothing: 0 },
    });
    const [group] = [...translationBatches(pairs, shape, config, 1, 1)];
    const { loss, count } = await replica.loss(parameters, group![0]!);
    const model = await load(config, parameters);
    const total = pairs.reduce((sum, { source, target }) => sum - logProbOf(model, source, target), 0);
    expect(count).toBe(pairs.reduce((sum, { target }) => sum + target.length + 1, 0));
    expect(Math.abs(total - loss) / count).toBeLessThan(1e-5);
  });

  test("rows of one step do not see each other", async () => {
    const model = await load(TINY, randomParameters(TINY));
    const [a, b] = [model.encode([5, 6, 7, 2]), model.encode([8, 2])];
    const row = (source: typeof a, token: number) => ({ source, prefix: { ...start(TINY), token } });
    const together = model.logits([row(a, 1), row(b, 4), row(a, 9), row(b, 9), row(b, 1)], model.createCache());
    [row(a, 1), row(b, 4), row(a, 9), row(b, 9), row(b, 1)].forEach((alone, r) => {
      const expected = model.logits([alone], model.createCache());
      expect(together.subarray(r * TINY.vocab_size, (r + 1) * TINY.vocab_size)).toEqual(expected);
    });
  });

  test("is decoded by the Worker's search", async () => {
    const model = await load(TINY, randomParameters(TINY));
    const sources = [[5, 6, 7], [8], [9, 10, 11, 12]];
    const results = await generate(model, sources, { beamSize: 3, lengthPenalty: 1 });
    for (const [i, hypotheses] of results.entries()) {
      for (const { tokens, logProb, score, finished } of hypotheses.filter((h) => h.finished)) {
        expect(logProb).toBeCloseTo(logProbOf(model, sources[i]!, tokens), 4);
        expect(score).toBeCloseTo(logProb / (tokens.length + (finished ? 1 : 0)), 6);
      }
    }
  });

  test("refuses what the model has no place for", async () => {
    const model = await load(TINY, randomParameters(TINY));
    expect(() => model.encode([])).toThrow("FloatTransformer.encode: expected 1…32 tokens, got 0");
    expect(() => model.encode(new Array(33).fill(3))).toThrow("expected 1…32 tokens, got 33");
    expect(() => model.encode([20])).toThrow("expected token ids in 0…19, got 20");
  });
});

describe("readFloatWeights", () => {
  const file = () => join(folder, "broken.safetensors");

  test("a checkpoint of another size", async () => {
    await writeCheckpoint(file(), TINY, randomParameters(TINY), progress);
    await expect(readFloatWeights(file(), { ...TINY, vocab_size: 24 })).rejects.toThrow(
      /broken\.safetensors: expected a float checkpoint of this model; embedding\.weight: expected F32 \[24,32\], got F32 \[20,32\]$/,
    );
  });

  test("a checkpoint cut short, one that is no checkpoint, and none", async () => {
    await writeCheckpoint(file(), TINY, randomParameters(TINY), progress);
    const whole = await readFile(file());
    await writeFile(file(), whole.subarray(0, whole.length - 8));
    await expect(readFloatWeights(file(), TINY)).rejects.toThrow(
      `expected ${whole.length} bytes, got ${whole.length - 8}`,
    );
    await writeFile(file(), "not a checkpoint");
    await expect(readFloatWeights(file(), TINY)).rejects.toThrow("expected a float checkpoint of this model;");
    await expect(readFloatWeights(join(folder, "none"), TINY)).rejects.toThrow("ENOENT");
  });
});

describe("kernels", () => {
  test("multiply, for row counts around its block of four", () => {
    const [n, k] = [5, 7];
    const [weight, bias] = [random(n * k), random(n)];
    for (let m = 1; m <= 9; m++) {
      const x = random(m * k);
      const out = new Float32Array(2 + m * 8).fill(9);
      multiply({ n, k, weight, bias }, m, x, out, 2, 8);
      for (let row = 0; row < m; row++) {
        for (let channel = 0; channel < 8; channel++) {
          let expected = channel < n ? bias[channel]! : 9;
          for (let i = 0; channel < n && i < k; i++) expected += x[row * k + i]! * weight[channel * k + i]!;
          if (2 + row * 8 + channel < out.length) expect(out[2 + row * 8 + channel]).toBeCloseTo(expected, 5);
        }
      }
    }
  });

  test("layerNorm leaves mean 0 and variance 1, then scales", () => {
    const out = new Float32Array(8);
    const norm = { weight: new Float32Array(4).fill(2), bias: new Float32Array(4).fill(3) };
    layerNorm(norm, 2, 0, Float32Array.of(1, 2, 3, 4, 10, 10, 30, 30), out);
    const expected = [-1.341641, -0.447214, 0.447214, 1.341641, -1, -1, 1, 1].map((value) => 3 + 2 * value);
    expected.forEach((value, i) => {
      expect(out[i]).toBeCloseTo(value, 5);
    });
  });

  test("activate", () => {
    const [relu, gelu] = [Float32Array.of(-2, 0, 3), Float32Array.of(-1, 0, 1, 10)];
    activate("relu", relu, 3);
    activate("gelu", gelu, 4);
    expect([...relu]).toEqual([0, 0, 3]);
    // Values of the tanh form, as PyTorch's gelu(approximate="tanh") documents it.
    [-0.158808, 0, 0.841192, 10].forEach((value, i) => {
      expect(gelu[i]).toBeCloseTo(value, 5);
    });
  });

  test("attend: equal keys give the mean of the values, a strong key its own value", () => {
    // Two positions, two heads of one channel: rows [key, value].
    const data = Float32Array.of(0, 100, 4, 6, 0, 0, 8, 2);
    const out = new Float32Array(2);
    attend(2, 2, Float32Array.of(1, 1), 0, { data, rows: [0, 4], length: 2, keyOffset: 0 }, out, 0);
    expect([...out]).toEqual([6, 6]);
  });

  test("topK, of equal values the first", () => {
    const x = Float32Array.of(9, 1, 5, 3, 5, -1, 5);
    const [values, indices] = [new Float64Array(5), new Int32Array(5)];
    topK(x, 1, 6, 4, values, indices, 1);
    expect([...values]).toEqual([0, 5, 5, 5, 3]);
    expect([...indices]).toEqual([0, 1, 3, 5, 2]);
    expect(logSumExp(Float32Array.of(0, 1000, 1000), 1, 2)).toBeCloseTo(1000 + Math.log(2), 10);
  });
});

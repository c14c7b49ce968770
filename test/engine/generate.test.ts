/** generate() against beam search over the naive reference model, and what a server needs of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BeamSearch, type Hypothesis } from "../../worker/engine/beam.ts";
import type { Prefix } from "../../worker/engine/cache.ts";
import { type GenerateOptions, generate } from "../../worker/engine/generate.ts";
import { logSumExp, topK } from "../reference.ts";
import { BUILDS, loadTiny, referenceTiny, tinyConfig, tinyWeights } from "./models.ts";

const ids = fc.integer({ min: 3, max: tinyConfig.vocab_size - 1 });
const source = fc.array(ids, { maxLength: 9 });
const sample = (count: number): number[][] => fc.sample(source, { numRuns: count, seed: 5 });

function tokensOf(prefix: Prefix): number[] {
  return prefix.previous ? [...tokensOf(prefix.previous), prefix.token] : [prefix.token];
}

/** One sentence by full recomputation of each hypothesis at each step. */
function referenceGenerate(
  tokens: readonly number[],
  options: GenerateOptions,
  activation: "relu" | "gelu",
): Hypothesis[] {
  const model = referenceTiny({ activation });
  const { beamSize = 1, lengthPenalty = 1, maxTokens = 8 } = options;
  const { bos_token_id: bosTokenId, eos_token_id: eosTokenId, vocab_size } = tinyConfig;
  const search = new BeamSearch({ beamSize, lengthPenalty, maxTokens, bosTokenId, eosTokenId });
  const encoded = model.encode([...tokens, eosTokenId]);
  const k = BeamSearch.candidates(beamSize, vocab_size);
  while (!search.done) {
    const best = search.live.flatMap(({ prefix }) => {
      const logits = model.decode(encoded, tokensOf(prefix)).at(-1)!;
      const sum = logSumExp(logits);
      return topK(logits, k).map((token) => ({ token, logProb: logits[token]! - sum }));
    });
    search.advance(
      best.map(({ token }) => token),
      best.map(({ logProb }) => logProb),
      k,
      0,
    );
  }
  return search.hypotheses();
}

describe.each(BUILDS)("%s build", (build) => {
  it.each(["gelu", "relu"] as const)("equals the reference to the bit, %s", async (activation) => {
    const model = await loadTiny(build, { activation });
    const options = fc.record({
      beamSize: fc.integer({ min: 1, max: 4 }),
      lengthPenalty: fc.constantFrom(0, 0.6, 1),
      maxTokens: fc.integer({ min: 1, max: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(source, options, async (tokens, chosen) => {
        expect(await generate(model, [tokens], chosen)).toEqual([referenceGenerate(tokens, chosen, activation)]);
      }),
      { numRuns: 8 },
    );
  });
});

describe("generate", () => {
  it("gives the same tokens without scores, greedy only", async () => {
    const model = await loadTiny();
    const sources = sample(20);
    const scored = await generate(model, sources, { beamSize: 1 });
    const bare = await generate(model, sources, { beamSize: 1, scores: false });
    expect(bare).toEqual(scored.map((best) => best.map((one) => ({ ...one, logProb: NaN, score: NaN }))));
    await expect(generate(model, sources, { beamSize: 2, scores: false })).rejects.toThrow(
      "generate: scores false needs beamSize 1, got 2",
    );
  });

  it("gives a sentence of a batch what it gives the sentence alone", async () => {
    const model = await loadTiny();
    const sources = sample(30);
    for (const beamSize of [1, 3]) {
      const batch = await generate(model, sources, { beamSize });
      for (const [i, one] of sources.entries()) {
        expect(await generate(model, [one], { beamSize })).toEqual([batch[i]]);
      }
    }
    expect(await generate(model, [], {})).toEqual([]);
  });

  it("runs several requests side by side, and the event loop between their steps", async () => {
    const model = await loadTiny();
    const requests = [1, 4, 2].map((beamSize) => ({
      beamSize,
      sources: sample(40 / beamSize).map((s) => s.toReversed()),
    }));
    const alone: Hypothesis[][][] = [];
    for (const { sources, beamSize } of requests) alone.push(await generate(model, sources, { beamSize }));
    let turns = 0;
    let running = true;
    const count = () => {
      turns++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    const together = await Promise.all(
      [...requests, ...requests].map(({ sources, beamSize }) => generate(model, sources, { beamSize, macsPerTurn: 0 })),
    );
    running = false;
    expect(together).toEqual([...alone, ...alone]);
    expect(turns).toBeGreaterThan(50);
  });

  it("tells each token as it comes, greedy", async () => {
    const model = await loadTiny();
    const told: number[][] = [[], [], []];
    const onToken = (sentence: number, token: number) => told[sentence]!.push(token);
    const results = await generate(model, sample(3), { beamSize: 1, onToken });
    expect(told).toEqual(results.map(([best]) => best!.tokens));
  });

  it("stops when it is aborted, and keeps no memory", async () => {
    const model = await loadTiny();
    const reason = new Error("client left");
    await expect(generate(model, sample(2), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const sources = sample(200);
    await generate(model, sources, { beamSize: 4 });
    const { memoryBytes, allocatedBytes } = model;
    for (let i = 0; i < 3; i++) {
      const controller = new AbortController();
      setImmediate(() => controller.abort(reason));
      const options = { beamSize: 4, signal: controller.signal, macsPerTurn: 1e6 };
      await expect(generate(model, sources, options)).rejects.toBe(reason);
      expect(model.allocatedBytes).toBe(allocatedBytes);
    }
    expect(model.memoryBytes).toBe(memoryBytes);
  });

  it("stays within three times the model's bytes with one request in flight", async () => {
    const model = await loadTiny();
    await generate(model, [Array.from({ length: 40 }, (_, i) => 10 + i)], { beamSize: 4 });
    expect(model.memoryBytes).toBeLessThanOrEqual(3 * tinyWeights.length);
  });

  it("names what is wrong with its arguments", async () => {
    const model = await loadTiny();
    const { max_seq_len, vocab_size } = tinyConfig;
    await expect(generate(model, [new Array(max_seq_len).fill(5)], {})).rejects.toThrow(
      `expected 1…${max_seq_len} tokens, got ${max_seq_len + 1}`,
    );
    await expect(generate(model, [[vocab_size]], {})).rejects.toThrow(`got ${vocab_size}`);
    await expect(generate(model, [[5]], { beamSize: 0 })).rejects.toThrow("beamSize in 1…32, got 0");
    await expect(generate(model, [[5]], { maxTokens: 0.5 })).rejects.toThrow("maxTokens");
    await expect(generate(model, [[5]], { lengthPenalty: -1 })).rejects.toThrow("lengthPenalty");
    await expect(generate(model, [[5]], { beamSize: 2, onToken: () => {} })).rejects.toThrow(
      "onToken needs beamSize 1",
    );
  });

  it("never passes the model's longest sequence", async () => {
    const model = await loadTiny();
    const [[best] = []] = await generate(model, [[262]], { beamSize: 1, maxTokens: 10_000 });
    expect(best!.tokens.length).toBeLessThanOrEqual(tinyConfig.max_seq_len);
  });
});

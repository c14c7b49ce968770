/** align() against attention over the naive reference model, and what a server needs of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { align } from "../../worker/engine/align.ts";
import { generate } from "../../worker/engine/generate.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { tokenWords, wordWeights } from "../../worker/text/token-words.ts";
import { loadTiny, referenceTiny, tinyConfig, tinyTokenizerJson } from "./models.ts";

const ids = fc.integer({ min: 3, max: tinyConfig.vocab_size - 1 });
const source = fc.array(ids, { maxLength: 9 });
const target = fc.array(ids, { maxLength: 6 });

describe("align", () => {
  it("is the reference's cross-attention, and the same bits in both builds", async () => {
    const relaxed = await loadTiny("relaxed");
    const simd = await loadTiny("simd");
    const reference = referenceTiny();
    const { bos_token_id, eos_token_id } = tinyConfig;
    await fc.assert(
      fc.asyncProperty(source, target, async (from, to) => {
        const weights = await align(relaxed, from, to);
        expect(await align(simd, from, to)).toEqual(weights);
        const looked: number[][] = [];
        reference.decode(reference.encode([...from, eos_token_id]), [bos_token_id, ...to], looked);
        expect(weights.map(({ length }) => length)).toEqual(to.map(() => from.length));
        for (const [t, row] of weights.entries()) {
          for (const [s, weight] of row.entries()) expect(Math.abs(weight - looked[t]![s]!)).toBeLessThan(2e-5);
        }
      }),
      { numRuns: 12 },
    );
  });

  it("leaves other requests and the model's memory as they were", async () => {
    const model = await loadTiny();
    const [from, to] = [fc.sample(ids, { numRuns: 8, seed: 1 }), fc.sample(ids, { numRuns: 6, seed: 2 })];
    const alone = await generate(model, [from], { beamSize: 3 });
    const weights = await align(model, from, to);
    const { allocatedBytes } = model;
    const turns = { macsPerTurn: 0 };
    const together = await Promise.all([
      align(model, from, to, turns),
      generate(model, [from], { beamSize: 3, ...turns }),
      align(model, from, to, turns),
    ]);
    expect(together).toEqual([weights, alone, weights]);
    const reason = new Error("client left");
    await expect(align(model, from, to, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    setImmediate(() => controller.abort(reason));
    await expect(align(model, from, to, { signal: controller.signal, macsPerTurn: 0 })).rejects.toBe(reason);
    expect(model.allocatedBytes).toBe(allocatedBytes);
    await expect(align(model, from, new Array(tinyConfig.max_seq_len + 1).fill(5))).rejects.toThrow("target tokens");
  });
});

describe("tokenWords", () => {
  const tokenizer = Tokenizer.fromJson(tinyTokenizerJson);

  it("finds words and marks, and the token that ends each", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z ,.é✓👍]{1,30}$/u), (text) => {
        const tokens = tokenizer.encode(text);
        const { words, wordOf } = tokenWords(tokens, "en", tokenizer);
        expect(words.join("")).toBe(tokenizer.decode(tokens));
        expect(wordOf).toEqual(wordOf.toSorted((a, b) => a - b));
        expect(wordOf.length).toBe(tokens.length);
        if (tokens.length > 0) expect(wordOf.at(-1)).toBe(words.length - 1);
      }),
      { numRuns: 60 },
    );
    const { words } = tokenWords(tokenizer.encode("Two dogs, (one) runs."), "en", tokenizer);
    expect(words.map((word) => word.trim())).toEqual(["Two", "dogs", ",", "(", "one", ")", "runs", "."]);
  });

  it("adds up a word's weights over its source tokens, and takes the mean over its target tokens", () => {
    const from = { words: ["a", "b"], wordOf: [0, 0, 1] };
    const to = { words: ["x", "y"], wordOf: [0, 1, 1] };
    const spanning = { words: ["x", "!", "y"], wordOf: [0, 2, 2] };
    const weights = [
      [0.25, 0.25, 0.5],
      [0, 0.5, 0.25],
      [0.5, 0, 0.25],
    ].map((row) => Float32Array.from(row));
    expect(wordWeights(weights, from, to)).toEqual([
      [0.5, 0.5],
      [0.5, 0.25],
    ]);
    // Special tokens alone have no words.
    const none = { words: [], wordOf: [0, 0, 0] };
    expect(wordWeights(weights, from, none)).toEqual([]);
    expect(wordWeights(weights, none, to)).toEqual([[], []]);
    expect(wordWeights(weights, from, spanning)).toEqual([
      [0.5, 0.5],
      [0.5, 0.25],
      [0.5, 0.25],
    ]);
  });
});

/** The recommender against the naive reference, what may come out of it, and the memory of a large catalogue. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeRandomRecommender } from "../../scripts/bench/random-model.ts";
import { loadRecommender } from "../../worker/engine/load.ts";
import { memoryOf } from "../../worker/loaded-model.ts";
import { neighbourTensors, readHeader, type Tensor } from "../../worker/model/format.ts";
import { Catalogue, MAX_RECOMMENDER_BYTES, recommenderBytes } from "../../worker/model/items.ts";
import type { Manifest } from "../../worker/model/manifest.ts";
import { makeModel } from "../fixtures/tiny-model.ts";
import golden from "../fixtures/tiny-recommender/golden.json" with { type: "json" };
import {
  BUILDS,
  kernelsOf,
  loadTinyRecommender,
  recommenderConfig,
  recommenderWeights,
  referenceRecommender,
  streamOf,
} from "./models.ts";

const { vocab_size, max_seq_len } = recommenderConfig;
const item = fc.integer({ min: 0, max: vocab_size - 1 });
const histories = fc.array(item, { minLength: 1, maxLength: max_seq_len });

describe.each(BUILDS)("%s build", (build) => {
  it("says exactly what the golden file says", async () => {
    const model = await loadTinyRecommender(build);
    for (const { history, logits } of golden) expect([...model.score(history)]).toEqual(logits);
  });

  it("equals the reference to the bit", async () => {
    const model = await loadTinyRecommender(build);
    const reference = referenceRecommender();
    fc.assert(
      fc.property(histories, (history) => {
        expect(model.score(history)).toEqual(reference.next(history).slice(0, vocab_size));
      }),
      { numRuns: 15 },
    );
  });
});

describe("recommend", () => {
  it("ranks what may come out as sorting does, with probabilities that sum up to 1", async () => {
    const model = await loadTinyRecommender();
    const rows = fc.uniqueArray(item);
    fc.assert(
      fc.property(histories, rows, fc.option(rows, { nil: undefined }), (history, except, only) => {
        const logits = model.score(history);
        const allowed = (only ?? [...logits.keys()]).filter((row) => !except.includes(row));
        const sorted = allowed.sort((a, b) => logits[b]! - logits[a]!);
        const { items, logProbs } = model.recommend(history, { k: vocab_size, except, ...(only && { only }) });
        expect(items.map((row) => logits[row])).toEqual(sorted.map((row) => logits[row]));
        expect(new Set(items)).toEqual(new Set(allowed));
        if (items.length > 0) expect(logProbs.reduce((sum, p) => sum + Math.exp(p), 0)).toBeCloseTo(1, 4);
      }),
      { numRuns: 60 },
    );
  });

  it("gives no more than k, and forgets what the last call left out", async () => {
    const model = await loadTinyRecommender();
    const whole = model.recommend([1, 2], { k: 5 });
    const without = model.recommend([1, 2], { k: 5, except: whole.items });
    expect(whole.items).toHaveLength(5);
    expect(without.items).toHaveLength(5);
    expect(without.items.some((row) => whole.items.includes(row))).toBe(false);
    expect(model.recommend([1, 2], { k: 5 })).toEqual(whole);
  });

  it("holds no more memory after many calls than after the first", async () => {
    const model = await loadTinyRecommender();
    const call = () => model.recommend([1, 2, 3], { k: 3, except: [4], only: [3, 4, 5, 6] });
    call();
    const { allocatedBytes } = model;
    for (let i = 0; i < 50; i++) call();
    expect(model.allocatedBytes).toBe(allocatedBytes);
  });

  it("refuses histories that cannot be read", async () => {
    const model = await loadTinyRecommender();
    expect(() => model.recommend([], { k: 1 })).toThrow(RangeError);
    expect(() => model.recommend(Array(max_seq_len + 1).fill(0), { k: 1 })).toThrow(/expected 1…12/);
    expect(() => model.recommend([vocab_size], { k: 1 })).toThrow(/expected token ids in 0…36, got 37/);
  });

  it("says how much of a recommendation each item of the history is", async () => {
    const model = await loadTinyRecommender();
    const [own, other] = model.influences([7, 8, 9], [8, 20]);
    // Nothing is nearer to an item than itself.
    expect(own!.indexOf(Math.max(...own!))).toBe(1);
    for (const shares of [own!, other!]) {
      expect([0, 1]).toContain(Math.round(shares.reduce((sum, share) => sum + share, 0) * 1e6) / 1e6);
    }
    expect([...model.attention([7, 8, 9])].reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 5);
  });
});

describe("nearest neighbours beside the network", () => {
  const COUNT = 16;
  const neighbours = { count: COUNT, decay: 0.5, factor: 100, weight: 0.75 };
  const config = { ...recommenderConfig, neighbours };
  /** Every item is near to the three after it, the next most. */
  const lists = Array.from({ length: vocab_size }, (_, row) =>
    [1, 2, 3].map((step) => ({ item: (row + step) % vocab_size, nearness: 0.4 / step })),
  );
  const load = () => {
    const file = makeModel([...makeTensorsOf(recommenderWeights), ...neighbourTensors(lists, COUNT)]);
    return loadRecommender(config, streamOf(file), kernelsOf("relaxed"));
  };

  it("raise the logits of what is near to the history", async () => {
    const [plain, model] = [await loadTinyRecommender(), await load()];
    fc.assert(
      fc.property(histories, (history) => {
        const expected = plain.score(history);
        const near = new Float64Array(vocab_size);
        history.forEach((own, i) => {
          for (const { item, nearness } of lists[own]!) {
            // As they are stored: whole 127ths of the nearest.
            const stored = Math.round((nearness / 0.4) * 127) * (0.4 / 127);
            near[item]! += neighbours.decay ** (history.length - 1 - i) * stored;
          }
        });
        near.forEach((k, item) => {
          expected[item]! += neighbours.weight * Math.log1p(neighbours.factor * k);
        });
        const logits = model.score(history);
        logits.forEach((logit, item) => {
          expect(logit).toBeCloseTo(expected[item]!, 4);
        });
      }),
      { numRuns: 20 },
    );
  });

  it("are refused if the file has others than the configuration says", async () => {
    const file = makeModel([...makeTensorsOf(recommenderWeights), ...neighbourTensors(lists, 32)]);
    const loading = loadRecommender(config, streamOf(file), kernelsOf("relaxed"));
    await expect(loading).rejects.toThrow(/neighbours\.items: expected I32 \[48,16\], got I32 \[48,32\]/);
    const without = loadRecommender(config, streamOf(recommenderWeights), kernelsOf("relaxed"));
    await expect(without).rejects.toThrow(/neighbours\.items: expected I32 \[48,16\], got undefined/);
  });
});

/** The tensors of a file, as they stand in it. */
function makeTensorsOf(file: Uint8Array): Tensor[] {
  const { tensors, dataByteOffset } = readHeader(file);
  const types = { F32: Float32Array, I32: Int32Array, I8: Int8Array };
  return [...tensors].map(([name, { dtype, shape, byteOffset, byteLength }]) => {
    const start = dataByteOffset + byteOffset;
    return { name, shape, data: new types[dtype](file.slice(start, start + byteLength).buffer) };
  });
}

it("a million items answer within the memory that recommenderBytes promises", async () => {
  const ITEMS = 1_000_000;
  const { config, weights } = makeRandomRecommender(ITEMS, 32);
  const ids = new TextEncoder().encode(Array.from({ length: ITEMS }, (_, i) => `item-${i}\n`).join(""));
  const engine = await loadRecommender(config, streamOf(weights, 1 << 20), kernelsOf("relaxed"));
  const catalogue = new Catalogue(ids, ITEMS);
  const { items } = engine.recommend(
    Array.from({ length: 50 }, (_, i) => i * 20_000),
    { k: 10, except: [0, 20_000] },
  );
  expect(new Set(items).size).toBe(10);
  expect(catalogue.rowOf(catalogue.idOf(items[0]!))).toBe(items[0]);
  const used = memoryOf({ manifest: {} as Manifest<"recommendation">, engine, catalogue });
  expect(used).toBeLessThanOrEqual(MAX_RECOMMENDER_BYTES);
  // A page of wasm memory is 64 kB.
  expect(Math.abs(used - recommenderBytes(config, ids.length))).toBeLessThan(200_000);
});

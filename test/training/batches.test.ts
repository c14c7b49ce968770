import { expect, test } from "vitest";
import { fits } from "../../scripts/training/batches.ts";
import {
  packingFigures,
  pairPacking,
  type TokenPair,
  translationBatches,
} from "../../scripts/training/translation-batches.ts";
import { reversals, TINY } from "./tiny.ts";

const shape = { rows: 4, sourceLength: 16, targetLength: 16 };

/** Reads the pairs back out of an epoch's batches, and checks each array against the others. */
function unpack(pairs: TokenPair[], seed: number, replicas: number): string[] {
  const found: string[] = [];
  for (const batches of translationBatches(pairs, shape, TINY, seed, replicas)) {
    expect(batches).toHaveLength(replicas);
    for (const { arrays, count } of batches) {
      const batch = Object.fromEntries(Object.entries(arrays).map(([name, { data }]) => [name, data]));
      let tokens = 0;
      for (let row = 0; row < shape.rows; row++) {
        for (let segment = 1; segment <= Math.max(...batch.targetSegment!); segment++) {
          const at = (segments: Int32Array, length: number) =>
            [...Array(length).keys()].map((i) => row * length + i).filter((i) => segments[i] === segment);
          const sources = at(batch.sourceSegment!, shape.sourceLength);
          const targets = at(batch.targetSegment!, shape.targetLength);
          if (targets.length === 0) continue;
          const source = sources.map((i) => batch.source![i]!);
          const label = targets.map((i) => batch.label![i]!);
          expect(source.pop()).toBe(TINY.eos_token_id);
          expect(label.pop()).toBe(TINY.eos_token_id);
          expect(targets.map((i) => batch.target![i])).toEqual([TINY.bos_token_id, ...label]);
          expect(sources.map((i) => batch.sourcePosition![i])).toEqual([...sources.keys()]);
          expect(targets.map((i) => batch.targetPosition![i])).toEqual([...targets.keys()]);
          tokens += targets.length;
          found.push(`${source}>${label}`);
        }
      }
      expect(count).toBe(tokens);
    }
  }
  return found;
}

test("an epoch holds every pair once, whatever the number of replicas", () => {
  const pairs = reversals(103, 1);
  const expected = pairs.map(({ source, target }) => `${source}>${target}`).sort();
  expect(unpack(pairs, 5, 1).sort()).toEqual(expected);
  expect(unpack(pairs, 5, 3).sort()).toEqual(expected);
});

test("the order follows from the seed and differs between seeds", () => {
  const pairs = reversals(50, 1);
  expect(unpack(pairs, 5, 2)).toEqual(unpack(pairs, 5, 2));
  expect(unpack(pairs, 5, 2)).not.toEqual(unpack(pairs, 6, 2));
});

test("a pair as long as a row has no room for its eos", () => {
  const source = Array<number>(16).fill(3);
  expect(fits({ source, target: [3] }, pairPacking(shape))).toBe(false);
  expect(fits({ source: source.slice(1), target: [3] }, pairPacking(shape))).toBe(true);
});

test("packing leaves little padding", () => {
  const { groups, realShare, tokens } = packingFigures(reversals(2000, 3), shape, 2);
  expect(tokens).toBe(reversals(2000, 3).reduce((sum, pair) => sum + pair.target.length + 1, 0));
  expect(groups).toBe(Math.ceil(tokens / realShare / 16 / 8 - 1e-6));
  expect(realShare).toBeGreaterThan(0.9);
});

import { expect, test } from "vitest";
import { uniformStream } from "../../scripts/training/random.ts";
import { tokenVectors } from "../../scripts/training/token-vectors.ts";

const GROUPS = 6;
const PER_GROUP = 5;
const SIZE = 8;
const vocabSize = GROUPS * PER_GROUP + 2;

/** Texts whose tokens are all of one group. */
function groupedTexts(count: number): number[][] {
  const uniform = uniformStream(3);
  return Array.from({ length: count }, () => {
    const group = Math.floor(uniform() * GROUPS);
    return Array.from({ length: 7 }, () => group * PER_GROUP + Math.floor(uniform() * PER_GROUP));
  });
}

const vectors = tokenVectors(groupedTexts(600), { vocabSize, size: SIZE, seed: 1, contexts: 32 });
const vectorOf = (token: number) => vectors.subarray(token * SIZE, (token + 1) * SIZE);
const cosine = (a: number, b: number) => vectorOf(a).reduce((sum, x, i) => sum + x * vectorOf(b)[i]!, 0);

test("tokens that stand beside the same ones have like vectors, others do not", () => {
  for (let a = 0; a < GROUPS * PER_GROUP; a++) {
    expect(cosine(a, a)).toBeCloseTo(1, 5);
    for (let b = 0; b < a; b++) {
      const same = Math.floor(a / PER_GROUP) === Math.floor(b / PER_GROUP);
      if (same) expect(cosine(a, b), `${a} and ${b}`).toBeGreaterThan(0.8);
      else expect(Math.abs(cosine(a, b)), `${a} and ${b}`).toBeLessThan(0.2);
    }
  }
});

test("a token that is never seen has no vector", () => {
  expect([...vectorOf(vocabSize - 1)]).toEqual(new Array(SIZE).fill(0));
});

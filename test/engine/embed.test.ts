/** The vectors of the engine beside the naive reference's, to the bit, in both builds of the kernels. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { embed, meanOfWindows, normalize } from "../../worker/engine/embed.ts";
import { bits } from "../kernels/harness.ts";
import { BUILDS, loadTinyEmbedder } from "./models.ts";

interface Golden {
  text: string;
  tokens: number[];
  vector: number[];
}
const path = new URL("../fixtures/tiny-embedder/golden.json", import.meta.url);
const golden = JSON.parse(readFileSync(path, "utf8")) as Golden[];

describe.each(BUILDS)("%s", (build) => {
  it("has the golden vectors, whatever a text is packed with", async () => {
    const model = await loadTinyEmbedder(build);
    const together = await embed(
      model,
      golden.map(({ tokens }) => tokens),
    );
    for (const [i, { tokens, vector }] of golden.entries()) {
      expect(bits(together[i]!)).toEqual(bits(Float32Array.from(vector)));
      expect(bits((await embed(model, [tokens]))[0]!)).toEqual(bits(together[i]!));
      expect(together[i]!.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 5);
    }
  });
});

it("refuses a text that is too long, and stops when it is told to", async () => {
  const model = await loadTinyEmbedder();
  await expect(embed(model, [new Array(model.maxTokens + 1).fill(5)])).rejects.toThrow(RangeError);
  const signal = AbortSignal.abort(new Error("left"));
  await expect(embed(model, [[5]], { signal })).rejects.toThrow("left");
});

it("takes the mean of windows by their tokens, and keeps zeros", () => {
  const [x, y] = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
  expect([...meanOfWindows([x, y], [3, 4])]).toEqual([0.6, 0.8].map(Math.fround));
  expect(meanOfWindows([x], [9])).toBe(x);
  expect(() => meanOfWindows([], [])).toThrow(RangeError);
  expect([...normalize(new Float32Array(2))]).toEqual([0, 0]);
  expect(() => normalize(Float32Array.of(Number.NaN))).toThrow(/damaged/);
});

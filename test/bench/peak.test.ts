import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { buildPeaks, peakPath } from "../../scripts/bench/kernels/peak.ts";
import { BUILDS } from "../engine/models.ts";

const BYTES = 256;
const REPEATS = 3;
const w = Int8Array.from({ length: BYTES }, (_, i) => (i * 37) & 127);

beforeAll(() => buildPeaks(), 60_000);

/** All lanes of all sums: each block of four (relaxed) or two (baseline) products is one lane's. */
function expectedSum(operand: (byte: number, row: number) => number, rows: number): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) for (let i = 0; i < BYTES; i++) sum += w[i]! * operand(i, row);
  return (sum * REPEATS) | 0;
}

describe.each(BUILDS)("the peak of the %s build", (build) => {
  it.each([0, 1, 2, 3])("does the multiply-adds it is credited with, way %i", async (way) => {
    const memory = new WebAssembly.Memory({ initial: 1 });
    new Int8Array(memory.buffer).set(w);
    const module = await WebAssembly.compile(await readFile(peakPath(build)));
    const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
    const peak = exports.i8_dot_peak as (way: number, w: number, bytes: number, repeats: number) => number;
    const words = new Int16Array(w.buffer);
    const relaxed = (i: number, row: number) => w[16 * row + (i % 16)]!;
    const baseline = (i: number, row: number) => words[8 * row + (i % 8)]!;
    const operand = build === "relaxed" ? relaxed : baseline;
    expect(peak(way, 0, BYTES, REPEATS)).toBe(expectedSum(operand, way & 2 ? 2 : 1));
  });
});

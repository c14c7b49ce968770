/** The search for the nearest vectors beside a plain loop over them. */
import { describe, expect, it } from "vitest";
import { normalize } from "../../worker/engine/embed.ts";
import { CHUNK_ROWS, quantizeVector, VectorChunk, VectorMatrix } from "../../worker/engine/vector-matrix.ts";
import { makeRandom } from "../fixtures/tiny-model.ts";
import * as reference from "../reference.ts";
import { BUILDS, kernelsOf } from "./models.ts";

const D = 20;
const random = makeRandom(3);
const drawVector = () => normalize(Float32Array.from({ length: D }, () => 2 * random() - 1));

/** The cosine as the kernels have it: the query quantized to 7 bits. */
function naive(query: Float32Array, row: Float32Array): number {
  const { q, scale } = quantizeVector(row);
  return reference.product(reference.quantize(query), { n: 1, k: D, q, scale: Float32Array.of(scale) })[0]!;
}

describe.each(BUILDS)("%s", (build) => {
  it("finds what a loop over all rows finds, of several chunks with gaps", () => {
    const count = CHUNK_ROWS + 300;
    const rows = Array.from({ length: count }, drawVector);
    const chunks = [new VectorChunk(D), new VectorChunk(D)];
    for (const [row, vector] of rows.entries()) {
      const { q, scale } = quantizeVector(vector);
      chunks[Math.floor(row / CHUNK_ROWS)]!.set(row % CHUNK_ROWS, q, scale);
    }
    const gone = new Set(Array.from({ length: 200 }, (_, i) => i * 6));
    for (const row of gone) chunks[Math.floor(row / CHUNK_ROWS)]!.clear(row % CHUNK_ROWS);
    const matrix = new VectorMatrix(kernelsOf(build), D);
    for (const [i, chunk] of chunks.entries()) matrix.put(i, new VectorChunk(D, chunk.bytes));
    for (let i = 0; i < 20; i++) {
      const query = drawVector();
      const expected = rows
        .map((vector, row) => ({ row, cosine: naive(query, vector) }))
        .filter(({ row }) => !gone.has(row))
        .sort((a, b) => b.cosine - a.cosine || a.row - b.row)
        .slice(0, 10);
      expect(matrix.nearest(query, 10)).toEqual(expected);
      for (const { row, cosine } of expected) expect(matrix.cosine(query, row)).toBe(cosine);
    }
  });

  it("finds fewer where there are fewer, and none in an empty one", () => {
    const matrix = new VectorMatrix(kernelsOf(build), D);
    expect(matrix.nearest(drawVector(), 5)).toEqual([]);
    const chunk = new VectorChunk(D);
    const vector = drawVector();
    const { q, scale } = quantizeVector(vector);
    chunk.set(7, q, scale);
    matrix.put(0, chunk);
    expect(matrix.nearest(vector, 5).map(({ row }) => row)).toEqual([7]);
    chunk.clear(7);
    matrix.put(0, chunk);
    expect(matrix.nearest(vector, 5)).toEqual([]);
  });
});

it("refuses what does not fit", () => {
  expect(() => new VectorChunk(D, new Uint8Array(5))).toThrow(/expected \d+ bytes, got 5/);
  expect(() => new VectorChunk(D).set(0, new Int8Array(3), 1)).toThrow(/expected a vector of 20 dimensions, got 3/);
  expect(() => new VectorChunk(5)).toThrow(/multiples of 4, got 5/);
  const matrix = new VectorMatrix(kernelsOf("relaxed"), D);
  expect(() => matrix.put(1, new VectorChunk(D))).toThrow(/expected a chunk of 0…0, got 1/);
});

it("quantizes to within half a step, and zeros to zeros", () => {
  const vector = drawVector();
  const { q, scale } = quantizeVector(vector);
  for (const [i, value] of vector.entries())
    expect(Math.abs(q[i]! * scale - value)).toBeLessThanOrEqual(scale / 2 + 1e-6);
  expect([...quantizeVector(new Float32Array(4)).q]).toEqual([0, 0, 0, 0]);
});

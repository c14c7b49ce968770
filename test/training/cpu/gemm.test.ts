/** The matrix product of training beside three loops, over shapes with edges and all ways to lie in memory. */
import { expect, test } from "vitest";
import { Arena } from "../../../scripts/training/cpu/memory.ts";
import { uniformStream } from "../../../scripts/training/random.ts";

const uniform = uniformStream(31);
const arena = new Arena();
const start = arena.mark;
const GUARD = 12345;

/** A matrix with rows behind each other or columns behind each other, and its strides in floats. */
function place(rows: number, columns: number, byColumns: boolean) {
  const address = arena.allocate(rows * columns);
  const values = Array.from({ length: rows * columns }, () => uniform() - 0.5);
  arena.floats(address, values.length).set(values);
  const [row, column] = byColumns ? [1, rows] : [columns, 1];
  return { address, row, column, at: (i: number, j: number) => Math.fround(values[i * row + j * column]!) };
}

const sizes = [1, 2, 5, 6, 7, 8, 9, 16, 31, 96, 97, 130, 257, 300];
const shapes = Array.from({ length: 120 }, () => {
  const pick = () => sizes[Math.floor(uniform() * sizes.length)]!;
  return [pick(), pick(), pick()] as const;
});

test.each([...shapes, [7, 1030, 9] as const])("[%i, %i] over %i", (m, n, k) => {
  arena.release(start);
  const a = place(m, k, uniform() < 0.5);
  const b = place(k, n, uniform() < 0.5);
  const bias = place(1, n, false);
  const cRow = n + 3;
  const c = arena.allocate(m * cRow);
  const accumulate = uniform() < 0.5;
  const hasBias = !accumulate && uniform() < 0.5;
  arena.floats(c, m * cRow).fill(GUARD);
  if (accumulate) for (let i = 0; i < m; i++) arena.floats(c + 4 * i * cRow, n).fill(1);
  arena.kernels.f32_gemm(
    ...([m, n, k, a.address, 4 * a.row, 4 * a.column, b.address, 4 * b.row, 4 * b.column] as const),
    ...([hasBias ? bias.address : 0, c, 4 * cRow, accumulate ? 1 : 0] as const),
  );
  const found = arena.floats(c, m * cRow);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let expected = accumulate ? 1 : hasBias ? bias.at(0, j) : 0;
      for (let p = 0; p < k; p++) expected += a.at(i, p) * b.at(p, j);
      if (!(Math.abs(found[i * cRow + j]! - expected) < 1e-4)) {
        expect.fail(`c[${i}, ${j}]: expected ${expected}, got ${found[i * cRow + j]}`);
      }
    }
    expect([...found.subarray(i * cRow + n, (i + 1) * cRow)]).toEqual([GUARD, GUARD, GUARD]);
  }
});

import { expect, test } from "vitest";
import { quantizeModel } from "../../scripts/export/quantize.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { checkPacking, readHeader, TILE_N, unpackMatrix } from "../../worker/model/format.ts";
import { TINY } from "../training/tiny.ts";

const slices = parameterSlices(TINY);
const parameters = new Float32Array(parameterCount(slices));
initializeParameters(parameters, slices, TINY, 4);

test("every weight comes back within half a step of its row's scale", () => {
  const { file, errors } = quantizeModel(TINY, parameters);
  const header = readHeader(file);
  checkPacking(header);
  const bytes = (name: string) => {
    const { byteOffset, byteLength } = header.tensors.get(name)!;
    expect((header.dataByteOffset + byteOffset) % 64, name).toBe(0);
    return file.buffer.slice(header.dataByteOffset + byteOffset, header.dataByteOffset + byteOffset + byteLength);
  };
  for (const { name, shape, kind, offset, length } of slices) {
    const w = parameters.subarray(offset, offset + length);
    if (kind !== "matrix") {
      expect([...new Float32Array(bytes(name))], name).toEqual([...w]);
      continue;
    }
    const [n, k] = shape as [number, number];
    const q = unpackMatrix(new Int8Array(bytes(name)), n, k);
    const scale = new Float32Array(bytes(`${name}_scale`));
    const sum = new Int32Array(bytes(`${name}_sum`));
    expect(scale.length % TILE_N).toBe(0);
    for (let row = 0; row < n; row++) {
      let total = 0;
      for (let i = 0; i < k; i++) {
        total += q[row * k + i]!;
        expect(Math.abs(q[row * k + i]! * scale[row]! - w[row * k + i]!)).toBeLessThanOrEqual(scale[row]! * 0.5001);
      }
      expect(sum[row]).toBe(total);
    }
    const error = errors.find((e) => e.name === name)!;
    expect(error.relativeError).toBeLessThan(0.02);
    expect(error.maxError).toBeLessThanOrEqual(Math.max(...scale) * 0.5001);
  }
});

test("a row of zeros stays a row of zeros", () => {
  const { offset, shape, name } = slices.find(({ kind }) => kind === "matrix")!;
  const zeroed = parameters.slice();
  zeroed.fill(0, offset, offset + (shape[1] ?? 0));
  const { file } = quantizeModel(TINY, zeroed);
  const header = readHeader(file);
  const { byteOffset } = header.tensors.get(`${name}_scale`)!;
  expect(new DataView(file.buffer).getFloat32(header.dataByteOffset + byteOffset, true)).toBe(1);
});

/** What the wrappers of the kernels do themselves: a long call, cut into short ones, gives what one row at a time gives. */
import { describe, expect, it } from "vitest";
import { attentionScores, Runtime } from "../../worker/engine/runtime.ts";
import { attention } from "../reference.ts";
import { BUILDS, kernelsOf } from "./models.ts";

describe.each(BUILDS)("%s build", (build) => {
  // 7 rows of 600,000 multiply-adds: more than a call takes.
  const [m, nHeads, dHead, t] = [7, 4, 64, 300];
  const size = nHeads * dHead;

  it("attention of many rows to many positions equals the reference, row by row", () => {
    const runtime = new Runtime(kernelsOf(build), 0);
    const write = (floats: Float32Array) => {
      const address = runtime.allocate(floats.byteLength);
      runtime.writeBytes(address, new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength));
      return address;
    };
    const numbers = (length: number, seed: number) => Float32Array.from({ length }, (_, i) => Math.sin(seed + i * i));
    const queries = Array.from({ length: m }, (_, i) => numbers(size, i));
    const keys = Array.from({ length: t }, (_, i) => numbers(size, 100 + i));
    const values = Array.from({ length: t }, (_, i) => numbers(size, 1000 + i));

    const q = write(Float32Array.from(queries.flatMap((query) => [...query, 0, 0, 0, 0])));
    const rows = runtime.allocate(4 * t);
    for (const [i, key] of keys.entries()) {
      runtime.writeInt(rows + 4 * i, write(Float32Array.from([...key, ...values[i]!])));
    }
    const scores = runtime.allocate(4 * attentionScores(nHeads, t));
    const out = runtime.allocate(4 * m * size);
    runtime.attention(m, nHeads, dHead, q, 4 * (size + 4), rows, t, 0, 4 * size, scores, out);
    for (const [i, query] of queries.entries()) {
      expect(runtime.readFloats(out + 4 * i * size, size)).toEqual(attention(query, keys, values, nHeads));
    }
  });
});

import { describe, expect, it } from "vitest";
import { generate } from "../../worker/engine/generate.ts";
import { loadTransformer } from "../../worker/engine/load.ts";
import { readHeader } from "../../worker/model/format.ts";
import { kernelsOf, streamOf, tinyConfig, tinyWeights } from "./models.ts";

const kernels = kernelsOf("relaxed");
const load = (bytes: Uint8Array, config = tinyConfig, chunkBytes?: number) =>
  loadTransformer(config, streamOf(bytes, chunkBytes), kernels);

/** The header's text with one part replaced by another of the same length. */
function withHeader(from: string, to: string): Uint8Array {
  const text = Buffer.from(tinyWeights).toString("latin1");
  if (!text.includes(from) || from.length !== to.length) throw new Error(`withHeader: ${from}`);
  return new Uint8Array(Buffer.from(text.replace(from, to), "latin1"));
}

describe("loadTransformer", () => {
  it.each([1, 7, 4096, 1 << 20])("reads a stream in chunks of %i bytes", async (chunkBytes) => {
    const expected = await generate(await load(tinyWeights), [[10, 20, 30]], {});
    expect(await generate(await load(tinyWeights, tinyConfig, chunkBytes), [[10, 20, 30]], {})).toEqual(expected);
  });

  it("takes the weights and little more", async () => {
    const model = await load(tinyWeights);
    expect(model.memoryBytes).toBeLessThan(tinyWeights.length + 2 * 65536 + 8192);
  });

  it("refuses a file that is cut short, or too long", async () => {
    await expect(load(tinyWeights.subarray(0, -1))).rejects.toThrow(/expected \d+ bytes of weights, got \d+; upload/);
    await expect(load(tinyWeights.subarray(0, 100))).rejects.toThrow("expected a safetensors header");
    await expect(load(new Uint8Array(0))).rejects.toThrow("expected a safetensors header of 8 bytes, got 0");
    await expect(load(new Uint8Array([...tinyWeights, 0]))).rejects.toThrow("got more");
  });

  it("refuses what is not a model for these kernels", async () => {
    await expect(load(new Uint8Array(200).fill(0x41))).rejects.toThrow("expected a safetensors header of at most");
    await expect(load(withHeader('"packing":"1"', '"packing":"0"'))).rejects.toThrow("run npm run export");
    await expect(load(withHeader('"decoder.norm.bias"', '"decoder.norm.biaz"'))).rejects.toThrow(
      "tensor decoder.norm.bias: expected F32 of 128 bytes, got none; export again",
    );
  });

  it("refuses the config of another model", async () => {
    await expect(load(tinyWeights, { ...tinyConfig, d_ff: 128 })).rejects.toThrow(
      "tensor encoder.0.ffn_up.weight: expected I8 of 4096 bytes, got I8 of 2048 bytes",
    );
  });

  it("does not decode with weights that are not numbers", async () => {
    const header = readHeader(tinyWeights);
    const damaged = tinyWeights.slice();
    const { byteOffset, byteLength } = header.tensors.get("embedding.weight_scale")!;
    damaged.fill(0xff, header.dataByteOffset + byteOffset, header.dataByteOffset + byteOffset + byteLength);
    await expect(generate(await load(damaged), [[5]], {})).rejects.toThrow("got NaN; the weights are damaged");
  });

  it("cancels the stream when it fails", async () => {
    let cancelled: unknown;
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(100).fill(0x41)),
      cancel: (reason) => {
        cancelled = reason;
      },
    });
    await expect(loadTransformer(tinyConfig, stream, kernels)).rejects.toThrow("safetensors header");
    expect(cancelled).toBeInstanceOf(Error);
  });
});

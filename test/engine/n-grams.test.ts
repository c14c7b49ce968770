/** A classifier that has vectors of n-grams: engine, ONNX and the way there, beside the naive reference. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareLogits } from "../../scripts/bench/models/logits.ts";
import { Peer } from "../../scripts/bench/onnxruntime.ts";
import { dequantizeModel } from "../../scripts/export/dequantize.ts";
import { exportClassification, onnxRows } from "../../scripts/export/onnx.ts";
import { quantizeModel } from "../../scripts/export/quantize.ts";
import { setNGrams } from "../../scripts/training/begin-embedding.ts";
import { initializeParameters, parameterCount, parameterSlices } from "../../scripts/training/parameters.ts";
import { uniformStream } from "../../scripts/training/random.ts";
import { classify } from "../../worker/engine/heads.ts";
import { loadClassifier } from "../../worker/engine/load.ts";
import { readHeader } from "../../worker/model/format.ts";
import { N_GRAMS_OF_TOKEN, NGrams } from "../../worker/model/n-grams.ts";
import { ReferenceModel } from "../reference-model.ts";
import { disturb } from "../training/gradients.ts";
import { TINY_N_GRAM_CLASSIFIER as config, countedTexts, TINY_N_GRAMS } from "../training/tiny.ts";
import { BUILDS, kernelsOf, streamOf } from "./models.ts";

const { eos_token_id, max_seq_len, vocab_size } = config;
const slices = parameterSlices(config);
const parameters = new Float32Array(parameterCount(slices));
initializeParameters(parameters, slices, config, 3);
disturb(parameters, slices, uniformStream(9));
setNGrams(parameters, config, TINY_N_GRAMS);
const { file } = quantizeModel(config, parameters);
const load = (bytes = file) => loadClassifier(config, streamOf(bytes), kernelsOf("relaxed"));

describe.each(BUILDS)("%s build", (build) => {
  it("equals the reference to the bit", async () => {
    const model = await loadClassifier(config, streamOf(file), kernelsOf(build));
    const reference = new ReferenceModel(config, file);
    const token = fc.integer({ min: 3, max: vocab_size - 1 });
    const known = fc.constantFrom([4, 5], [5, 4], [3, 4, 5], [9], [6, 6, 6], [12, 13, 14]);
    const text = fc
      .array(fc.oneof(fc.tuple(token), known), { maxLength: 9 })
      .map((parts) => parts.flat().slice(0, max_seq_len - 1));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), async (texts) => {
        const expected = texts.map((tokens) => reference.classify([...tokens, eos_token_id]));
        expect(await classify(model, texts)).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });
});

it("says something else of a text for its n-grams", async () => {
  const without = parameters.slice();
  const { offset, length } = slices.find(({ name }) => name === "n_grams.weight")!;
  without.fill(0, offset, offset + length);
  const [model, plain] = [await load(), await load(quantizeModel(config, without).file)];
  expect(await classify(model, [[3, 4, 5]])).not.toEqual(await classify(plain, [[3, 4, 5]]));
  expect(await classify(model, [[3, 7, 5]])).toEqual(await classify(plain, [[3, 7, 5]]));
});

it("says as an ONNX graph what the reference does", async () => {
  const peer = Peer.open("onnxruntime-web")!;
  const text = [3, 4, 5, 4, 9, eos_token_id];
  const expected = new ReferenceModel(config, file).classify(text);
  const session = await peer.createSession(exportClassification(config, file));
  const rows = onnxRows(new NGrams(TINY_N_GRAMS, vocab_size), text);
  const outputs = await session.run({
    input_ids: peer.integers(text),
    n_gram_rows: peer.integers(rows, N_GRAMS_OF_TOKEN),
  });
  for (const [head, { name, labels }] of config.heads.entries()) {
    const logits = outputs[`logits.${name}`]!.data as Float32Array;
    const { relativeError } = compareLogits(Float32Array.from(expected[head]!), logits, labels.length);
    expect(relativeError).toBeLessThan(0.05);
  }
  await session.release();
});

it("comes back from its file as it was", () => {
  expect(dequantizeModel(config, file).get("n_grams.tokens")).toEqual(Float32Array.from(TINY_N_GRAMS));
});

it("is refused if its n-grams are missing or damaged", async () => {
  const header = readHeader(file);
  const { byteOffset } = header.tensors.get("n_grams.tokens")!;
  const damaged = file.slice();
  new DataView(damaged.buffer).setInt32(header.dataByteOffset + byteOffset + 8, vocab_size, true);
  await expect(load(damaged)).rejects.toThrow(
    `NGrams: expected the last tokens to rise from 0 to ${vocab_size - 1}, got 20 after 0`,
  );
  const { n_grams: _, ...plain } = config;
  const without = quantizeModel(plain, parameters.slice(0, parameterCount(parameterSlices(plain)))).file;
  await expect(load(without)).rejects.toThrow(
    "tensor n_grams.tokens: expected I32 of 192 bytes, got none; export again",
  );
});

it("meets its n-grams in the texts of these tests", () => {
  const reference = countedTexts(200, 27, 7).filter(({ tokens }) => tokens.join().includes("4,5"));
  expect(reference.length).toBeGreaterThan(2);
});

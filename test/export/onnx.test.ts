import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareLogits } from "../../scripts/bench/models/logits.ts";
import { PeerTranslator } from "../../scripts/bench/models/peer-translation.ts";
import { Peer } from "../../scripts/bench/onnxruntime.ts";
import { makeRandomClassifier } from "../../scripts/bench/random-model.ts";
import { exportClassification, exportTranslation } from "../../scripts/export/onnx.ts";
import { writeOnnx } from "../../scripts/export/onnx-files.ts";
import { OnnxGraph } from "../../scripts/export/onnx-graph.ts";
import { readWeights } from "../../scripts/export/onnx-weights.ts";
import { referenceTiny, tinyConfig, tinyWeights } from "../engine/models.ts";
import golden from "../fixtures/tiny/golden.json" with { type: "json" };
import { ReferenceModel } from "../reference-model.ts";

const peer = Peer.open("onnxruntime-web")!;
/** 8 bits for a whole operand against 7 bits a row, on a model of random weights. */
const QUANTIZATION_ERROR = 0.1;

describe("the matrix product", () => {
  const { n, k } = { n: 8, k: 12 };
  const q = Int8Array.from({ length: n * k }, (_, i) => ((i * 53) % 255) - 127);
  const scale = Float32Array.from({ length: n }, (_, i) => (i + 1) / 64);

  it("has the weights, scales and bias it was given, to the bit", async () => {
    const graph = new OnnxGraph("test");
    const x = graph.input("x", "float32", ["rows", k]);
    const bias = Float32Array.from({ length: n }, (_, i) => i - 4);
    const y = graph.product(x, "w", { n, k, q, scale }, graph.constant("bias", [n], bias));
    graph.output(y, "y", "float32", ["rows", n]);
    const session = await peer.createSession(graph.encode());
    // Whole numbers from 0 to 255 are their own quantization, so nothing is rounded.
    const rows = [Array.from({ length: k }, (_, i) => (i * 23) % 256), Array.from({ length: k }, (_, i) => 255 - i)];
    const outputs = await session.run({ x: peer.floats(Float32Array.from(rows.flat()), [2, k]) });
    const expected = rows.flatMap((row) =>
      Array.from(scale, (s, i) => row.reduce((sum, value, j) => sum + value * q[i * k + j]!, 0) * s + bias[i]!),
    );
    expect([...(outputs.y!.data as Float32Array)]).toEqual(expected);
    await session.release();
  });

  it("says which constant has the wrong size", () => {
    const graph = new OnnxGraph("test");
    expect(() => graph.constant("w", [3, 2], new Float32Array(5))).toThrow("w [3,2]: expected 6 elements, got 5");
  });
});

describe("a translation model", () => {
  const decode = async (changes: { activation?: "gelu" | "relu" }) => {
    const config = { ...tinyConfig, ...changes };
    const source = [...golden.source, config.eos_token_id];
    const target = [config.bos_token_id, ...golden.tokens];
    const reference = referenceTiny(changes);
    const expected = reference.decode(reference.encode(source), target);
    const translator = await PeerTranslator.load(config, exportTranslation(config, tinyWeights), peer);
    const rows: Float32Array[] = [];
    await translator.decode(await translator.encode(source), target.length, target[0]!, (logits) => {
      rows.push(logits.slice());
      return target[rows.length];
    });
    await translator.release();
    return { expected, rows, vocabSize: config.vocab_size };
  };
  const concatenate = (rows: Float32Array[]) => Float32Array.from(rows.flatMap((row) => [...row]));

  it.each(["gelu", "relu"] as const)("decodes step by step what the reference does, %s", async (activation) => {
    const { expected, rows, vocabSize } = await decode({ activation });
    expect(rows).toHaveLength(expected.length);
    const { sameChoice, relativeError } = compareLogits(concatenate(expected), concatenate(rows), vocabSize);
    expect(relativeError).toBeLessThan(QUANTIZATION_ERROR);
    expect(sameChoice).toBeGreaterThan(0.5);
  });

  it("ends where the end token wins or at maxTokens", async () => {
    const translator = await PeerTranslator.load(tinyConfig, exportTranslation(tinyConfig, tinyWeights), peer);
    const all = await translator.translate(golden.source, 30);
    expect(await translator.translate(golden.source, 2)).toEqual(all.slice(0, 2));
    expect(all).not.toContain(tinyConfig.eos_token_id);
    await translator.release();
  });

  it("reads the weights of the file, unpacked", () => {
    const { q, scale, n, k } = readWeights(tinyConfig, tinyWeights).matrix("decoder.1.cross_kv.weight");
    expect([n, k]).toEqual([2 * tinyConfig.d_model, tinyConfig.d_model]);
    expect([q.length, scale.length]).toEqual([n * k, n]);
    // Every channel uses its whole range.
    for (let row = 0; row < n; row++) {
      expect(Math.max(...q.subarray(row * k, (row + 1) * k).map(Math.abs))).toBe(127);
    }
    expect(() => readWeights(tinyConfig, tinyWeights).matrix("nothing")).toThrow("no tensor nothing");
  });
});

it("a classification model says what the reference does", async () => {
  const { config, weights } = makeRandomClassifier(12);
  const text = [7, 300, 41, 9, 15_999, 23, config.eos_token_id];
  const [expected] = new ReferenceModel(config, weights).classify(text);
  const session = await peer.createSession(exportClassification(config, weights));
  const outputs = await session.run({ input_ids: peer.integers(text) });
  const logits = outputs["logits.label"]!.data as Float32Array;
  expect(outputs["logits.label"]!.dims).toEqual([1, 12]);
  // Log_probs are logits but for a constant, which the comparison takes off.
  const { relativeError } = compareLogits(Float32Array.from(expected!), logits, 12);
  expect(relativeError).toBeLessThan(QUANTIZATION_ERROR);
  await session.release();
});

describe("writeOnnx", () => {
  const model = fileURLToPath(new URL("../fixtures/tiny", import.meta.url));
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "edge-slm-onnx-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("writes both graphs and nothing else", async () => {
    const directory = join(folder, "a", "b");
    const bytes = await writeOnnx(model, directory);
    expect((await readdir(directory)).sort()).toEqual(["decoder.onnx", "encoder.onnx"]);
    const { encoder, decoder } = exportTranslation(tinyConfig, tinyWeights);
    expect(bytes).toEqual({ "encoder.onnx": encoder.length, "decoder.onnx": decoder.length });
    expect(new Uint8Array(await readFile(join(directory, "decoder.onnx")))).toEqual(decoder);
  });

  it("names the model that is not there and the folder it can't write", async () => {
    await expect(writeOnnx("nowhere", folder)).rejects.toThrow("nowhere: expected a model's folder");
    const file = join(folder, "file");
    await writeFile(file, "");
    await expect(writeOnnx(model, file)).rejects.toThrow(`export: cannot write ${join(file, "encoder.onnx")}`);
  });
});

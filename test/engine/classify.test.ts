/** classify() against the naive reference model, what a server needs of it, and whether explanations explain. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { testDeletion } from "../../scripts/metrics/deletion.ts";
import { leaveOneOut, logOdds } from "../../worker/engine/explain.ts";
import { classify, combineWindows } from "../../worker/engine/heads.ts";
import { loadClassifier, loadTransformer } from "../../worker/engine/load.ts";
import { readHeader } from "../../worker/model/format.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import golden from "../fixtures/tiny-classifier/golden.json" with { type: "json" };
import { makeRandom } from "../fixtures/tiny-model.ts";
import {
  BUILDS,
  classifierConfig,
  classifierWeights,
  kernelsOf,
  loadTinyClassifier,
  referenceClassifier,
  streamOf,
  tinyConfig,
  tinyTokenizerJson,
  tinyWeights,
} from "./models.ts";

const { eos_token_id, max_seq_len, vocab_size } = classifierConfig;
const text = fc.array(fc.integer({ min: 3, max: vocab_size - 1 }), { maxLength: max_seq_len - 1 });
const sample = (count: number): number[][] => fc.sample(text, { numRuns: count, seed: 5 });
const tokenizer = Tokenizer.fromJson(tinyTokenizerJson);

describe.each(BUILDS)("%s build", (build) => {
  it("says exactly what the golden file says", async () => {
    const texts = golden.map((entry) => tokenizer.encode(entry.text));
    expect(texts).toEqual(golden.map(({ tokens }) => tokens));
    const answers = await classify(await loadTinyClassifier(build), texts);
    expect(answers.map((heads) => heads.map((logProbs) => [...logProbs]))).toEqual(
      golden.map(({ log_probs }) => log_probs),
    );
  });

  it.each(["gelu", "relu"] as const)("equals the reference to the bit, %s", async (activation) => {
    const model = await loadTinyClassifier(build, { activation });
    const reference = referenceClassifier({ activation });
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 6 }), async (texts) => {
        const expected = texts.map((tokens) => reference.classify([...tokens, eos_token_id]));
        expect(await classify(model, texts)).toEqual(expected);
      }),
      { numRuns: 6 },
    );
  });
});

describe("classify", () => {
  it("gives a text of a batch what it gives the text alone", async () => {
    const model = await loadTinyClassifier();
    const texts = sample(40);
    const batch = await classify(model, texts);
    for (const [i, one] of texts.entries()) expect(await classify(model, [one])).toEqual([batch[i]]);
    expect(await classify(model, [])).toEqual([]);
  });

  it("answers the heads that are asked, in the order asked", async () => {
    const model = await loadTinyClassifier();
    const [all] = await classify(model, [[5, 6, 7]]);
    expect(all!.map(({ length }) => length)).toEqual([2, 5, 19]);
    expect(await classify(model, [[5, 6, 7]], { heads: [2, 0] })).toEqual([[all![2], all![0]]]);
    expect(await classify(model, [[5, 6, 7]], { heads: [] })).toEqual([[]]);
  });

  it("gives probabilities, which a higher temperature evens out", async () => {
    const texts = sample(5);
    const hot = classifierConfig.heads.map((head) => ({ ...head, temperature: 3 * head.temperature }));
    const answers = await classify(await loadTinyClassifier(), texts);
    const evened = await classify(await loadTinyClassifier("relaxed", { heads: hot }), texts);
    for (const [i, heads] of answers.entries()) {
      for (const [head, logProbs] of heads.entries()) {
        const sum = logProbs.reduce((total, logProb) => total + Math.exp(logProb), 0);
        expect(sum).toBeCloseTo(1, 12);
        expect(Math.max(...evened[i]![head]!)).toBeLessThan(Math.max(...logProbs));
        expect(evened[i]![head]!.indexOf(Math.max(...evened[i]![head]!))).toBe(logProbs.indexOf(Math.max(...logProbs)));
      }
    }
  });

  it("runs several requests side by side, and the event loop between their passes", async () => {
    const model = await loadTinyClassifier();
    const texts = sample(200);
    const alone = await classify(model, texts);
    let turns = 0;
    let running = true;
    const count = () => {
      turns++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    const together = await Promise.all(
      [1, 2, 3].map((n) => classify(model, texts, { macsPerTurn: 0, heads: [0, 1, 2].slice(0, n) })),
    );
    running = false;
    expect(together).toEqual([1, 2, 3].map((n) => alone.map((heads) => heads.slice(0, n))));
    expect(turns).toBeGreaterThan(5);
  });

  it("stops when it is aborted, and keeps no memory", async () => {
    const model = await loadTinyClassifier();
    const reason = new Error("client left");
    await expect(classify(model, sample(2), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const texts = sample(300);
    await classify(model, texts);
    const { memoryBytes, allocatedBytes } = model;
    for (let i = 0; i < 3; i++) {
      const controller = new AbortController();
      setImmediate(() => controller.abort(reason));
      await expect(classify(model, texts, { signal: controller.signal, macsPerTurn: 1e6 })).rejects.toBe(reason);
      expect(model.allocatedBytes).toBe(allocatedBytes);
    }
    expect(model.memoryBytes).toBe(memoryBytes);
  });

  it("names what is wrong with its arguments", async () => {
    const model = await loadTinyClassifier();
    const long = new Array<number>(max_seq_len).fill(5);
    await expect(classify(model, [long])).rejects.toThrow(`expected 1…${max_seq_len} tokens, got ${max_seq_len + 1}`);
    await expect(classify(model, [long.slice(1), [vocab_size]])).rejects.toThrow(`got ${vocab_size}`);
    await expect(classify(model, [[5]], { heads: [0, 3] })).rejects.toThrow("expected heads in 0…2, got 3");
  });

  it("does not answer with weights that are not numbers", async () => {
    const { tensors, dataByteOffset } = readHeader(classifierWeights);
    const { byteOffset, byteLength } = tensors.get("heads.topic.weight_scale")!;
    const damaged = classifierWeights.slice();
    damaged.fill(0xff, dataByteOffset + byteOffset, dataByteOffset + byteOffset + byteLength);
    const model = await loadClassifier(classifierConfig, streamOf(damaged), kernelsOf("relaxed"));
    await expect(classify(model, [[5]])).rejects.toThrow("got NaN; the weights are damaged");
  });

  it("is not loaded from a model for translation, nor the other way round", async () => {
    await expect(loadClassifier(classifierConfig, streamOf(tinyWeights), kernelsOf("relaxed"))).rejects.toThrow(
      "tensor heads.sentiment.weight: expected I8 of 512 bytes, got none; export again",
    );
    await expect(loadTransformer(tinyConfig, streamOf(classifierWeights), kernelsOf("relaxed"))).rejects.toThrow(
      /tensor decoder\.0\.\S+: expected .*, got none; export again/,
    );
  });
});

describe("combineWindows", () => {
  const half = Float64Array.of(Math.log(0.5), Math.log(0.5));
  const sure = Float64Array.of(Math.log(0.9), Math.log(0.1));

  it("leaves a single window as it is", () => {
    expect(combineWindows([sure], [7])).toBe(sure);
  });

  it("weighs windows by their tokens, and gives probabilities again", () => {
    const even = combineWindows([half, sure], [10, 10]);
    expect(Math.exp(even[0]!)).toBeCloseTo(0.75, 12);
    expect(Math.exp(even[0]!) + Math.exp(even[1]!)).toBeCloseTo(1, 12);
    expect(combineWindows([half, sure], [0, 10])[0]).toBeCloseTo(sure[0]!, 12);
    expect(combineWindows([half, sure], [30, 10])[0]).toBeLessThan(even[0]!);
  });
});

describe("leaveOneOut", () => {
  const words = ["the", "stone", "refund", "order", "praise", "sand", "other", "late", "der", "one", "in", "not"];

  it("is the drop of the label's log-odds, window by window", async () => {
    const model = await loadTinyClassifier();
    const windows = [tokenizer.encode("the stone in the sand"), tokenizer.encode("no refund")];
    const logProbs = await classify(model, windows);
    const without = tokenizer.encode("the stone in the");
    const remainders = [{ window: 0, tokens: without }];
    const weights = await leaveOneOut(model, { windows, logProbs }, remainders, [1, 4, 0]);
    const [changed] = await classify(model, [without]);
    for (const [head, label] of [1, 4, 0].entries()) {
      const before = combineWindows(
        [logProbs[0]![head]!, logProbs[1]![head]!],
        [windows[0]!.length, windows[1]!.length],
      );
      const after = combineWindows([changed![head]!, logProbs[1]![head]!], [without.length, windows[1]!.length]);
      expect(weights[head]).toEqual(Float64Array.of(logOdds(before, label) - logOdds(after, label)));
    }
  });

  it("finds words without which the answer changes more than without random ones", async () => {
    const random = makeRandom(3);
    const texts = Array.from({ length: 40 }, () =>
      Array.from({ length: 8 }, () => ` ${words[Math.floor(random() * words.length)]}`),
    );
    const encode = (text: string) => tokenizer.encode(text);
    const figures = await testDeletion(await loadTinyClassifier(), texts, encode, { head: 1, share: 0.25, random });
    expect(figures).toMatchObject({ texts: 40, share: 0.25 });
    expect(figures.top.drop).toBeGreaterThan(figures.random.drop + 1);
    expect(figures.top.changed).toBeGreaterThan(figures.random.changed);
  });
});

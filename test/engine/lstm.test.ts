/** Long short-term memories in the engine against the naive reference model. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classify } from "../../worker/engine/heads.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import golden from "../fixtures/tiny-lstm/golden.json" with { type: "json" };
import { ReferenceModel } from "../reference-model.ts";
import { BUILDS, loadTinyLstm, lstmConfig, lstmWeights, tinyTokenizerJson } from "./models.ts";

const { eos_token_id, max_seq_len, vocab_size } = lstmConfig;
const text = fc.array(fc.integer({ min: 3, max: vocab_size - 1 }), { maxLength: max_seq_len - 1 });
const tokenizer = Tokenizer.fromJson(tinyTokenizerJson);

describe.each(BUILDS)("%s build", (build) => {
  it("says exactly what the golden file says", async () => {
    const texts = golden.map((entry) => tokenizer.encode(entry.text));
    expect(texts).toEqual(golden.map(({ tokens }) => tokens));
    const answers = await classify(await loadTinyLstm(build), texts);
    expect(answers.map((heads) => heads.map((logProbs) => [...logProbs]))).toEqual(
      golden.map(({ log_probs }) => log_probs),
    );
    expect(new Set(golden.map(({ labels }) => labels[1])).size).toBeGreaterThan(3);
  });

  it("equals the reference to the bit", async () => {
    const model = await loadTinyLstm(build);
    const reference = new ReferenceModel(lstmConfig, lstmWeights);
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 6 }), async (texts) => {
        const expected = texts.map((tokens) => reference.classify([...tokens, eos_token_id]));
        expect(await classify(model, texts)).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  });
});

it("gives a text of a batch what it gives the text alone, and keeps no memory", async () => {
  const model = await loadTinyLstm();
  const texts = fc.sample(text, { numRuns: 100, seed: 5 });
  const batch = await classify(model, texts);
  const { memoryBytes, allocatedBytes } = model;
  for (const [i, one] of texts.entries()) expect(await classify(model, [one])).toEqual([batch[i]]);
  expect(await classify(model, texts, { heads: [1] })).toEqual(batch.map((heads) => [heads[1]]));
  expect(model).toMatchObject({ memoryBytes, allocatedBytes });
});

it("names what is wrong with its arguments", async () => {
  const model = await loadTinyLstm();
  const long = new Array<number>(max_seq_len).fill(5);
  await expect(classify(model, [long])).rejects.toThrow(`expected 1…${max_seq_len} tokens, got ${max_seq_len + 1}`);
  await expect(classify(model, [[5], [vocab_size]])).rejects.toThrow(`got ${vocab_size}`);
});

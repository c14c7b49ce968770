/** The reader against the naive reference model, and what a server needs of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Reader, readAll, type SpanLogits } from "../../worker/engine/reader.ts";
import { type Reading, readings, readWords } from "../../worker/model/reading.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import golden from "../fixtures/tiny-reader/golden.json" with { type: "json" };
import { BUILDS, loadTinyReader, readerConfig, referenceReader, tinyTokenizerJson } from "./models.ts";

const tokenizer = Tokenizer.fromJson(tinyTokenizerJson);
const readText = (question: string, context: string) =>
  readings(readWords(question, tokenizer), readWords(context, tokenizer), readerConfig);
const rowsOf = ({ start, end }: SpanLogits) => Array.from(start, (value, t) => [value, end[t]!]);

const text = fc
  .array(fc.constantFrom("the", "stone", "Sand", "is", "in", "42", ".", "rare", "other,", "ß"), {
    minLength: 1,
    maxLength: 40,
  })
  .map((words) => words.join(" "));
const sample = (count: number): Reading[] =>
  fc
    .sample(fc.tuple(text, text), { numRuns: count, seed: 5 })
    .flatMap(([question, context]) => readText(question, context));

describe.each(BUILDS)("%s build", (build) => {
  it("says exactly what the golden file says", async () => {
    const reader = await loadTinyReader(build);
    for (const { question, context, windows } of golden) {
      const read = readText(question, context);
      expect(read.map(({ tokens, features }) => ({ tokens, features }))).toEqual(
        windows.map(({ tokens, features }) => ({ tokens, features })),
      );
      expect((await readAll(reader, read)).map(rowsOf)).toEqual(windows.map(({ logits }) => logits));
    }
  });

  it("equals the reference to the bit", async () => {
    const reader = await loadTinyReader(build, { activation: "relu" });
    const reference = referenceReader({ activation: "relu" });
    for (const reading of sample(4)) {
      const [logits] = await readAll(reader, [reading]);
      expect(rowsOf(logits!)).toEqual(reference.read(reading).map((row) => [...row]));
    }
  });
});

describe("readAll", () => {
  it("gives a window among many what it gives the window alone", async () => {
    const reader = await loadTinyReader();
    const windows = sample(20);
    const together = await readAll(reader, windows);
    for (const [i, window] of windows.entries()) expect(await readAll(reader, [window])).toEqual([together[i]]);
    expect(await readAll(reader, [])).toEqual([]);
  });

  it("lets other requests run between its passes, and ends when it is told to", async () => {
    const reader = await loadTinyReader();
    const windows = sample(60);
    let turns = 0;
    let running = true;
    const count = () => {
      turns++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    const alone = await readAll(reader, windows, { macsPerTurn: 0 });
    running = false;
    expect(turns).toBeGreaterThan(2);
    expect(await readAll(reader, windows)).toEqual(alone);

    const stop = new AbortController();
    const stopped = readAll(reader, windows, { signal: stop.signal, macsPerTurn: 0 });
    stop.abort(new Error("left"));
    await expect(stopped).rejects.toThrow("left");
  });

  it("refuses tokens that it cannot read", async () => {
    const reader: Reader = await loadTinyReader();
    const [reading] = readText("the stone", "in the sand");
    const bad = { ...reading!, tokens: reading!.tokens.with(0, readerConfig.vocab_size) };
    await expect(readAll(reader, [bad])).rejects.toThrow(`expected token ids in 0…${readerConfig.vocab_size - 1}`);
  });
});

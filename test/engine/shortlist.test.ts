/** The lexical shortlist: nothing changes if it holds every token, and nothing else comes out if it holds a few. */
import { describe, expect, it } from "vitest";
import { type GenerateOptions, generate } from "../../worker/engine/generate.ts";
import { loadTransformer } from "../../worker/engine/load.ts";
import {
  readHeader,
  type ShortlistLists,
  shortlistTensors,
  type Tensor,
  writeSafetensors,
} from "../../worker/model/format.ts";
import { BUILDS, type Build, kernelsOf, loadTiny, streamOf, tinyConfig, tinyWeights } from "./models.ts";

const { vocab_size, eos_token_id } = tinyConfig;
const ALL = Array.from({ length: vocab_size }, (_, token) => token);
const SOURCES = Array.from({ length: 24 }, (_, i) => Array.from({ length: 1 + (i % 7) }, (_, j) => 3 + 7 * i + j));

/** The tensors of the tiny model and some more. */
function tinyWith(more: Tensor[]): Uint8Array {
  const { tensors, metadata, dataByteOffset } = readHeader(tinyWeights);
  const all = [...tensors].map(([name, { dtype, shape, byteOffset, byteLength }]): Tensor => {
    const start = dataByteOffset + byteOffset;
    const bytes = tinyWeights.slice(start, start + byteLength).buffer;
    const data = { F32: Float32Array, I32: Int32Array, I8: Int8Array }[dtype];
    return { name, shape, data: new data(bytes) };
  });
  return writeSafetensors([...all, ...more], metadata);
}

const loadWith = (lists: ShortlistLists, build: Build = "relaxed") =>
  loadTransformer(tinyConfig, streamOf(tinyWith(shortlistTensors(lists))), kernelsOf(build));

/** Two tokens for each source token, and the end token with every fourth for every sentence. */
const SMALL: ShortlistLists = {
  ofToken: ALL.map((token) => [(token * 5 + 1) % vocab_size, (token * 11 + 2) % vocab_size]),
  common: ALL.filter((token) => token === eos_token_id || token % 4 === 0),
};

const candidatesOf = (source: readonly number[]) =>
  new Set([...SMALL.common, ...[...source, eos_token_id].flatMap((token) => SMALL.ofToken[token]!)]);

describe.each(BUILDS)("%s build", (build) => {
  it.each([1, 3])("a list of the whole vocabulary changes no bit, beam %i", async (beamSize) => {
    const none = ALL.map(() => []);
    const whole = await loadWith({ ofToken: none, common: ALL }, build);
    const options: GenerateOptions = { beamSize, maxTokens: 12 };
    const expected = await generate(await loadTiny(build), SOURCES, options);
    expect(await generate(whole, SOURCES, { ...options, shortlist: true })).toEqual(expected);
    expect(await generate(whole, SOURCES, { ...options, shortlist: false })).toEqual(expected);
  });

  it.each([1, 3])("only listed tokens come out, each by its source's list, beam %i", async (beamSize) => {
    const model = await loadWith(SMALL, build);
    const options: GenerateOptions = { beamSize, maxTokens: 12, shortlist: true };
    const batch = await generate(model, SOURCES, options);
    for (const [i, source] of SOURCES.entries()) {
      const candidates = candidatesOf(source);
      for (const { tokens } of batch[i]!) expect(tokens.filter((token) => !candidates.has(token))).toEqual([]);
      expect(await generate(model, [source], options)).toEqual([batch[i]]);
    }
    const whole = await generate(model, SOURCES, { ...options, shortlist: false });
    expect(whole).not.toEqual(batch);
    expect(whole).toEqual(await generate(await loadTiny(build), SOURCES, { beamSize, maxTokens: 12 }));
  });
});

describe("shortlist", () => {
  it("is off unless asked for, by the caller or by the model", async () => {
    const model = await loadWith(SMALL);
    const listed = await generate(model, SOURCES, { shortlist: true });
    expect(await generate(model, SOURCES, {})).not.toEqual(listed);
    const generation = { ...tinyConfig.generation, shortlist: true };
    const stream = streamOf(tinyWith(shortlistTensors(SMALL)));
    const saysSo = await loadTransformer({ ...tinyConfig, generation }, stream, kernelsOf("relaxed"));
    expect(await generate(saysSo, SOURCES, {})).toEqual(listed);
    await expect(generate(await loadTiny(), SOURCES, { shortlist: true })).rejects.toThrow(
      "export it with --shortlist",
    );
  });

  it("keeps no memory", async () => {
    const model = await loadWith(SMALL);
    await generate(model, SOURCES, { beamSize: 3, shortlist: true });
    const { memoryBytes, allocatedBytes } = model;
    for (let i = 0; i < 3; i++) await generate(model, SOURCES, { beamSize: 3, shortlist: true });
    expect(model.allocatedBytes).toBe(allocatedBytes);
    expect(model.memoryBytes).toBe(memoryBytes);
  });

  it("refuses lists that are damaged", async () => {
    const load = (more: Tensor[]) => loadTransformer(tinyConfig, streamOf(tinyWith(more)), kernelsOf("relaxed"));
    const [offsets, targets] = shortlistTensors(SMALL) as [Tensor, Tensor];
    const changed = ({ data, ...rest }: Tensor, place: number, value: number): Tensor => {
      const copy = Int32Array.from(data);
      copy[place] = value;
      return { ...rest, data: copy };
    };
    await expect(load([offsets, changed(targets, 5, vocab_size)])).rejects.toThrow("expected lists of token ids");
    await expect(load([offsets, changed(targets, 5, -1)])).rejects.toThrow("expected lists of token ids");
    await expect(load([changed(offsets, 4, 1e6), targets])).rejects.toThrow("expected lists of token ids");
    const short: Tensor = { ...offsets, shape: [16], data: Int32Array.from(offsets.data.subarray(0, 16)) };
    await expect(load([short, targets])).rejects.toThrow("shortlist: expected I32 with");
    const ofToken = SMALL.ofToken;
    await expect(loadWith({ ofToken, common: [eos_token_id] })).rejects.toThrow("with the end token, got 1");
    const withoutEnd = ALL.filter((token) => token !== eos_token_id);
    await expect(loadWith({ ofToken, common: withoutEnd })).rejects.toThrow("with the end token");
  });
});

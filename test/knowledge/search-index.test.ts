/** The search of a knowledge base over SQLite in memory: the code that runs in the Durable Object. */
import { describe, expect, it } from "vitest";
import { openMemorySql } from "../../scripts/eval/node-sql.ts";
import { normalize } from "../../worker/engine/embed.ts";
import { CHUNK_ROWS, quantizeVector } from "../../worker/engine/vector-matrix.ts";
import { fuse } from "../../worker/knowledge/fusion.ts";
import { type Passage, SearchIndex } from "../../worker/knowledge/search-index.ts";
import { kernelsOf } from "../engine/models.ts";
import { makeRandom } from "../fixtures/tiny-model.ts";

const D = 16;
const random = makeRandom(9);
const drawVector = () => normalize(Float32Array.from({ length: D }, () => 2 * random() - 1));

function passage(head: string, vector = drawVector(), body = ""): Passage {
  const { q, scale } = quantizeVector(vector);
  return { head, body, vector: q, scale };
}

function indexOf(passages: Passage[], sql = openMemorySql()): SearchIndex {
  const index = new SearchIndex(sql, kernelsOf("relaxed"), D);
  index.change([], new Map(passages.entries()))();
  return index;
}

describe("words", () => {
  it("finds by stems without accents, the rarer word first", () => {
    const index = indexOf([passage("the café opens"), passage("the bank opens"), passage("opening a bank account")]);
    expect(index.byWords("Cafe")).toEqual([0]);
    expect(index.byWords("the opened café")[0]).toBe(0);
    expect(new Set(index.byWords("banks open"))).toEqual(new Set([0, 1, 2]));
    expect(index.byWords("nothing of it")).toEqual([]);
    expect(index.byWords("")).toEqual([]);
  });

  it("takes any text for words, and nothing for a query", () => {
    const index = indexOf([passage('a "quoted" AND thing')]);
    for (const text of [
      '"',
      "quoted OR",
      "NEAR(quoted)",
      "head:quoted",
      "quoted*",
      "^quoted",
      "-quoted",
      "'; DROP TABLE words",
    ]) {
      expect(() => index.byWords(text)).not.toThrow();
    }
    expect(index.byWords('"quoted" AND (thing')).toEqual([0]);
  });

  it("counts a word of the question for more than one of the answer", () => {
    const index = indexOf([
      passage("opening hours", drawVector(), "nine"),
      passage("nine", drawVector(), "opening hours"),
    ]);
    expect(index.byWords("hours")).toEqual([0, 1]);
  });
});

describe("change", () => {
  it("takes passages out, puts others in their rows, and is all there when it is opened again", () => {
    const sql = openMemorySql();
    const vectors = Array.from({ length: CHUNK_ROWS + 5 }, drawVector);
    const index = indexOf(
      vectors.map((vector, row) => passage(`number${row}`, vector)),
      sql,
    );
    const fresh = drawVector();
    index.change([3, CHUNK_ROWS + 1], new Map([[3, passage("fresh", fresh)]]))();
    for (const one of [index, new SearchIndex(sql, kernelsOf("simd"), D)]) {
      expect(one.byWords("number3")).toEqual([]);
      expect(one.byWords("fresh")).toEqual([3]);
      expect(one.byVector(fresh, 1)[0]!.row).toBe(3);
      expect(one.byVector(vectors[CHUNK_ROWS + 2]!, 1)[0]!.row).toBe(CHUNK_ROWS + 2);
      expect(one.byVector(vectors[CHUNK_ROWS + 1]!, 1)[0]!.row).not.toBe(CHUNK_ROWS + 1);
    }
  });

  it("shows nothing before it is applied", () => {
    const index = indexOf([passage("old")]);
    const vector = drawVector();
    const apply = index.change([], new Map([[1, passage("new", vector)]]));
    expect(index.byVector(vector, 2).map(({ row }) => row)).toEqual([0]);
    apply();
    expect(index.byVector(vector, 2)[0]!.row).toBe(1);
  });
});

it("gives the cosine of a passage that only the words found", () => {
  const vectors = Array.from({ length: 200 }, drawVector);
  const index = indexOf(vectors.map((vector, row) => passage(row === 77 ? "needle" : "hay", vector)));
  const query = vectors[77]!.map((value) => -value);
  const hit = index.search({ text: "needle", vector: query }, 200, () => () => "pair").find(({ row }) => row === 77)!;
  expect(hit).toMatchObject({ vectorRank: null, wordsRank: 0 });
  expect(hit.cosine).toBeCloseTo(-1, 1);
});

it("fuses two rankings by the share that the words have", () => {
  const rows = (byVector: number[], byWords: number[], share: (row: number) => number) =>
    fuse(byVector, byWords, share).map(({ row }) => row);
  expect(rows([1, 2, 3], [3, 4], () => 0.5)).toEqual([3, 1, 2, 4]);
  expect(rows([1, 2], [2, 1], () => 0)).toEqual([1, 2]);
  expect(rows([1, 2], [2, 1], () => 1)).toEqual([2, 1]);
  // Each by what it is: a document that the words found, before a pair that they found.
  expect(rows([], [1, 2], (row) => (row === 2 ? 0.9 : 0.1))).toEqual([2, 1]);
  expect(fuse([], [5], () => 0.5)).toEqual([{ row: 5, score: 0.5 / 61, vectorRank: null, wordsRank: 0 }]);
  expect(rows([], [], () => 1)).toEqual([]);
});

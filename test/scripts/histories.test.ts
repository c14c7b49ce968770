/** Histories: leaving one out, a shop's own table, nearest neighbours, ranking figures. */
import { describe, expect, it } from "vitest";
import { ItemKnn, popularityQuality } from "../../scripts/baselines/item-knn.ts";
import { splitHistories } from "../../scripts/data/histories.ts";
import { type InteractionOptions, parseInteractions } from "../../scripts/data/interactions.ts";
import { placeOf, rankingQuality } from "../../scripts/metrics/ranking.ts";

describe("splitHistories", () => {
  it("leaves the last item for test and the one before for dev, and ranks by what is left", () => {
    const { items, counts, train, dev, test } = splitHistories([
      ["a", "b", "c", "d"],
      ["b", "c", "e"],
      ["f", "b"],
    ]);
    expect(items).toEqual(["b", "a", "f", "c", "d", "e"]);
    expect([...counts]).toEqual([3, 1, 1, 0, 0, 0]);
    const idsOf = (rows: readonly number[]) => rows.map((row) => items[row]);
    expect(train.map(idsOf)).toEqual([["a", "b"], ["b"], ["f", "b"]]);
    expect(dev.map(({ history, next }) => [idsOf(history), items[next]])).toEqual([
      [["a", "b"], "c"],
      [["b"], "c"],
    ]);
    expect(test.map(({ history, next }) => [idsOf(history), items[next]])).toEqual([
      [["a", "b", "c"], "d"],
      [["b", "c"], "e"],
    ]);
  });
});

/** Users u0… with three items each, in turns. */
function rows(users: number, line: (user: string, item: string, time: number) => string): string[] {
  return Array.from({ length: 3 * users }, (_, i) => line(`u${i % users}`, `i${i % 7}`, 1000 - i));
}

const parse = (text: string, options: InteractionOptions = {}, name = "shop.csv") =>
  parseInteractions(new TextEncoder().encode(text), name, options);
const csv = (...extra: string[]) =>
  ["Order Date,customer_id,Product", ...rows(25, (u, i, t) => `${t},${u},${i}`), ...extra].join("\n");

describe("a table of interactions", () => {
  it("finds its columns and orders by time", () => {
    const { sequences, notes } = parse(csv(), { time: "Order Date" });
    expect(notes).toEqual([
      'users from column "customer_id" (--user takes another)',
      'items from column "Product" (--item takes another)',
    ]);
    expect(sequences).toHaveLength(25);
    // Later rows are earlier times.
    expect(sequences[0]).toEqual(["i1", "i4", "i0"]);
  });

  it("takes the rows' order where nothing says when, and says so", () => {
    const { sequences, notes } = parse(["user,item", ...rows(20, (u, i) => `${u},${i}`)].join("\n"));
    expect(notes.at(-1)).toMatch(/found no column of times; the rows count as in time order/);
    expect(sequences[0]).toEqual(["i0", "i6", "i5"]);
  });

  it("reads JSON lines with numbers and dates", () => {
    const lines = rows(20, (u, i, t) =>
      JSON.stringify({ userId: u, itemId: Number(i.slice(1)), timestamp: new Date(t * 1e6).toISOString() }),
    );
    const { sequences } = parse(lines.join("\n"), {}, "shop.jsonl");
    expect(sequences[0]).toEqual(["5", "6", "0"]);
  });

  it.each([
    [csv("7,,i1"), {}, /shop\.csv, line 77: expected a user in column "customer_id", got none/],
    [csv("7,u1,"), {}, /line 77, column "Product": expected an id, got none/],
    [csv('7,u1,"a\nb"'), {}, /line 77, column "Product": expected an id without line breaks/],
    [csv("soon,u1,i1"), { time: "Order Date" }, /line 77: expected a number or a date as .* got "soon"/],
    [csv("2026-11-30,u1,i1"), { time: "Order Date" }, /line 77: expected a number as in line 2, got "2026-11-30"/],
    [csv("7,u1,i1,9"), {}, /line 77: expected 3 fields as in the header, got 4/],
    [
      csv(),
      { item: "sku" },
      /expected a column "sku" \(--item\), got the columns "Order Date", "customer_id", "Product"/,
    ],
    [csv(), { item: "customer_id" }, /expected two columns, got "customer_id" for both --user and --item/],
    ["a,b\n1,2\n", {}, /found no column of users; name it with --user out of "a", "b"/],
    ["user,item\nx,1\nx,2\nx,3\n", {}, /expected at least 20 users with three items or more, got 1/],
    ["", {}, /expected a header line and rows, got an empty file/],
  ])("refuses with the row's place: %#", (text, options, message) => {
    expect(() => parse(text, options)).toThrow(message);
  });
});

describe("nearest neighbours", () => {
  const splits = splitHistories([
    ["a", "b", "x", "y"],
    ["a", "b", "c", "x", "y"],
    ["c", "d", "x", "y"],
    ["c", "d", "x", "y"],
  ]);
  const row = (id: string) => splits.items.indexOf(id);

  it("are those who were taken together, against how often they were taken", () => {
    const knn = new ItemKnn(splits);
    // a and b were taken together by both their users, b and c by one of two and three.
    expect(knn.rank([row("b")], { shrinkage: 0, decay: 1 }, 5)).toEqual([row("a"), row("c")]);
    expect(knn.rank([row("x")], { shrinkage: 0, decay: 1 }, 5)).toEqual([]);
    // What was taken last counts most.
    expect(knn.rank([row("a"), row("d")], { shrinkage: 0, decay: 0.1 }, 1)).toEqual([row("c")]);
    expect(knn.rank([row("d"), row("a")], { shrinkage: 0, decay: 0.1 }, 1)).toEqual([row("b")]);
  });

  it("popularity leaves out what a user has", () => {
    const questions = [{ history: [row("c")], next: row("a") }];
    expect(popularityQuality(splits, questions)).toEqual({ recall: 1, ndcg: 1, questions: 1 });
  });
});

it("ranking figures are those of one right item", () => {
  expect(placeOf([4, 7, 1], 7)).toBe(2);
  expect(placeOf([4, 7, 1], 9)).toBeUndefined();
  const { recall, ndcg } = rankingQuality([1, 3, undefined, undefined]);
  expect(recall).toBe(0.5);
  expect(ndcg).toBeCloseTo((1 + 0.5) / 4, 12);
});

import { describe, expect, it } from "vitest";
import {
  type Figure,
  formatFigures,
  formatTable,
  meetsBar,
  ratios,
  spreadOf,
  summarize,
} from "../../scripts/bench/figures.ts";

describe("spreadOf", () => {
  it("takes the middle of an odd number of samples, and the mean of the two middle ones of an even number", () => {
    expect(spreadOf([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9, runs: 3 });
    expect(spreadOf([8, 2, 4, 100])).toEqual({ median: 6, min: 2, max: 100, runs: 4 });
  });

  it("sorts numbers, not text", () => expect(spreadOf([10, 9, 100]).median).toBe(10));

  it("leaves the samples in their order", () => {
    const samples = [3, 1, 2];
    spreadOf(samples);
    expect(samples).toEqual([3, 1, 2]);
  });

  it("refuses none", () => expect(() => spreadOf([])).toThrow(RangeError));
});

it("summarize names the figure and carries its bar", () => {
  const bar = { atMost: 4 };
  expect(summarize("x", "ms", [3, 1, 2], bar)).toEqual({
    name: "x",
    unit: "ms",
    value: 2,
    min: 1,
    max: 3,
    runs: 3,
    bar,
  });
  expect(summarize("x", "ms", [1])).not.toHaveProperty("bar");
});

it("ratios are taken round by round", () => {
  expect(ratios([2, 9], [1, 3])).toEqual([2, 3]);
  expect(() => ratios([1], [1, 2])).toThrow("expected 1 measurements, got 2");
});

describe("meetsBar", () => {
  const figure = (value: number, bar?: Figure["bar"]): Figure => ({
    name: "",
    unit: "",
    value,
    ...(bar ? { bar } : {}),
  });

  it.each([
    [figure(1, { atMost: 1 }), true],
    [figure(1.01, { atMost: 1 }), false],
    [figure(8, { atLeast: 8 }), true],
    [figure(7.99, { atLeast: 8 }), false],
    [figure(1), undefined],
    [figure(Number.NaN, { atLeast: 8 }), false],
    [figure(Number.NaN, { atMost: 8 }), false],
  ])("%o", (given, met) => expect(meetsBar(given)).toBe(met));
});

it("a table says median, spread, bar and verdict", () => {
  const text = formatFigures([
    summarize("first answer", "ms", [120, 90, 400], { atMost: 100 }),
    summarize("ratio", "×", [8.25], { atLeast: 8 }),
    { name: "size", unit: "kB", value: 123456 },
  ]);
  expect(text.split("\n").map((line) => line.trimEnd())).toEqual([
    "what          median      min…max (runs)  bar",
    "first answer  120 ms      90.0…400 (3)    ≤ 100   MISSED",
    "ratio         8.25 ×      8.25…8.25 (1)   ≥ 8.00  met",
    "size          123,456 kB",
  ]);
});

it("columns of numbers stand flush right", () => {
  expect(
    formatTable(
      ["name", "count"],
      [
        ["a", "5"],
        ["long", "1000"],
      ],
    ),
  ).toBe("name  count\na         5\nlong   1000");
});

import { describe, expect, test } from "vitest";
import { curvePlot } from "../../scripts/report/curve.ts";
import { formatTable, percent } from "../../scripts/report/table.ts";

describe("curvePlot", () => {
  const plot = {
    title: "a & b",
    xName: "rows",
    yName: "accuracy",
    series: [
      { name: "one", points: [100, 1_000, 10_000].map((x, i) => ({ x, y: 50 + 10 * i })) },
      { name: "other", points: [{ x: 100, y: 40 }] },
    ],
  };
  const places = (svg: string) =>
    [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map((m) => [+m[1]!, +m[2]!]);

  test("rows lie as far apart as their ratio, more is higher", () => {
    const svg = curvePlot(plot);
    const [first, second, third, other] = places(svg);
    expect(second![0]! - first![0]!).toBeCloseTo(third![0]! - second![0]!, 0);
    expect(second![1]!).toBeLessThan(first![1]!);
    expect(other![0]).toBe(first![0]);
    expect(svg).toContain("<title>a &amp; b</title>");
    expect(svg).toContain(">10,000<");
  });

  test("one number of rows is a dot in the middle", () => {
    const svg = curvePlot({ ...plot, series: plot.series.slice(1) });
    expect(places(svg)).toHaveLength(1);
    expect(svg).not.toContain("NaN");
  });
});

test("formatTable aligns its columns", () => {
  expect(
    formatTable(
      ["name", "n"],
      [
        ["a", "1,000"],
        ["long name", ""],
      ],
    ),
  ).toBe(["name           n", "a          1,000", "long name"].join("\n"));
  expect([percent(0.12345), percent(undefined)]).toEqual(["12.35", ""]);
});

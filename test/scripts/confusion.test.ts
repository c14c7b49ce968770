import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { confusionPlot, writeConfusionPlot } from "../../scripts/report/confusion.ts";

/** Class i answered right 9 times and once as the next class. */
const matrix = (classes: number) =>
  Array.from({ length: classes }, (_, i) =>
    Array.from({ length: classes }, (_, j) => (i === j ? 9 : j === (i + 1) % classes ? 1 : 0)),
  );
const names = (classes: number) => Array.from({ length: classes }, (_, i) => `class ${i}`);
const count = (svg: string, part: string) => svg.split(part).length - 1;

test("few classes are named on both sides and counted", () => {
  const svg = confusionPlot({
    title: "tickets: 90 % right",
    labels: ["<billing> & co", "support", null],
    confusion: matrix(3),
  });
  expect(count(svg, "&lt;billing&gt; &amp; co</text>")).toBe(2);
  expect(count(svg, "(out of scope)</text>")).toBe(2);
  expect(count(svg, ">9</text>")).toBe(3);
  expect(svg).toContain("<title>&lt;billing&gt; &amp; co answered as support: 1 of 10</title>");
  expect(svg).toContain("<title>tickets: 90 % right</title>");
  expect(svg).not.toMatch(/NaN|undefined|Infinity|<billing>/);
});

test("151 classes are numbered, with the most confused named beside", () => {
  const pairs = [{ expected: "class 0", predicted: "class 150", count: 4, share: 0.2, examples: [] }];
  const svg = confusionPlot({ title: "intents", labels: names(151), confusion: matrix(151), pairs });
  expect(svg).toContain("1 class 0 → 151 class 150: 4</text>");
  expect(count(svg, "class 7</text>")).toBe(0);
  for (const tick of ["20", "40", "140"]) expect(count(svg, `>${tick}</text>`)).toBe(2);
  expect(count(svg, "<rect ")).toBe(302 + 2);
  expect(svg.length).toBeLessThan(80_000);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});

test.each([2, 20, 21, 30, 31])("%i classes are drawn inside the picture", (classes) => {
  const svg = confusionPlot({ title: "x", labels: names(classes), confusion: matrix(classes) });
  const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number);
  for (const [, x, y, w, h] of svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"/g)) {
    expect(Number(x) + Number(w)).toBeLessThanOrEqual(width!);
    expect(Number(y) + Number(h)).toBeLessThanOrEqual(height!);
  }
});

test("a class without texts leaves its row empty", () => {
  const svg = confusionPlot({
    title: "x",
    labels: ["a", "b"],
    confusion: [
      [0, 0],
      [1, 2],
    ],
  });
  expect(count(svg, "<title>b answered")).toBe(2);
  expect(svg).not.toContain("NaN");
});

test("the matrix has to fit the labels", () => {
  expect(() => confusionPlot({ title: "x", labels: ["a", "b"], confusion: [[1, 0]] })).toThrow(
    "confusionPlot: expected a matrix of 2 × 2, got 1 rows",
  );
});

test("the file is written whole", async () => {
  const folder = await mkdtemp(join(tmpdir(), "edge-slm-confusion-"));
  try {
    const plot = { title: "x", labels: names(2), confusion: matrix(2) };
    await writeConfusionPlot(join(folder, "confusion.svg"), plot);
    expect(await readdir(folder)).toEqual(["confusion.svg"]);
    expect(await readFile(join(folder, "confusion.svg"), "utf8")).toBe(confusionPlot(plot));
    await expect(writeConfusionPlot(join(folder, "none", "c.svg"), plot)).rejects.toThrow(
      /^writeConfusionPlot: cannot write .*c\.svg: ENOENT/,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

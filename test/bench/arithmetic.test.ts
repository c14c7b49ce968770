import { describe, expect, it } from "vitest";
import { barChart, type Panel } from "../../scripts/bench/chart.ts";
import { kernelPanels } from "../../scripts/bench/chart-panels.ts";
import { spreadOf } from "../../scripts/bench/figures.ts";
import { countMacs, describeGrowth, type GrowthPoint } from "../../scripts/bench/growth/suite.ts";
import { kernelFigures } from "../../scripts/bench/kernels/report.ts";
import type { KernelRow } from "../../scripts/bench/kernels/suite.ts";
import { compareLogits } from "../../scripts/bench/models/logits.ts";
import { makeRandomModel } from "../../scripts/bench/random-model.ts";
import { tensorSpecs } from "../../worker/model/config.ts";

describe("compareLogits", () => {
  it("finds no error in what differs by a constant, as softmax does", () => {
    const a = Float32Array.of(1, 2, 4, 0, 8, 16);
    const shifted = a.map((x) => x + 32);
    const { sameChoice, relativeError } = compareLogits(a, shifted, 3);
    expect(sameChoice).toBe(1);
    expect(relativeError).toBeLessThan(1e-9);
  });

  it("counts choices step by step and errors over all of them", () => {
    // Centred: (−1, 1) against (1, −1), and twice (−2, 2).
    const { sameChoice, relativeError } = compareLogits(Float32Array.of(0, 2, 0, 4), Float32Array.of(2, 0, 0, 4), 2);
    expect(sameChoice).toBe(0.5);
    expect(relativeError).toBeCloseTo(Math.sqrt(8 / 10));
  });

  it("refuses rows that are not whole", () => {
    expect(() => compareLogits(new Float32Array(5), new Float32Array(5), 3)).toThrow(RangeError);
    expect(() => compareLogits(new Float32Array(3), new Float32Array(6), 3)).toThrow("got 3 and 6");
  });
});

describe("growth", () => {
  it("counts each weight once a token of the side it is used on", () => {
    const { config } = makeRandomModel();
    const size = (isCounted: (name: string) => boolean) =>
      tensorSpecs(config)
        .filter(({ kind, name }) => kind === "matrix" && isCounted(name))
        .reduce((sum, { shape: [n, k = 1] }) => sum + n * k, 0);
    const ofSource = (name: string) => name.startsWith("encoder.") || name.includes("cross_kv");
    const { layers, vocabulary } = countMacs({ model: {}, tokens: 20, batch: 3, beamSize: 2 });
    const decoder = size((name) => name.startsWith("decoder.") && !ofSource(name));
    expect(layers).toBe(3 * 20 * (size(ofSource) + 2 * decoder));
    expect(vocabulary).toBe(3 * 20 * 2 * size((name) => name === "embedding.weight"));
  });

  const point = (value: number, ms: number): GrowthPoint => ({
    value,
    ms: spreadOf([ms]),
    workingBytes: 1,
    modelBytes: 1,
    macs: { layers: 100 * value, vocabulary: 0, attention: 0 },
  });

  it("calls time that doubles with the value linear", () => {
    const { timeExponent, macExponent, words } = describeGrowth("tokens", [point(8, 1), point(16, 2), point(32, 4)]);
    expect([timeExponent, macExponent]).toEqual([1, 1]);
    expect(words).toContain("exponent 1.00 (linear), counted work with 1.00");
  });

  it("says which way time leaves the counted work", () => {
    expect(describeGrowth("tokens", [point(8, 1), point(16, 4)]).words).toContain("Time grows more than work");
    expect(describeGrowth("beam", [point(2, 2), point(4, 2.2)]).words).toContain("more rows share each read");
  });
});

describe("kernels' figures", () => {
  const row = (build: KernelRow["build"], place: KernelRow["place"], m: number): KernelRow => ({
    shape: { m, n: 256, k: 1024 },
    place,
    build,
    peak: spreadOf([50]),
    product: spreadOf([40]),
    quantized: spreadOf([36]),
    peakShare: spreadOf([0.8]),
    peers: [
      {
        name: "onnxruntime-web",
        alone: spreadOf([3]),
        inGraph: spreadOf([4]),
        timesAlone: spreadOf([12]),
        timesInGraph: spreadOf([9]),
      },
    ],
  });

  it("have bars for workerd, at the rows and shapes of the promise", () => {
    const rows = [
      row("relaxed", "workerd", 1),
      row("relaxed", "Node", 1),
      row("relaxed", "workerd", 4),
      row("simd", "workerd", 1),
    ];
    const figures = kernelFigures(rows, [[256, 1024]]).filter(({ bar }) => bar);
    expect(figures.map(({ name, value, bar }) => [name, value, bar])).toEqual([
      ["m = 1, [256, 1024], workerd, relaxed: share of the peak", 0.8, { atLeast: 0.75 }],
      ["m = 1, [256, 1024], workerd, relaxed: to onnxruntime-web", 12, { atLeast: 10 }],
      ["m = 1, [256, 1024], workerd, simd: to onnxruntime-web", 12, { atLeast: 5 }],
    ]);
  });

  it("are drawn with a bar for each contender", () => {
    const [panel] = kernelPanels([row("relaxed", "workerd", 1), row("simd", "workerd", 1)], [[256, 1024]]);
    expect(panel!.groups).toHaveLength(1);
    expect(panel!.groups[0]!.bars.map(({ series, spread }) => [series, spread.median])).toEqual([
      ["relaxed, in workerd", 36],
      ["baseline, in workerd", 36],
      ["onnxruntime-web", 3],
      ["peak of the dot product", 50],
    ]);
  });
});

it("a chart's bars are as high as their medians, and its text is escaped", () => {
  const panel: Panel = {
    title: "a < b & c",
    unit: "ms",
    groups: [{ label: "x", bars: [2, 4].map((ms) => ({ series: `s${ms}`, spread: spreadOf([ms]) })) }],
  };
  const svg = barChart("title", [panel]);
  expect(svg).toContain("a &lt; b &amp; c");
  const heights = [...svg.matchAll(/<rect x="[\d.]+" y="[\d.]+" width="[\d.]+" height="([\d.]+)" fill/g)].map((m) =>
    Number(m[1]),
  );
  // The legend's squares are 10 high; both bars stand on the axis.
  const bars = heights.filter((height) => height !== 10);
  expect(bars[1]! / bars[0]!).toBeCloseTo(2, 1);
});

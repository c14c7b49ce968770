import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { linearAxis } from "../../scripts/report/axis.ts";
import { readMetrics } from "../../scripts/report/metrics.ts";
import { lossPlot, writeLossPlot } from "../../scripts/report/plot.ts";

const ROWS = Array.from({ length: 900 }, (_, i) => ({
  step: i + 1,
  epoch: Math.floor(i / 100),
  loss: 2 + 6 * Math.exp(-i / 100),
  elapsed_s: i * 10,
  ...(i % 100 === 99 && { dev_loss: 1.5 + 4 * Math.exp(-i / 100), dev_score: 30 - 20 * Math.exp(-i / 300) }),
}));

describe("linearAxis", () => {
  test.each([
    [[0, 9], { count: 5 }, [0, 2, 4, 6, 8, 10]],
    [[1.93, 2.41], { count: 5 }, [1.9, 2, 2.1, 2.2, 2.3, 2.4, 2.5]],
    [[0, 3], { count: 7, wholeNumbers: true }, [0, 1, 2, 3]],
    [[5], {}, [0, 1, 2, 3, 4, 5]],
    [[0], {}, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [[], {}, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [[0, 120_000, Number.NaN], { count: 6 }, [0, 20_000, 40_000, 60_000, 80_000, 100_000, 120_000]],
  ])("round ticks around %j", (values, options, ticks) => {
    expect(linearAxis(values, [0, 100], options).ticks).toEqual(ticks);
  });

  test("its ends are the given pixels", () => {
    const axis = linearAxis([0, 10], [300, 20]);
    expect([axis.place(0), axis.place(5), axis.place(10)]).toEqual([300, 160, 20]);
    expect(axis.format(1000)).toBe("1,000");
  });
});

describe("lossPlot", () => {
  test("has both losses, BLEU, units and a summary", () => {
    const svg = lossPlot(ROWS, "BLEU");
    for (const text of ["loss, nats per token", "training step", "dev loss", "BLEU on dev", "900 steps in 2.5 h"]) {
      expect(svg).toContain(text);
    }
    expect(svg).toContain("best dev BLEU 29.0 at step 900");
    expect(svg.match(/<circle /g)).toHaveLength(18);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("the first step and a run without dev figures are drawn, too", () => {
    for (const rows of [ROWS.slice(0, 1), ROWS.slice(0, 50)]) {
      const svg = lossPlot(rows, "BLEU");
      expect(svg).not.toContain("BLEU");
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  test("a long run stays a small file", () => {
    const rows = Array.from({ length: 60_000 }, (_, i) => ({ step: i + 1, loss: 3 + Math.sin(i), elapsed_s: i }));
    expect(lossPlot(rows, "BLEU").length).toBeLessThan(30_000);
  });
});

describe("files", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "edge-slm-plot-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test("metrics.jsonl becomes an SVG", async () => {
    const path = join(folder, "metrics.jsonl");
    await writeFile(path, ROWS.map((row) => `${JSON.stringify(row)}\n`).join(""));
    await writeLossPlot(path, join(folder, "loss.svg"), "BLEU");
    expect(await readFile(join(folder, "loss.svg"), "utf8")).toMatch(/^<svg xmlns=.*<\/svg>\n$/s);
    expect(await readdir(folder)).toEqual(["loss.svg", "metrics.jsonl"]);
  });

  test("no steps, no plot", async () => {
    const path = join(folder, "metrics.jsonl");
    await writeFile(path, "");
    await writeLossPlot(path, join(folder, "loss.svg"), "BLEU");
    expect(await readdir(folder)).toEqual(["metrics.jsonl"]);
  });

  test.each([
    ['{"step":1,"loss":2,"elapsed_s":3}\n{"ste', /metrics\.jsonl, line 2: expected JSON, got "\{\\"ste"$/],
    ['{"step":1,"elapsed_s":3}\n', /metrics\.jsonl, line 1: expected a number as loss, got undefined$/],
    ["null\n", /metrics\.jsonl, line 1: expected a number as step, got undefined$/],
  ])("broken metrics %j are refused", async (text, message) => {
    const path = join(folder, "metrics.jsonl");
    await writeFile(path, text);
    await expect(readMetrics(path)).rejects.toThrow(message);
  });

  test("paths that can't be read or written are named", async () => {
    await expect(readMetrics(join(folder, "none"))).rejects.toThrow(/^readMetrics: cannot read .*none: ENOENT/);
    const path = join(folder, "metrics.jsonl");
    await writeFile(path, '{"step":1,"loss":2,"elapsed_s":3}\n');
    await expect(writeLossPlot(path, join(folder, "none", "loss.svg"), "BLEU")).rejects.toThrow(
      /^writeLossPlot: cannot write .*loss\.svg: ENOENT/,
    );
  });
});

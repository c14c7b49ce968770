import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { exp } from "../reference.ts";
import { expectGolden } from "./golden.ts";
import { BUILDS, kernelsOf, streamOf, tinyTokenizerJson, tinyWeights } from "./models.ts";

const configJson = readFileSync(new URL("../fixtures/tiny/config.json", import.meta.url), "utf8");

it.each(BUILDS)("the tiny model's exact logits and text, %s build", async (build) => {
  const weights = streamOf(tinyWeights);
  await expectGolden({ configJson, tokenizerJson: tinyTokenizerJson, weights, kernels: kernelsOf(build) });
});

it("e^x stays within its documented error", () => {
  let worst = 0;
  for (let i = 0; i <= 200_000; i++) {
    const x = Math.fround(-87 + (175 * i) / 200_000);
    worst = Math.max(worst, Math.abs(exp(x) / Math.exp(x) - 1) / (2.9e-6 + 8e-8 * Math.abs(x)));
  }
  expect(worst).toBeLessThan(1);
  expect(exp(0)).toBe(1);
});

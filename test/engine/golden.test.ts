import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { exp, sigmoid, tanh } from "../reference.ts";
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

it("the gates of a long short-term memory stay within their documented error", () => {
  let worst = { sigmoid: 0, tanh: 0 };
  for (let i = 0; i <= 400_000; i++) {
    const x = Math.fround(-40 + (80 * i) / 400_000);
    worst = {
      sigmoid: Math.max(worst.sigmoid, Math.abs(sigmoid(x) - 1 / (1 + Math.exp(-x)))),
      tanh: Math.max(worst.tanh, Math.abs(tanh(x) - Math.tanh(x))),
    };
  }
  expect(worst.sigmoid).toBeLessThan(8e-7);
  expect(worst.tanh).toBeLessThan(1.6e-6);
  // Far out they are what they tend to, not NaN.
  expect([sigmoid(1e30), sigmoid(-1e30) < 1e-37, tanh(1e30), tanh(-1e30)]).toEqual([1, true, 1, -1]);
});

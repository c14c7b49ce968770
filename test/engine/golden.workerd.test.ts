import { it } from "vitest";
import relaxed from "../../build/kernels/relaxed.wasm";
import simd from "../../build/kernels/simd.wasm";
import configJson from "../fixtures/tiny/config.json?raw";
import weightsUrl from "../fixtures/tiny/model.safetensors?url&inline";
import tokenizerJson from "../fixtures/tiny/tokenizer.json?raw";
import { expectGolden } from "./golden.ts";

it.each([
  ["relaxed", relaxed],
  ["simd", simd],
])("the tiny model's exact logits and text, %s build", async (_, kernels) => {
  const { body } = await fetch(weightsUrl);
  await expectGolden({ configJson, tokenizerJson, weights: body!, kernels });
});

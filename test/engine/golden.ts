/** The golden check, the same in Node and in workerd: exact logits, tokens and text of the tiny fixture. */
import { expect } from "vitest";
import type { Prefix } from "../../worker/engine/cache.ts";
import { generate } from "../../worker/engine/generate.ts";
import { loadTransformer } from "../../worker/engine/load.ts";
import { parseConfigOf } from "../../worker/model/config.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import golden from "../fixtures/tiny/golden.json" with { type: "json" };

export interface TinyFiles {
  configJson: string;
  tokenizerJson: string;
  weights: ReadableStream<Uint8Array>;
  kernels: WebAssembly.Module;
}

export async function expectGolden({ configJson, tokenizerJson, weights, kernels }: TinyFiles): Promise<void> {
  const config = parseConfigOf("translation", configJson);
  const tokenizer = Tokenizer.fromJson(tokenizerJson);
  const model = await loadTransformer(config, weights, kernels);

  const source = tokenizer.encode(golden.text);
  expect(source).toEqual(golden.source);
  const [[best] = []] = await generate(model, [source], { beamSize: 1 });
  expect(best?.tokens).toEqual(golden.tokens);
  expect(best?.finished).toBe(golden.finished);
  expect(tokenizer.decode(best!.tokens)).toBe(golden.translation);

  const encoded = model.encode([...source, config.eos_token_id]);
  const cache = model.createCache();
  const all: Uint8Array[] = [];
  let previous: Prefix | undefined;
  const steps = [config.bos_token_id, ...golden.tokens].slice(0, golden.first_logits.length);
  steps.forEach((token, position) => {
    const prefix: Prefix = { token, previous, position, cacheRow: 0 };
    model.step([{ source: encoded, prefix }], cache, 1);
    previous = prefix;
    const logits = model.logits(0);
    expect([...logits.subarray(0, 4)]).toEqual(golden.first_logits[position]);
    all.push(new Uint8Array(logits.buffer));
  });
  const digest = await crypto.subtle.digest("SHA-256", await new Blob(all as BlobPart[]).arrayBuffer());
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  expect(hex).toBe(golden.logits_sha256);
}

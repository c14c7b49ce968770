/** Wasm memory of a model: loaded, and with a request in flight. The engine is the Worker's; memory never shrinks. */
import { generate } from "../../worker/engine/generate.ts";
import { loadTransformer } from "../../worker/engine/load.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { loadKernels } from "../kernels.ts";
import type { ModelFolder } from "../publish/model-folder.ts";
import type { Figure } from "./figures.ts";
import { SENTENCE } from "./serving.ts";

export async function benchMemory({ manifest: { config }, contents }: ModelFolder): Promise<Figure[]> {
  const weights = contents.get("model.safetensors") as Uint8Array<ArrayBuffer>;
  const modelBytes = weights.length;
  const tokenizer = Tokenizer.fromJson(new TextDecoder().decode(contents.get("tokenizer.json")));
  const transformer = await loadTransformer(config, new Blob([weights]).stream(), await loadKernels());
  const ratio = () => transformer.memoryBytes / modelBytes;
  const loaded = ratio();
  const source = tokenizer.encode(SENTENCE);
  await generate(transformer, [source], { beamSize: 1 });
  const greedy = ratio();
  await generate(transformer, [source], { beamSize: 5 });
  return [
    { name: "model.safetensors", unit: "kB", value: modelBytes / 1000 },
    { name: "wasm memory, loaded", unit: "× the model", value: loaded },
    { name: "wasm memory, one greedy request in flight", unit: "× the model", value: greedy, bar: { atMost: 3 } },
    { name: "wasm memory, one request with beam 5 in flight", unit: "× the model", value: ratio(), bar: { atMost: 3 } },
  ];
}

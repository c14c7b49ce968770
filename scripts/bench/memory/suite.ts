/**
 * Memory per model, per beam and per batch, in Node, whose engine and heap are the Worker's. The isolate's limit of
 * 128 MB counts both, and a local workerd does not enforce it.
 */
import { expectTask } from "../../../worker/model/config.ts";
import { Tokenizer } from "../../../worker/model/tokenizer.ts";
import { loadKernels } from "../../kernels.ts";
import type { ModelFolder } from "../../publish/model-folder.ts";
import { digits, type Figure, formatTable } from "../figures.ts";
import { LARGE_MODEL, makeRandomModel } from "../random-model.ts";
import { SENTENCE } from "../worker/serving.ts";
import { type MemoryRequest, type MemoryUse, measureMemory } from "./use.ts";

const LARGE_REQUEST = { beamSize: 4, maxTokens: 128 };
/** Bytes: wasm and heap, of an isolate that has 128 MB in all. */
const LARGE_LIMIT_MB = 64;
const WASM_PAGE_BYTES = 65536;
const BEAMS = [1, 2, 4, 8];
const BATCHES = [1, 4, 16, 64];

export interface MemoryRow extends MemoryUse {
  what: string;
  beamSize: number;
  batch: number;
  targetTokens: number;
  modelBytes: number;
}

export async function benchMemory({ manifest, contents }: ModelFolder): Promise<MemoryRow[]> {
  const config = expectTask("translation", manifest.config);
  const weights = contents.get("model.safetensors") as Uint8Array<ArrayBuffer>;
  const tokenizer = Tokenizer.fromJson(new TextDecoder().decode(contents.get("tokenizer.json")));
  const source = tokenizer.encode(SENTENCE);
  const kernels = await loadKernels();
  const rows: MemoryRow[] = [];
  const measure = async (beamSize: number, batch: number, maxTokens: number) => {
    const request: MemoryRequest = { sources: new Array<number[]>(batch).fill(source), beamSize, maxTokens };
    const use = await measureMemory(config, weights, kernels, [request]);
    const facts = { beamSize, batch, targetTokens: maxTokens, modelBytes: weights.length };
    rows.push({ what: manifest.id, ...facts, ...use });
  };
  const tokens = 32;
  for (const beamSize of BEAMS) await measure(beamSize, 1, tokens);
  for (const batch of BATCHES.slice(1)) await measure(1, batch, tokens);
  await measure(BEAMS.at(-1)!, BATCHES.at(-1)!, tokens);
  rows.push(await measureLarge(kernels));
  return rows;
}

/** The gate of the project: a model of 20 million parameters with a beam of 4 and 128 tokens. */
export async function measureLarge(kernels: WebAssembly.Module): Promise<MemoryRow> {
  const { config, weights, parameters } = makeRandomModel(LARGE_MODEL);
  const { beamSize, maxTokens } = LARGE_REQUEST;
  const sources = [Array.from({ length: maxTokens - 1 }, (_, i) => 3 + (i % 100))];
  const use = await measureMemory(config, weights, kernels, [{ sources, beamSize, maxTokens }]);
  const what = `${(parameters / 1e6).toFixed(1)} M random parameters`;
  return { what, beamSize, batch: 1, targetTokens: maxTokens, modelBytes: weights.length, ...use };
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(2);

export function formatMemory(rows: MemoryRow[]): string {
  const head = [
    "model",
    "beam",
    "batch",
    "tokens",
    "file MB",
    "wasm pages",
    "loaded",
    "wasm MB",
    "heap MB",
    "× the file",
  ];
  return formatTable(
    head,
    rows.map(({ what, beamSize, batch, targetTokens, modelBytes, loadedBytes, wasmBytes, heapBytes }) => [
      what,
      String(beamSize),
      String(batch),
      String(targetTokens),
      megabytes(modelBytes),
      String(wasmBytes / WASM_PAGE_BYTES),
      String(loadedBytes / WASM_PAGE_BYTES),
      megabytes(wasmBytes),
      megabytes(heapBytes),
      digits((wasmBytes + heapBytes) / modelBytes),
    ]),
  );
}

export function memoryFigures(rows: MemoryRow[]): Figure[] {
  const greedy = rows.find(({ beamSize, batch }) => beamSize === 1 && batch === 1)!;
  const large = rows.at(-1)!;
  return [
    {
      name: "wasm memory, one greedy request in flight",
      unit: "× the model",
      value: greedy.wasmBytes / greedy.modelBytes,
      bar: { atMost: 3 },
    },
    {
      name: `wasm + heap, ${large.what}, beam ${large.beamSize}, ${large.targetTokens} tokens`,
      unit: "MB",
      value: (large.wasmBytes + large.heapBytes) / 1e6,
      bar: { atMost: LARGE_LIMIT_MB },
    },
  ];
}

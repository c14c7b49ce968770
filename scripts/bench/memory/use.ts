/** Memory of a model at work: wasm memory, which grows and never shrinks, and the JS heap that lives beside it. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { generate } from "../../../worker/engine/generate.ts";
import { loadTransformer } from "../../../worker/engine/load.ts";
import type { TranslationConfig } from "../../../worker/model/config.ts";
import { streamOf } from "../stream.ts";

export interface MemoryUse {
  /** Wasm memory in bytes, whole pages of 64 KiB: with the weights loaded, and at the end. */
  loadedBytes: number;
  wasmBytes: number;
  /** What the model and its requests keep alive on the JS heap, at most, in bytes. */
  heapBytes: number;
}

export interface MemoryRequest {
  sources: number[][];
  beamSize: number;
  maxTokens: number;
}

/** Collecting garbage takes milliseconds; often enough is every few turns of the event loop. */
const SAMPLES_APART = 8;

let collect: (() => void) | undefined;

/** Bytes alive on the JS heap and in its buffers. Collects all garbage first. */
function liveBytes(): number {
  if (!collect) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Loads a model and runs requests one after the other. */
export async function measureMemory(
  config: TranslationConfig,
  weights: Uint8Array<ArrayBuffer>,
  kernels: WebAssembly.Module,
  requests: MemoryRequest[],
): Promise<MemoryUse> {
  // What the caller has let go of is gone after the event loop had a turn.
  liveBytes();
  await new Promise((resolve) => setImmediate(resolve));
  const before = liveBytes();
  const model = await loadTransformer(config, streamOf(weights), kernels);
  const loadedBytes = model.memoryBytes;
  let heapBytes = liveBytes() - before;
  for (const { sources, ...options } of requests) {
    // The engine gives the event loop its turn every few milliseconds: the moments to look.
    let isRunning = true;
    let turns = 0;
    const look = () => {
      if (turns++ % SAMPLES_APART === 0) heapBytes = Math.max(heapBytes, liveBytes() - before);
      if (isRunning) setImmediate(look);
    };
    setImmediate(look);
    await generate(model, sources, options);
    isRunning = false;
  }
  heapBytes = Math.max(heapBytes, liveBytes() - before);
  return { loadedBytes, wasmBytes: model.memoryBytes, heapBytes: Math.max(0, heapBytes) };
}

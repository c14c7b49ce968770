/** The engine with one model in workerd: a Worker whose routes load and time it. Never deployed. */
import relaxed from "../../build/kernels/relaxed.wasm";
import simd from "../../build/kernels/simd.wasm";
import type { ModelConfig } from "../../worker/model/config.ts";
import type { KernelBuild } from "../kernels.ts";
import { ModelBench } from "./model-bench.ts";

export interface LoadRequest {
  config: ModelConfig;
  build: KernelBuild;
}

export interface TimeRequest {
  source: number[];
  burstMs: number;
}

const kernels: Record<KernelBuild, WebAssembly.Module> = { relaxed, simd };
let weights: Uint8Array<ArrayBuffer> | undefined;
let bench: ModelBench | undefined;

const routes: Record<string, (request: Request) => Promise<unknown>> = {
  /** The bytes of a `model.safetensors`, for the `/load` after it. */
  "/weights": async (request) => {
    weights = new Uint8Array(await request.arrayBuffer());
    return {};
  },
  "/load": async (request) => {
    const { config, build } = (await request.json()) as LoadRequest;
    bench = await ModelBench.load(config, weights!, kernels[build]);
    return {};
  },
  "/time": async (request) => {
    const { source, burstMs } = (await request.json()) as TimeRequest;
    return bench!.time(source, burstMs);
  },
  "/time-encoder": async (request) => {
    const { source, burstMs } = (await request.json()) as TimeRequest;
    return { ms: bench!.timeEncoder(source, burstMs) };
  },
};

export default {
  async fetch(request: Request): Promise<Response> {
    const route = routes[new URL(request.url).pathname];
    return route ? Response.json(await route(request)) : new Response("no such route", { status: 404 });
  },
};

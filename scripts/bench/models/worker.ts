/** The engine in workerd: a Worker whose routes load and time a model for each task. Never deployed. */
import relaxed from "../../../build/kernels/relaxed.wasm";
import simd from "../../../build/kernels/simd.wasm";
import type { ClassificationConfig, TranslationConfig } from "../../../worker/model/config.ts";
import type { KernelBuild } from "../../kernels.ts";
import { ClassificationBench } from "./classification.ts";
import { TranslationBench } from "./translation.ts";

export interface LoadRequest {
  config: TranslationConfig | ClassificationConfig;
  build: KernelBuild;
}

export interface TimeRequest {
  /** Token ids: a source without its end token, or a text with it. */
  tokens: number[];
  burstMs: number;
}

const kernels: Record<KernelBuild, WebAssembly.Module> = { relaxed, simd };
let weights: Uint8Array;
let translation: TranslationBench;
let classification: ClassificationBench;

const routes: Record<string, (request: Request) => Promise<unknown>> = {
  /** The bytes of a `model.safetensors`, for the `/load` after it. */
  "/weights": async (request) => {
    weights = new Uint8Array(await request.arrayBuffer());
    return {};
  },
  "/load": async (request) => {
    const { config, build } = (await request.json()) as LoadRequest;
    if (config.task === "translation") translation = await TranslationBench.load(config, weights, kernels[build]);
    else classification = await ClassificationBench.load(config, weights, kernels[build]);
    return {};
  },
  "/time/translation": async (request) => {
    const { tokens, burstMs } = (await request.json()) as TimeRequest;
    return translation.time(tokens, burstMs);
  },
  "/time/classification": async (request) => {
    const { tokens, burstMs } = (await request.json()) as TimeRequest;
    return classification.time(tokens, burstMs);
  },
  "/kernel-shares/translation": async (request) => {
    const { tokens, burstMs } = (await request.json()) as TimeRequest;
    return translation.kernelShares(tokens, burstMs);
  },
  "/kernel-shares/classification": async (request) => {
    const { tokens, burstMs } = (await request.json()) as TimeRequest;
    return classification.kernelShares(tokens, burstMs);
  },
};

export default {
  async fetch(request: Request): Promise<Response> {
    const route = routes[new URL(request.url).pathname];
    return route ? Response.json(await route(request)) : new Response("no such route", { status: 404 });
  },
};

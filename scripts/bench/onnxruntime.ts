/**
 * The runtime that the benchmark stands beside: onnxruntime, in its WebAssembly and, if somebody installed it, its
 * native build. One thread, all graph optimizations on.
 */
import { createRequire } from "node:module";
import type { InferenceSession, TypedTensor } from "onnxruntime-web";

export type PeerName = "onnxruntime-web" | "onnxruntime-node";
export type Feeds = Record<string, TypedTensor<"float32"> | TypedTensor<"int64">>;

type Ort = typeof import("onnxruntime-web");

export class Peer {
  readonly name: PeerName;
  readonly version: string;
  readonly #ort: Ort;

  private constructor(name: PeerName, version: string, ort: Ort) {
    this.name = name;
    this.version = version;
    this.#ort = ort;
  }

  /** @returns undefined if it is not installed; bench.ts says how */
  static open(name: PeerName): Peer | undefined {
    // As CommonJS, which looks into NODE_PATH, too: the native build need not be installed into the project.
    const require = createRequire(import.meta.url);
    let ort: Ort;
    try {
      ort = require(name) as Ort;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return undefined;
      throw error;
    }
    if (name === "onnxruntime-web") ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "error";
    const versions = ort.env.versions as Record<string, string | undefined>;
    return new Peer(name, versions[name === "onnxruntime-web" ? "web" : "node"] ?? "?", ort);
  }

  /** @param model the bytes of an `.onnx` file */
  createSession(model: Uint8Array): Promise<InferenceSession> {
    return this.#ort.InferenceSession.create(model, {
      executionProviders: [this.name === "onnxruntime-web" ? "wasm" : "cpu"],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
    });
  }

  floats(data: Float32Array, shape: number[]): TypedTensor<"float32"> {
    return new this.#ort.Tensor("float32", data, shape);
  }

  integers(values: readonly number[], columns?: number): TypedTensor<"int64"> {
    const shape = columns ? [values.length / columns, columns] : [values.length];
    return new this.#ort.Tensor("int64", BigInt64Array.from(values, BigInt), shape);
  }
}

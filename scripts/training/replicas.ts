/**
 * Data-parallel training: one replica in this thread (a GPU), or several, each in a worker thread with its own
 * memory (the cores of a CPU). The parameters and each replica's gradients lie in shared memory; only batches and
 * sums travel as messages.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { HostBatch } from "./batches.ts";
import { parameterCount, parameterSlices } from "./parameters.ts";
import type { BatchResult, Replica, ReplicaOptions } from "./replica.ts";
import { startWebGpu } from "./webgpu.ts";

type Request = { kind: "gradients"; batch: HostBatch; seed: number } | { kind: "loss"; batch: HostBatch };
type Reply = { result: BatchResult } | { error: string } | { ready: true };
interface ThreadData extends ReplicaOptions {
  parameters: SharedArrayBuffer;
  gradients: SharedArrayBuffer;
}

export interface Replicas {
  readonly count: number;
  /** The flat parameters every replica reads; the optimizer writes them between steps. */
  readonly parameters: Float32Array;
  /** One flat gradient per replica. */
  readonly gradients: Float32Array[];
  /** Gradient sums of one batch per replica; `seeds` drive the dropout. */
  step(batches: HostBatch[], seeds: number[]): Promise<BatchResult>;
  /** Summed loss of one batch per replica, no gradient. */
  loss(batches: HostBatch[]): Promise<BatchResult>;
  close(): Promise<void>;
}

function add(results: BatchResult[]): BatchResult {
  const total = { smoothedLoss: 0, loss: 0, count: 0 };
  for (const { smoothedLoss, loss, count } of results) {
    total.smoothedLoss += smoothedLoss;
    total.loss += loss;
    total.count += count;
  }
  return total;
}

/** Starts a replica; only what it needs is loaded. @throws Error if there is no such device */
export async function createReplica(options: ReplicaOptions): Promise<Replica> {
  if (options.device === "cpu") {
    const { CpuReplica } = await import("./cpu/cpu-replica.ts");
    return new CpuReplica(options);
  }
  const { JaxReplica } = await import("./jax-replica.ts");
  return JaxReplica.create(options.device, options);
}

/** Starts `count` replicas. On WebGPU there is one, in this thread: the GPU is parallel enough. */
export async function createReplicas(options: ReplicaOptions, count: number): Promise<Replicas> {
  return count === 1 ? inThisThread(options) : inThreads(options, count);
}

async function inThisThread(options: ReplicaOptions): Promise<Replicas> {
  if (options.device === "webgpu") await startWebGpu();
  const length = parameterCount(parameterSlices(options.objective.config));
  const parameters = new Float32Array(length);
  const gradients = new Float32Array(length);
  const replica = await createReplica(options);
  return {
    count: 1,
    parameters,
    gradients: [gradients],
    step: ([batch], [seed]) => replica.gradients(parameters, batch!, seed!, gradients),
    loss: ([batch]) => replica.loss(parameters, batch!),
    close: async () => {},
  };
}

/** A worker thread that answers one request at a time. */
class ReplicaThread {
  readonly #worker: Worker;
  #settle: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | undefined;

  constructor(data: ThreadData) {
    this.#worker = new Worker(new URL(import.meta.url), { workerData: data });
    this.#worker.on("message", (reply: Reply) => {
      const settle = this.#settle;
      this.#settle = undefined;
      if ("error" in reply) settle?.reject(new Error(`train: a replica failed: ${reply.error}`));
      else settle?.resolve(reply);
    });
    this.#worker.on("error", (error) => this.#settle?.reject(error as Error));
    this.#worker.on("exit", (code) => this.#settle?.reject(new Error(`train: a replica stopped with code ${code}`)));
  }

  wait(): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  async ask(request: Request): Promise<BatchResult> {
    const reply = this.wait();
    this.#worker.postMessage(request);
    return ((await reply) as { result: BatchResult }).result;
  }

  async close(): Promise<void> {
    this.#settle = undefined;
    await this.#worker.terminate();
  }
}

async function inThreads(options: ReplicaOptions, count: number): Promise<Replicas> {
  const byteLength = 4 * parameterCount(parameterSlices(options.objective.config));
  const parameters = new SharedArrayBuffer(byteLength);
  const gradients = Array.from({ length: count }, () => new SharedArrayBuffer(byteLength));
  const threads = gradients.map((buffer) => new ReplicaThread({ ...options, parameters, gradients: buffer }));
  await Promise.all(threads.map((thread) => thread.wait()));
  return {
    count,
    parameters: new Float32Array(parameters),
    gradients: gradients.map((buffer) => new Float32Array(buffer)),
    step: async (batches, seeds) =>
      add(await Promise.all(threads.map((t, i) => t.ask({ kind: "gradients", batch: batches[i]!, seed: seeds[i]! })))),
    loss: async (batches) => add(await Promise.all(threads.map((t, i) => t.ask({ kind: "loss", batch: batches[i]! })))),
    close: async () => {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

/** The other end of `ReplicaThread`. */
async function serveThread(data: ThreadData): Promise<void> {
  const port = parentPort!;
  const parameters = new Float32Array(data.parameters);
  const gradients = new Float32Array(data.gradients);
  const replica = await createReplica(data);
  port.on("message", async (request: Request) => {
    try {
      const result =
        request.kind === "gradients"
          ? await replica.gradients(parameters, request.batch, request.seed, gradients)
          : await replica.loss(parameters, request.batch);
      port.postMessage({ result } satisfies Reply);
    } catch (error) {
      port.postMessage({ error: error instanceof Error ? error.message : String(error) } satisfies Reply);
    }
  });
  port.postMessage({ ready: true } satisfies Reply);
}

if (!isMainThread && workerData?.parameters instanceof SharedArrayBuffer) await serveThread(workerData as ThreadData);

/**
 * One copy of the network that computes the gradient of a batch. Knows nothing of optimizers, files or other replicas.
 */
import type { HostBatch } from "./batches.ts";
import type { Regularization } from "./blocks.ts";
import type { Objective } from "./objectives.ts";

/** `cpu`: our kernels on a core; `webgpu` and `wasm`: jax-js. */
export type DeviceName = "cpu" | "webgpu" | "wasm";

export interface ReplicaOptions {
  device: DeviceName;
  objective: Objective;
  regularization: Regularization;
}

/** Sums over what the batch counts (target tokens, texts, hidden tokens), in nats. */
export interface BatchResult {
  smoothedLoss: number;
  loss: number;
  count: number;
}

export interface Replica {
  /** Runs forward and backward; writes the gradient of the summed, smoothed loss into `gradients`. */
  gradients(parameters: Float32Array, batch: HostBatch, seed: number, gradients: Float32Array): Promise<BatchResult>;
  /** The loss of a batch, without dropout and smoothing. */
  loss(parameters: Float32Array, batch: HostBatch): Promise<BatchResult>;
}

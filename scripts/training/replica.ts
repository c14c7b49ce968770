/**
 * One copy of the network on one jax-js device: uploads the parameters, runs the graph over a batch, and leaves the
 * gradients in a flat array. Knows nothing of optimizers, files or other replicas.
 */
import {
  blockUntilReady,
  defaultDevice,
  init,
  jit,
  type Array as NdArray,
  numpy as np,
  valueAndGrad,
} from "@jax-js/jax";
import type { ModelConfig } from "../../worker/model/config.ts";
import type { BatchShape, HostBatch } from "./batches.ts";
import { type Batch, batchLoss, type Params, type Regularization } from "./network.ts";
import { parameterSlices, type Slice } from "./parameters.ts";

export type DeviceName = "webgpu" | "wasm";

export interface ReplicaOptions {
  device: DeviceName;
  config: ModelConfig;
  shape: BatchShape;
  regularization: Regularization;
}

/** Sums over the batch's real target tokens, in nats. */
export interface BatchResult {
  smoothedLoss: number;
  loss: number;
  tokens: number;
}

/** → [[smoothed loss, plain loss], gradient of the trained parameters] */
type GradientStep = (trained: Params, fixed: Params, batch: Batch, seed: NdArray) => [[NdArray, NdArray], Params];
type LossStep = (params: Params, batch: Batch, seed: NdArray) => [NdArray, NdArray];

export class Replica {
  readonly #options: ReplicaOptions;
  readonly #slices: Slice[];
  readonly #gradientStep: GradientStep;
  readonly #lossStep: LossStep;

  private constructor(options: ReplicaOptions) {
    this.#options = options;
    const { config, regularization } = options;
    this.#slices = parameterSlices(config);
    this.#gradientStep = jit((trained: Params, fixed: Params, batch: Batch, seed: NdArray) =>
      valueAndGrad((p: Params) => batchLoss({ ...p, ...fixed }, batch, seed, config, regularization), {
        hasAux: true,
      })(trained),
    ) as GradientStep;
    this.#lossStep = jit((params: Params, batch: Batch, seed: NdArray) =>
      batchLoss(params, batch, seed, config, { dropout: 0, labelSmoothing: 0 }),
    ) as LossStep;
  }

  /** Starts the device. @throws Error if there is none of that kind */
  static async create(options: ReplicaOptions): Promise<Replica> {
    const devices = await init(options.device);
    if (!devices.includes(options.device)) {
      throw new Error(`train: expected a ${options.device} device, found ${devices.join(", ")}; try --device wasm`);
    }
    defaultDevice(options.device);
    return new Replica(options);
  }

  /** Runs forward and backward; writes the gradient of the summed, smoothed loss into `gradients`. */
  async gradients(
    parameters: Float32Array,
    batch: HostBatch,
    seed: number,
    gradients: Float32Array,
  ): Promise<BatchResult> {
    const [[smoothed, plain], grads] = this.#gradientStep(
      this.#upload(parameters, true),
      this.#upload(parameters, false),
      this.#uploadBatch(batch),
      np.array(seed, { dtype: np.uint32 }),
    );
    await blockUntilReady(grads);
    for (const { name, offset, trainable } of this.#slices) {
      if (trainable) gradients.set((await grads[name]!.data()) as Float32Array, offset);
    }
    return this.#result(smoothed, plain, batch.tokens);
  }

  /** The loss of a batch, without dropout and smoothing. */
  async loss(parameters: Float32Array, batch: HostBatch): Promise<BatchResult> {
    const params = { ...this.#upload(parameters, true), ...this.#upload(parameters, false) };
    const [smoothed, plain] = this.#lossStep(params, this.#uploadBatch(batch), np.array(0, { dtype: np.uint32 }));
    return this.#result(smoothed, plain, batch.tokens);
  }

  async #result(smoothed: NdArray, plain: NdArray, tokens: number): Promise<BatchResult> {
    return { smoothedLoss: (await smoothed.data())[0]!, loss: (await plain.data())[0]!, tokens };
  }

  #upload(parameters: Float32Array, trainable: boolean): Params {
    const params: Params = {};
    for (const slice of this.#slices) {
      if (slice.trainable !== trainable) continue;
      // A copy: the flat array may be shared between threads, which not every device takes.
      params[slice.name] = np.array(parameters.slice(slice.offset, slice.offset + slice.length), {
        shape: slice.shape,
      });
    }
    return params;
  }

  #uploadBatch(batch: HostBatch): Batch {
    const { rows, sourceLength, targetLength } = this.#options.shape;
    const source = (data: Int32Array<ArrayBuffer>) => np.array(data, { shape: [rows, sourceLength], dtype: np.int32 });
    const target = (data: Int32Array<ArrayBuffer>) => np.array(data, { shape: [rows, targetLength], dtype: np.int32 });
    return {
      source: source(batch.source),
      sourceSegment: source(batch.sourceSegment),
      sourcePosition: source(batch.sourcePosition),
      target: target(batch.target),
      label: target(batch.label),
      targetSegment: target(batch.targetSegment),
      targetPosition: target(batch.targetPosition),
    };
  }
}

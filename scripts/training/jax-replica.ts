/**
 * A replica on a jax-js device: uploads the parameters, runs the graph over a batch, and leaves the gradients in a flat
 * array. WebGPU, or jax-js's own wasm backend, which is several times slower than cpu/ and what that is checked against.
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
import type { HostBatch } from "./batches.ts";
import type { Params } from "./blocks.ts";
import { type DeviceBatch, lossOf } from "./objectives.ts";
import { parameterSlices, type Slice } from "./parameters.ts";
import type { BatchResult, Replica, ReplicaOptions } from "./replica.ts";

/** → [[smoothed loss, plain loss], gradient of the trained parameters] */
type GradientStep = (trained: Params, fixed: Params, batch: DeviceBatch, seed: NdArray) => [[NdArray, NdArray], Params];
type LossStep = (params: Params, batch: DeviceBatch, seed: NdArray) => [NdArray, NdArray];

export class JaxReplica implements Replica {
  readonly #slices: Slice[];
  readonly #gradientStep: GradientStep;
  readonly #lossStep: LossStep;

  private constructor({ objective, regularization }: ReplicaOptions) {
    this.#slices = parameterSlices(objective.config);
    const loss = lossOf(objective);
    this.#gradientStep = jit((trained: Params, fixed: Params, batch: DeviceBatch, seed: NdArray) =>
      valueAndGrad((p: Params) => loss({ ...p, ...fixed }, batch, seed, regularization), { hasAux: true })(trained),
    ) as GradientStep;
    this.#lossStep = jit((params: Params, batch: DeviceBatch, seed: NdArray) =>
      loss(params, batch, seed, { dropout: 0, labelSmoothing: 0 }),
    ) as LossStep;
  }

  /** Starts the device. @throws Error if there is none of that kind */
  static async create(device: "webgpu" | "wasm", options: ReplicaOptions): Promise<JaxReplica> {
    const devices = await init(device);
    if (!devices.includes(device)) {
      throw new Error(`train: expected a ${device} device, found ${devices.join(", ")}; try --device cpu`);
    }
    defaultDevice(device);
    return new JaxReplica(options);
  }

  async gradients(
    parameters: Float32Array,
    batch: HostBatch,
    seed: number,
    gradients: Float32Array,
  ): Promise<BatchResult> {
    const [[smoothed, plain], grads] = this.#gradientStep(
      this.#upload(parameters, true),
      this.#upload(parameters, false),
      uploadBatch(batch),
      np.array(seed, { dtype: np.uint32 }),
    );
    await blockUntilReady(grads);
    for (const { name, offset, trainable } of this.#slices) {
      if (trainable) gradients.set((await grads[name]!.data()) as Float32Array, offset);
    }
    return readResult(smoothed, plain, batch.count);
  }

  async loss(parameters: Float32Array, batch: HostBatch): Promise<BatchResult> {
    const params = { ...this.#upload(parameters, true), ...this.#upload(parameters, false) };
    const [smoothed, plain] = this.#lossStep(params, uploadBatch(batch), np.array(0, { dtype: np.uint32 }));
    return readResult(smoothed, plain, batch.count);
  }

  #upload(parameters: Float32Array, trainable: boolean): Params {
    const params: Params = {};
    for (const slice of this.#slices) {
      if (slice.trainable !== trainable) continue;
      // A copy: the flat array may be shared between threads, which not every device takes.
      const data = parameters.slice(slice.offset, slice.offset + slice.length);
      params[slice.name] = np.array(data, { shape: slice.shape });
    }
    return params;
  }
}

function uploadBatch(batch: HostBatch): DeviceBatch {
  const upload = ([name, { data, shape }]: [string, HostBatch["arrays"][string]]) =>
    [name, np.array(data, { shape, dtype: np.int32 })] as const;
  return Object.fromEntries(Object.entries(batch.arrays).map(upload));
}

async function readResult(smoothed: NdArray, plain: NdArray, count: number): Promise<BatchResult> {
  return { smoothedLoss: (await smoothed.data())[0]!, loss: (await plain.data())[0]!, count };
}

/** One copy of the network on one core, by our own kernels. */
import type { HostBatch } from "../batches.ts";
import type { Regularization } from "../blocks.ts";
import { parameterCount, parameterSlices, type Slice } from "../parameters.ts";
import type { BatchResult, Replica, ReplicaOptions } from "../replica.ts";
import { type Address, Arena } from "./memory.ts";
import { runLoss } from "./network.ts";
import { Tape, type Tensor } from "./tape.ts";

export class CpuReplica implements Replica {
  readonly #options: ReplicaOptions;
  readonly #arena = new Arena();
  readonly #slices: Slice[];
  readonly #length: number;
  /** The flat parameters and their gradients. */
  readonly #parameters: Address;
  readonly #gradients: Address;
  readonly #weights = new Map<string, Tensor>();
  /** What a step allocates begins here. */
  readonly #mark: Address;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.#slices = parameterSlices(options.objective.config);
    this.#length = parameterCount(this.#slices);
    this.#parameters = this.#arena.allocate(this.#length);
    this.#gradients = this.#arena.allocate(this.#length);
    for (const { name, shape, offset } of this.#slices) {
      const [rows, columns] = shape.length === 2 ? shape : [1, shape[0]];
      const [value, gradient] = [this.#parameters + 4 * offset, this.#gradients + 4 * offset];
      this.#weights.set(name, { rows, columns, value, gradient });
    }
    this.#mark = this.#arena.mark;
  }

  async gradients(
    parameters: Float32Array,
    batch: HostBatch,
    seed: number,
    gradients: Float32Array,
  ): Promise<BatchResult> {
    const { dropout, labelSmoothing } = this.#options.regularization;
    this.#arena.floats(this.#gradients, this.#length).fill(0);
    const { tape, result } = this.#run(parameters, batch, { dropout, labelSmoothing }, seed, true);
    tape.backward();
    const computed = this.#arena.floats(this.#gradients, this.#length);
    for (const { offset, length, trainable } of this.#slices) {
      if (trainable) gradients.set(computed.subarray(offset, offset + length), offset);
    }
    return result;
  }

  async loss(parameters: Float32Array, batch: HostBatch): Promise<BatchResult> {
    return this.#run(parameters, batch, { dropout: 0, labelSmoothing: 0 }, 0, false).result;
  }

  #run(
    parameters: Float32Array,
    batch: HostBatch,
    { dropout, labelSmoothing }: Regularization,
    seed: number,
    learns: boolean,
  ) {
    this.#arena.release(this.#mark);
    this.#arena.floats(this.#parameters, this.#length).set(parameters);
    const tape = new Tape(this.#arena, dropout, seed, learns);
    const weights = (name: string) => this.#weights.get(name)!;
    const [smoothedLoss, loss] = runLoss(tape, weights, batch, this.#options.objective, labelSmoothing);
    return { tape, result: { smoothedLoss, loss, count: batch.count } satisfies BatchResult };
  }
}

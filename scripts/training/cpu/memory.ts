/**
 * The kernels of training and the memory they work in: an arena that every step fills from the front again. The only
 * file of the trainer that touches wasm memory.
 */
import { readFileSync } from "node:fs";

/** Byte offset into the memory. */
export type Address = number;

const PAGE_BYTES = 65536;
/** Of the address space of wasm32. */
const MAX_BYTES = 4 * 2 ** 30 - PAGE_BYTES;

/** kernels/training/index.ts as seen from outside; what the arguments are is said there. */
export interface TrainingKernels {
  f32_gemm(...args: Args<13>): void;
  f32_layer_norm(...args: Args<7>): void;
  f32_layer_norm_backward(...args: Args<9>): void;
  f32_lstm_cell(...args: Args<5>): void;
  f32_lstm_cell_backward(...args: Args<8>): void;
  f32_attention_forward(...args: Args<12>): void;
  f32_attention_backward(...args: Args<15>): void;
  f32_relu(n: number, x: Address, y: Address): void;
  f32_relu_backward(n: number, x: Address, dy: Address, dx: Address): void;
  f32_gelu(n: number, x: Address, y: Address): void;
  f32_gelu_backward(n: number, x: Address, dy: Address, dx: Address): void;
  f32_dropout_add(n: number, x: Address, seed: number, keepBelow: number, y: Address): void;
  f32_axpy(n: number, factor: number, x: Address, y: Address): void;
  f32_add_rows(m: number, n: number, x: Address, sums: Address): void;
  f32_cross_entropy(n: number, logits: Address, label: number, smoothing: number, losses: Address): void;
  memory_start(): Address;
}

type Args<N extends number, T extends number[] = []> = T["length"] extends N ? T : Args<N, [...T, number]>;

export class Arena {
  readonly kernels: TrainingKernels;
  readonly #memory = new WebAssembly.Memory({ initial: 64, maximum: 65536 });
  #floats: Float32Array;
  #next: Address;

  constructor() {
    const path = new URL("../../../build/kernels/training.wasm", import.meta.url);
    const module = new WebAssembly.Module(readFileSync(path));
    const instance = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.kernels = instance.exports as unknown as TrainingKernels;
    this.#floats = new Float32Array(this.#memory.buffer);
    this.#next = this.kernels.memory_start();
  }

  /** Where the next buffer will lie; `release` takes it back to here. */
  get mark(): Address {
    return this.#next;
  }

  /** A buffer of floats, 64-byte aligned, contents undefined. @throws RangeError if the address space is full */
  allocate(floats: number): Address {
    const address = Math.ceil(this.#next / 64) * 64;
    this.#next = address + 4 * floats;
    if (this.#next > MAX_BYTES) {
      throw new RangeError(`train: a step needs more than ${MAX_BYTES} bytes; take fewer rows a step`);
    }
    const missing = this.#next - this.#memory.buffer.byteLength;
    if (missing > 0) {
      this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
      this.#floats = new Float32Array(this.#memory.buffer);
    }
    return address;
  }

  /** The same, all zeros. */
  allocateZeros(floats: number): Address {
    const address = this.allocate(floats);
    this.floats(address, floats).fill(0);
    return address;
  }

  copy(from: Address, to: Address, floats: number): void {
    this.#floats.copyWithin(to / 4, from / 4, from / 4 + floats);
  }

  /** Gives back all that was allocated since the mark. */
  release(mark: Address): void {
    this.#next = mark;
  }

  /** A view, dead after the next `allocate`. */
  floats(address: Address, length: number): Float32Array {
    return this.#floats.subarray(address / 4, address / 4 + length);
  }
}

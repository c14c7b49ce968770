/**
 * Calls one kernel on arrays: copies them into wasm memory, runs, copies the outputs back. Around every array lies
 * poison (NaN to floats, −1 to integers) that must not change, and the last array ends where the memory ends, so a
 * write outside is noticed, and a read outside traps or poisons the result.
 */
import { readFileSync } from "node:fs";
import { ACTIVATIONS } from "../../worker/engine/runtime.ts";
import type { Activation } from "../reference.ts";

const MEMORY_BYTES = 65536;
const POISON = 0xff;
const GAP_BYTES = 64;

export const BUILDS = ["relaxed", "simd"] as const;
export type Build = (typeof BUILDS)[number];
type Data = Float32Array | Int32Array | Int8Array | Uint8Array;
type Kernel = (...args: number[]) => number | undefined;

export class Harness {
  readonly #memory = new WebAssembly.Memory({ initial: MEMORY_BYTES / 65536 });
  readonly #exports: Record<string, Kernel>;
  /** The memory between two runs: the kernels' own constants, then poison. */
  readonly #empty: Uint8Array;

  constructor(build: Build) {
    const bytes = readFileSync(new URL(`../../build/kernels/${build}.wasm`, import.meta.url));
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory: this.#memory } });
    this.#exports = instance.exports as Record<string, Kernel>;
    this.#empty = new Uint8Array(this.#memory.buffer.slice(0)).fill(POISON, this.#exports.memory_start!());
  }

  /**
   * Runs a kernel. `call` gets the kernel and the address of each array, in order.
   * @param arrays inputs and outputs; each is overwritten with what the kernel left in its place
   */
  run<T extends number | undefined>(
    name: string,
    arrays: readonly Data[],
    call: (kernel: Kernel, ...addresses: number[]) => T,
  ): T {
    const bytes = new Uint8Array(this.#memory.buffer);
    bytes.set(this.#empty);
    const addresses: number[] = [];
    let end = MEMORY_BYTES;
    for (const array of arrays.toReversed()) {
      const address = (end - array.byteLength) & ~3;
      bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), address);
      addresses.unshift(address);
      end = (address - GAP_BYTES) & ~15;
      if (end < GAP_BYTES) throw new Error(`Harness: the arrays of ${name} need more than ${MEMORY_BYTES} bytes`);
    }
    const kernel = this.#exports[name];
    if (!kernel) throw new Error(`Harness: no kernel ${name}`);
    const result = call(kernel, ...addresses);
    arrays.forEach((array, i) => {
      const place = bytes.subarray(addresses[i]!, addresses[i]! + array.byteLength);
      new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(place);
      place.fill(POISON);
    });
    if (Buffer.compare(bytes, this.#empty) !== 0) {
      const written = bytes.findIndex((byte, i) => byte !== this.#empty[i]);
      throw new Error(`${name}: wrote outside its arrays, at ${written}; they are at ${addresses}`);
    }
    return result;
  }

  /** For arrays that hold addresses: writes them inside `call`, when they are known. */
  writeInts(address: number, values: readonly number[]): void {
    new Int32Array(this.#memory.buffer, address, values.length).set(values);
  }
}

export const activationCode = (activation: Activation): number => ACTIVATIONS[activation];

/** The bits of floats, to compare them without tolerance. */
export function bits(x: Float32Array | number): Int32Array {
  return new Int32Array((typeof x === "number" ? Float32Array.of(x) : x.slice()).buffer);
}

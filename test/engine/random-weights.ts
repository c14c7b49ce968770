/**
 * A `model.safetensors` of any size with random weights, as a stream that makes each chunk when it is asked for: only
 * the loader's copy is ever whole.
 */
import { type TranslationConfig, tensorSpecs } from "../../worker/model/config.ts";
import { PACKING_VERSION, roundUp, TILE_K, TILE_N } from "../../worker/model/format.ts";

const CHUNK_BYTES = 65536;
const ALIGNMENT = 64;

interface Part {
  name: string;
  dtype: "I8" | "F32" | "I32";
  shape: number[];
  chunks: () => Generator<Uint8Array>;
}

/** Matrices −127…127 as if from numbers of variance 1 / k; the end token's row is zeros, so that it never wins. */
export function randomWeights(config: TranslationConfig): ReadableStream<Uint8Array> {
  const bytes = fileBytes(config);
  return new ReadableStream(
    {
      pull(controller) {
        const { value, done } = bytes.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    },
    // Nothing is made ahead.
    { highWaterMark: 0 },
  );
}

function* fileBytes(config: TranslationConfig): Generator<Uint8Array> {
  const random = makeRandom(23);
  const parts = tensorSpecs(config).flatMap(({ name, shape, kind }): Part[] => {
    const [n, k = 1] = shape;
    if (kind === "matrix") {
      return matrixParts(name, n, k, random, name === "embedding.weight" ? config.eos_token_id : -1);
    }
    const length = roundUp(n * k, TILE_N);
    const make = () => (kind === "norm_weight" ? 1 : 0.02 * random());
    return [{ name, dtype: "F32", shape: [length], chunks: () => floats(length, make) }];
  });
  const entries: Record<string, unknown> = { __metadata__: { packing: String(PACKING_VERSION) } };
  let end = 0;
  for (const { name, dtype, shape } of parts) {
    const start = end;
    end += shape.reduce((product, size) => product * size, dtype === "I8" ? 1 : 4);
    entries[name] = { dtype, shape, data_offsets: [start, end] };
  }
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const head = new Uint8Array(roundUp(8 + json.length, ALIGNMENT)).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(head.length - 8), true);
  head.set(json, 8);
  yield head;
  for (const { chunks } of parts) yield* chunks();
}

function matrixParts(name: string, rows: number, columns: number, random: () => number, zeroRow: number): Part[] {
  const n = roundUp(rows, TILE_N);
  const k = roundUp(columns, TILE_K);
  const sum = new Int32Array(n);
  function* packed() {
    for (let tile = 0; tile < n; tile += TILE_N) {
      const q = new Int8Array(TILE_N * k);
      for (let i = 0; i < q.length; i++) {
        const row = tile + ((i % (TILE_N * TILE_K)) >> 2);
        if (row === zeroRow || row >= rows) continue;
        q[i] = 127 * random();
        sum[row]! += q[i]!;
      }
      yield new Uint8Array(q.buffer);
    }
  }
  function* sums() {
    yield new Uint8Array(sum.buffer);
  }
  const scale = Math.sqrt(3 / columns) / 127;
  return [
    { name, dtype: "I8", shape: [n / TILE_N, k / TILE_K, TILE_N, TILE_K], chunks: packed },
    { name: `${name}_scale`, dtype: "F32", shape: [n], chunks: () => floats(n, () => scale) },
    { name: `${name}_sum`, dtype: "I32", shape: [n], chunks: sums },
  ];
}

function* floats(length: number, make: () => number): Generator<Uint8Array> {
  for (let start = 0; start < length; start += CHUNK_BYTES / 4) {
    const chunk = Float32Array.from({ length: Math.min(CHUNK_BYTES / 4, length - start) }, make);
    yield new Uint8Array(chunk.buffer);
  }
}

/** Numerical Recipes' linear congruence: −1…1. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/**
 * Every kernel of both builds against the naive loops, to the bit: relaxed = simd = scalar, whichever way the products
 * are summed. 16,000 random shapes and values, with tails in every dimension and the ends of each range.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { selfAttentionScratch } from "../../worker/engine/runtime.ts";
import { packMatrix, roundUp } from "../../worker/model/format.ts";
import * as reference from "../reference.ts";
import { activationCode, BUILDS, bits, Harness } from "./harness.ts";

/** Cases of each property. */
const RUNS = 1000;

const ordinary = fc.float({ min: -8, max: 8, noNaN: true });
/** The ends of the range: zeros with their signs, denormals, the smallest normal number, and huge ones. */
const ends = (largest: number) =>
  fc
    .constantFrom(0, 1e-45, 1e-40, 1.1754943508222875e-38, 1e-30, 0.5, 127, 1e15, largest)
    .chain((value) => fc.constantFrom(value, -value))
    .map((value) => Math.max(-largest, Math.min(largest, value)));
/** Mostly ordinary numbers, now and then an end. */
const real = fc.oneof({ weight: 6, arbitrary: ordinary }, { weight: 1, arbitrary: ends(1e30) });
/** Numbers of a row: mixed ones, ends only, or one number all along. */
const reals = (length: number, element: fc.Arbitrary<number> = real, largest = 1e30): fc.Arbitrary<Float32Array> => {
  const many = (each: fc.Arbitrary<number>) => fc.array(each, { minLength: length, maxLength: length });
  const values = fc.oneof(
    { weight: 8, arbitrary: many(element) },
    { weight: 1, arbitrary: many(ends(largest)) },
    { weight: 1, arbitrary: fc.oneof(element, ends(largest)).map((value) => new Array<number>(length).fill(value)) },
  );
  return values.map((x) => Float32Array.from(x));
};
const row = (min: number, max: number, element?: fc.Arbitrary<number>) =>
  fc.integer({ min, max }).chain((length) => reals(length, element));
/** Export never writes −128, but a file may hold it. */
const int8 = fc.oneof(fc.integer({ min: -128, max: 127 }), fc.constantFrom(-128, 127));
const int7 = fc.oneof(fc.integer({ min: 0, max: 127 }), fc.constantFrom(0, 127));
/** As many of either, or the same all along: the largest sums are those of equal ends. */
const integers = (length: number, element: fc.Arbitrary<number>) =>
  fc.oneof(
    { weight: 8, arbitrary: fc.array(element, { minLength: length, maxLength: length }) },
    { weight: 1, arbitrary: element.map((value) => new Array<number>(length).fill(value)) },
  );

/** One f32 scale and one i32 zero point a row. */
function paramsOf(rows: readonly { scale: number; zeroPoint: number }[]): Int32Array {
  return Int32Array.from(rows.flatMap(({ scale, zeroPoint }) => [bits(scale)[0]!, zeroPoint]));
}

describe.each(BUILDS)("%s build", (build) => {
  const harness = new Harness(build);
  const property = <T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => void) =>
    fc.assert(fc.property(arbitrary, check), { numRuns: RUNS });

  it("f32_raddexpminusmax", () => {
    property(row(1, 70), (x) => {
      const max = x.reduce((most, v) => Math.max(most, v));
      const sum = harness.run("f32_raddexpminusmax", [x.slice()], (kernel, p) => kernel(x.length, p, max));
      expect(max + Math.log(sum!)).toBe(reference.logSumExp(x));
    });
  });

  it("f32_top_k", () => {
    const few = fc.constantFrom(-1, 0, 0.5, 2);
    const input = fc
      .oneof(row(1, 70), row(1, 70, few))
      .chain((x) => fc.tuple(fc.constant(x), fc.integer({ min: 1, max: x.length })));
    property(input, ([x, k]) => {
      const expected = reference.topK(x, k);
      const values = new Float32Array(k);
      const indices = new Int32Array(k);
      harness.run("f32_top_k", [values, indices, x.slice()], (kernel, v, i, p) => kernel(x.length, p, k, v, i));
      expect([...indices]).toEqual(expected);
      expect(values).toEqual(Float32Array.from(expected, (i) => x[i]!));
    });
  });

  it("f32_layer_norm", () => {
    const input = fc
      .tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom(16, 32, 48, 128))
      .chain(([m, k]) =>
        fc.tuple(fc.constant(m), fc.constant(k), reals(m * k, ordinary), reals(k, real, 1e6), reals(k)),
      );
    property(input, ([m, k, x, weight, bias]) => {
      const y = new Float32Array(m * k);
      harness.run("f32_layer_norm", [y, weight.slice(), bias.slice(), x.slice()], (kernel, py, pw, pb, px) =>
        kernel(m, k, px, pw, pb, 1e-5, py),
      );
      for (let i = 0; i < m; i++) {
        const expected = reference.layerNorm(x.subarray(i * k, (i + 1) * k), weight, bias, 1e-5);
        expect(bits(y.subarray(i * k, (i + 1) * k))).toEqual(bits(expected));
      }
    });
  });

  it("f32_lstm_cell", () => {
    const input = fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom(4, 8, 12, 16, 48))
      .chain(([m, k]) => fc.tuple(fc.constant(m), fc.constant(k), reals(4 * m * k), reals(m * k)));
    property(input, ([m, k, gates, before]) => {
      const c = before.slice();
      const h = new Float32Array(m * k);
      harness.run("f32_lstm_cell", [h, gates.slice(), c], (kernel, ph, pg, pc) => kernel(m, k, pg, pc, ph));
      for (let i = 0; i < m; i++) {
        const place = [i * k, (i + 1) * k] as const;
        const expected = reference.lstmCell(gates.subarray(4 * place[0], 4 * place[1]), before.subarray(...place));
        expect(bits(c.subarray(...place))).toEqual(bits(expected.c));
        expect(bits(h.subarray(...place))).toEqual(bits(expected.h));
      }
    });
  });

  it("f32_qd8_quantize", () => {
    const activations = fc.constantFrom("none" as const, "relu" as const, "gelu" as const);
    const input = fc
      .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 70 }))
      .chain(([m, k]) =>
        fc.tuple(fc.constant(m), fc.constant(k), fc.oneof(reals(m * k, real, 1e38), reals(m * k, ordinary))),
      );
    property(fc.tuple(input, activations), ([[m, k, x], activation]) => {
      const paddedK = roundUp(k, 4);
      const q = new Uint8Array(m * paddedK);
      const params = new Int32Array(m * 2);
      const active = x.slice();
      harness.run("f32_qd8_quantize", [params, q, active], (kernel, pp, pq, px) =>
        kernel(m, k, px, pq, pp, activationCode(activation)),
      );
      expect(bits(active)).toEqual(bits(x.map((v) => reference.activate(v, activation))));
      const rows = Array.from({ length: m }, (_, i) => x.subarray(i * k, (i + 1) * k));
      const expected = rows.map((row) => reference.quantize(row, activation));
      expect(params).toEqual(paramsOf(expected));
      expected.forEach((row, i) => {
        const padded = new Uint8Array(paddedK);
        padded.set(row.q);
        expect(q.subarray(i * paddedK, (i + 1) * paddedK)).toEqual(padded);
      });
    });
  });

  it("qc8w_f32_embedding", () => {
    const input = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.constantFrom(4, 12, 16, 32)).chain(([n, k]) =>
      fc.record({
        n: fc.constant(n),
        k: fc.constant(k),
        q: integers(n * k, int8).map((q) => Int8Array.from(q)),
        scale: reals(n),
        token: fc.integer({ min: 0, max: n - 1 }),
        position: reals(k),
      }),
    );
    property(input, ({ n, k, q, scale, token, position }) => {
      const y = new Float32Array(k);
      harness.run(
        "qc8w_f32_embedding",
        [y, scale.slice(), position.slice(), packMatrix(q, n, k)],
        (kernel, py, ps, pp, pw) => kernel(token, k, pw, ps, Math.sqrt(k), pp, py),
      );
      expect(bits(y)).toEqual(bits(reference.embed({ n, k, q, scale }, token, Math.sqrt(k), position)));
    });
  });

  it("f32_attention", () => {
    const input = fc
      .record({
        m: fc.integer({ min: 1, max: 5 }),
        nHeads: fc.integer({ min: 1, max: 3 }),
        dHead: fc.constantFrom(4, 8, 12, 16, 20, 32, 36, 64),
        t: fc.integer({ min: 1, max: 24 }),
      })
      .chain(({ m, nHeads, dHead, t }) => {
        const size = nHeads * dHead;
        return fc.record({
          nHeads: fc.constant(nHeads),
          size: fc.constant(size),
          queries: fc.array(reals(size, ordinary, 1e15), { minLength: m, maxLength: m }),
          keys: fc.array(reals(size, ordinary, 1e15), { minLength: t, maxLength: t }),
          values: fc.array(reals(size), { minLength: t, maxLength: t }),
          // Where in memory each position's row is: any order will do.
          order: fc.shuffledSubarray([...Array(t).keys()], { minLength: t }),
          // Floats between the rows of the queries, and of the outputs.
          gap: fc.constantFrom(0, 4, 5),
        });
      });
    property(input, ({ nHeads, size, queries, keys, values, order, gap }) => {
      const m = queries.length;
      const t = keys.length;
      const dHead = size / nHeads;
      const cache = new Float32Array(2 * size * t);
      order.forEach((place, position) => {
        cache.set(keys[position]!, 2 * size * place);
        cache.set(values[position]!, 2 * size * place + size);
      });
      const stride = size + gap;
      const q = new Float32Array(m * stride - gap);
      for (const [i, query] of queries.entries()) q.set(query, i * stride);
      const out = new Float32Array(m * stride - gap).fill(7);
      const rows = new Int32Array(t);
      const scores = new Float32Array(Math.min(m, 2) * nHeads * (roundUp(t, 4) + 4));
      harness.run("f32_attention", [out, scores, q, rows, cache], (kernel, po, ps, pq, pr, pc) => {
        // The table holds addresses, known only now.
        harness.writeInts(
          pr,
          order.map((place) => pc + 8 * size * place),
        );
        const factor = 1 / Math.sqrt(dHead);
        return kernel(m, nHeads, dHead, pq, 4 * stride, pr, t, 0, 4 * size, factor, ps, po, 4 * stride);
      });
      const expected = new Float32Array(out.length).fill(7);
      for (const [i, query] of queries.entries()) {
        expected.set(reference.attention(query, keys, values, nHeads), i * stride);
      }
      expect(bits(out)).toEqual(bits(expected));
      expect(out.some(Number.isNaN)).toBe(false);
    });
  });

  it("f32_self_attention", () => {
    const input = fc
      .record({
        t: fc.integer({ min: 1, max: 19 }),
        nHeads: fc.integer({ min: 1, max: 2 }),
        dHead: fc.constantFrom(4, 8, 12, 16, 20, 32, 36),
      })
      .chain(({ t, nHeads, dHead }) => {
        const size = nHeads * dHead;
        const rows = (largest: number) => fc.array(reals(size, ordinary, largest), { minLength: t, maxLength: t });
        return fc.record({
          nHeads: fc.constant(nHeads),
          dHead: fc.constant(dHead),
          queries: rows(1e15),
          keys: rows(1e15),
          values: rows(1e30),
          // Floats between the rows of the inputs, and of the outputs.
          gap: fc.constantFrom(0, 4, 5),
        });
      });
    property(input, ({ nHeads, dHead, queries, keys, values, gap }) => {
      const t = queries.length;
      const size = nHeads * dHead;
      const stride = 3 * size + gap;
      const x = new Float32Array(t * stride - gap);
      queries.forEach((query, r) => {
        x.set(query, r * stride);
        x.set(keys[r]!, r * stride + size);
        x.set(values[r]!, r * stride + 2 * size);
      });
      const out = new Float32Array(t * (size + gap) - gap).fill(7);
      const scratch = new Int32Array(selfAttentionScratch(dHead, t));
      harness.run("f32_self_attention", [out, scratch, x], (kernel, po, ps, px) =>
        kernel(t, nHeads, dHead, px, px + 4 * size, px + 8 * size, 4 * stride, ps, po, 4 * (size + gap)),
      );
      const expected = new Float32Array(out.length).fill(7);
      reference.selfAttention(queries, keys, values, nHeads).forEach((row, r) => {
        expected.set(row, r * (size + gap));
      });
      expect(bits(out)).toEqual(bits(expected));
      expect(out.some(Number.isNaN)).toBe(false);
    });
  });

  it("qd8_f32_qc8w_gemm", () => {
    const input = fc
      .oneof(
        {
          weight: 9,
          arbitrary: fc.tuple(
            fc.integer({ min: 1, max: 7 }),
            fc.integer({ min: 1, max: 50 }),
            fc.integer({ min: 1, max: 70 }),
          ),
        },
        // Long sums.
        {
          weight: 1,
          arbitrary: fc.tuple(
            fc.integer({ min: 1, max: 3 }),
            fc.constant(3),
            fc.constantFrom(500, 512, 516, 1024, 1540),
          ),
        },
      )
      .chain(([m, n, k]) =>
        fc.record({
          m: fc.constant(m),
          n: fc.constant(n),
          k: fc.constant(k),
          rows: fc.array(
            fc.record({
              q: integers(k, int7).map((q) => Uint8Array.from(q)),
              scale: fc.float({ min: Math.fround(1e-4), max: 100, noNaN: true }),
              zeroPoint: int7,
            }),
            { minLength: m, maxLength: m },
          ),
          q: integers(n * k, int8).map((q) => Int8Array.from(q)),
          scale: reals(n, fc.float({ min: Math.fround(1e-6), max: 1, noNaN: true })),
          bias: fc.option(reals(n), { nil: undefined }),
          residual: fc.option(reals(m * roundUp(n, 16)), { nil: undefined }),
          inPlace: fc.boolean(),
        }),
      );
    property(input, ({ m, n, k, rows, q, scale, bias, residual, inPlace }) => {
      const paddedN = roundUp(n, 16);
      const paddedK = roundUp(k, 4);
      const a = new Uint8Array(m * paddedK);
      rows.forEach((row, i) => {
        a.set(row.q, i * paddedK);
      });
      const sum = new Int32Array(paddedN);
      q.forEach((value, i) => {
        sum[Math.floor(i / k)]! += value;
      });
      const padded = (x: Float32Array) => {
        const y = new Float32Array(paddedN);
        y.set(x);
        return y;
      };
      // Both ways to sum; the baseline build has one.
      const ways = ["qd8_f32_qc8w_gemm", ...(build === "relaxed" ? ["qd8_f32_qc8w_gemm_pairs"] : [])];
      const results = ways.map((way) => {
        const c = residual && inPlace ? residual.slice() : new Float32Array(m * paddedN);
        const arrays = [
          paramsOf(rows),
          padded(scale),
          sum,
          padded(bias ?? new Float32Array(n)),
          residual?.slice() ?? new Float32Array(0),
          c,
          packMatrix(q, n, k),
          a,
        ];
        harness.run(way, arrays, (kernel, pp, ps, pi, pb, pr, pc, pw, pa) => {
          const residualAddress = !residual ? 0 : inPlace ? pc : pr;
          const others = [bias ? pb : 0, residualAddress, pc, 4 * paddedN];
          return kernel(m, paddedN, paddedK, pa, pp, pw, ps, pi, ...others);
        });
        return c;
      });
      rows.forEach((row, i) => {
        const start = i * paddedN;
        const expected = reference.product(row, { n, k, q, scale }, bias, residual?.subarray(start));
        for (const c of results) expect(bits(c.subarray(start, start + n))).toEqual(bits(expected));
        expect(expected.some(Number.isNaN)).toBe(false);
      });
    });
  });
});

/**
 * A tape of matrix operations: each call computes its result at once and notes how to pass a gradient back; `backward`
 * plays the notes from the end (reverse-mode differentiation, as micrograd and llm.c do it). The operations are as coarse
 * as the network's blocks, and texts of any length lie one behind the other, so nothing is padded.
 */
import type { Address, Arena } from "./memory.ts";

/** A matrix [rows, columns] f32 and the gradient of the loss for it. */
export interface Tensor {
  readonly rows: number;
  readonly columns: number;
  readonly value: Address;
  readonly gradient: Address;
}

/** [texts, d_model] each. */
export interface LstmState {
  readonly h: Tensor;
  readonly c: Tensor;
}

/** Rows of one text (or one side of a sentence pair) in a matrix. */
export interface Segment {
  readonly start: number;
  readonly length: number;
}

/** The words of a text by the rows of their first and last tokens, and which spans of them are right. */
export interface SpanTargets {
  starts: readonly number[];
  ends: readonly number[];
  /** Row that stands for "none". */
  none: number;
  /** Rows of the first and the last token of each right span. */
  golds: readonly (readonly [number, number])[];
}

const F32 = 4;
/** Of `softmaxRegression`: rows at a time, a block of the product's, and logits of theirs at most. */
const SOFTMAX_ROWS = 96;
const MAX_LOGITS = 2 ** 24;

export class Tape {
  readonly #arena: Arena;
  readonly #notes: (() => void)[] = [];
  readonly #dropout: number;
  readonly #learns: boolean;
  #seed: number;

  /**
   * @param dropout probability that an element is dropped where `dropout` or `residual` say so
   * @param seed 32 bits; equal seeds drop equal elements
   * @param learns whether `backward` will be called
   */
  constructor(arena: Arena, dropout: number, seed: number, learns = true) {
    this.#arena = arena;
    this.#dropout = dropout;
    this.#seed = seed;
    this.#learns = learns;
  }

  backward(): void {
    for (const note of this.#notes.toReversed()) note();
  }

  /** x [P, k] · weightᵀ + bias → [P, n]; weight [n, k] */
  linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
    const { kernels } = this.#arena;
    const [m, n, k] = [x.rows, weight.rows, x.columns];
    const y = this.#create(m, n);
    kernels.f32_gemm(m, n, k, x.value, k * F32, F32, weight.value, F32, k * F32, bias?.value ?? 0, y.value, n * F32, 0);
    this.#notes.push(() => {
      const { value: w, gradient: dw } = weight;
      kernels.f32_gemm(m, k, n, y.gradient, n * F32, F32, w, k * F32, F32, 0, x.gradient, k * F32, 1);
      kernels.f32_gemm(n, k, m, y.gradient, F32, n * F32, x.value, k * F32, F32, 0, dw, k * F32, 1);
      if (bias) kernels.f32_add_rows(m, n, y.gradient, bias.gradient);
    });
    return y;
  }

  layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
    const { kernels } = this.#arena;
    const { rows, columns } = x;
    const y = this.#create(rows, columns);
    kernels.f32_layer_norm(rows, columns, x.value, weight.value, bias.value, epsilon, y.value);
    this.#notes.push(() => {
      const gradients = [y.gradient, x.gradient, weight.gradient, bias.gradient] as const;
      kernels.f32_layer_norm_backward(rows, columns, x.value, weight.value, epsilon, ...gradients);
    });
    return y;
  }

  activation(kind: "relu" | "gelu", x: Tensor): Tensor {
    const { kernels } = this.#arena;
    const forward = kind === "relu" ? kernels.f32_relu : kernels.f32_gelu;
    const back = kind === "relu" ? kernels.f32_relu_backward : kernels.f32_gelu_backward;
    const y = this.#create(x.rows, x.columns);
    const size = x.rows * x.columns;
    forward(size, x.value, y.value);
    this.#notes.push(() => back(size, x.value, y.gradient, x.gradient));
    return y;
  }

  /**
   * Attention of each query segment to the key segment of the same number.
   * @param query whose columns from `queryColumn` on are the queries [ΣTq, d]
   * @param keyValue whose columns from `keyColumn` on are the keys [ΣTk, d], and behind them the values
   */
  attention(
    d: number,
    nHeads: number,
    causal: boolean,
    [query, queryColumn, querySegments]: [Tensor, number, readonly Segment[]],
    [keyValue, keyColumn, keySegments]: [Tensor, number, readonly Segment[]],
  ): Tensor {
    const { kernels } = this.#arena;
    const dHead = d / nHeads;
    const out = this.#create(query.rows, d);
    const qRow = query.columns * F32;
    const kRow = keyValue.columns * F32;
    const probs = querySegments.map(({ length }, i) =>
      this.#arena.allocate(nHeads * length * keySegments[i]!.length + 4 * nHeads * length),
    );
    const at = (i: number) => {
      const [q, k] = [querySegments[i]!, keySegments[i]!];
      const qOffset = (q.start * query.columns + queryColumn) * F32;
      const kOffset = (k.start * keyValue.columns + keyColumn) * F32;
      return { tq: q.length, tk: k.length, qOffset, kOffset, vOffset: kOffset + d * F32, outOffset: q.start * d * F32 };
    };
    for (const [i, p] of probs.entries()) {
      const { tq, tk, qOffset, kOffset, vOffset, outOffset } = at(i);
      const { value: kv } = keyValue;
      kernels.f32_attention_forward(
        tq,
        tk,
        nHeads,
        dHead,
        query.value + qOffset,
        qRow,
        kv + kOffset,
        kv + vOffset,
        kRow,
        causal ? 1 : 0,
        p,
        out.value + outOffset,
      );
    }
    this.#notes.push(() => {
      const { mark } = this.#arena;
      for (const [i, p] of probs.entries()) {
        const { tq, tk, qOffset, kOffset, vOffset, outOffset } = at(i);
        const scratch = this.#arena.allocate(tq * (tk + 4));
        const { value: kv, gradient: dkv } = keyValue;
        const values = [query.value + qOffset, qRow, kv + kOffset, kv + vOffset, kRow, p] as const;
        const gradients = [query.gradient + qOffset, dkv + kOffset, dkv + vOffset] as const;
        kernels.f32_attention_backward(
          tq,
          tk,
          nHeads,
          dHead,
          ...values,
          out.gradient + outOffset,
          ...gradients,
          scratch,
        );
        this.#arena.release(mark);
      }
    });
    return out;
  }

  /** x + dropout(branch) */
  residual(x: Tensor, branch: Tensor): Tensor {
    const y = this.#create(x.rows, x.columns);
    const { kernels } = this.#arena;
    const size = x.rows * x.columns;
    this.#arena.copy(x.value, y.value, size);
    const add = this.#dropoutAdd(size);
    add(branch.value, y.value);
    this.#notes.push(() => {
      kernels.f32_axpy(size, 1, y.gradient, x.gradient);
      add(y.gradient, branch.gradient);
    });
    return y;
  }

  dropout(x: Tensor): Tensor {
    if (this.#dropout === 0) return x;
    const y = this.#createZeros(x.rows, x.columns);
    const add = this.#dropoutAdd(x.rows * x.columns);
    add(x.value, y.value);
    this.#notes.push(() => add(y.gradient, x.gradient));
    return y;
  }

  /** embedding[token] · sqrt(d_model) + table[position] → [P, d_model]; the table takes a gradient if it is learned. */
  embed(
    tokens: Int32Array,
    embedding: Tensor,
    at?: { positions: Int32Array; table: Tensor; learned: boolean },
  ): Tensor {
    const { kernels } = this.#arena;
    const d = embedding.columns;
    const factor = Math.sqrt(d);
    const rowBytes = d * F32;
    const x = this.#createZeros(tokens.length, d);
    tokens.forEach((token, i) => {
      kernels.f32_axpy(d, factor, embedding.value + token * rowBytes, x.value + i * rowBytes);
      if (at) kernels.f32_axpy(d, 1, at.table.value + at.positions[i]! * rowBytes, x.value + i * rowBytes);
    });
    this.#notes.push(() => {
      tokens.forEach((token, i) => {
        const gradient = x.gradient + i * rowBytes;
        kernels.f32_axpy(d, factor, gradient, embedding.gradient + token * rowBytes);
        if (at?.learned) kernels.f32_axpy(d, 1, gradient, at.table.gradient + at.positions[i]! * rowBytes);
      });
    });
    return x;
  }

  /** x += factor · the sum of some rows of a table, for each row of x. */
  addRows(x: Tensor, table: Tensor, rows: readonly (readonly number[])[], factor = 1): void {
    const { kernels } = this.#arena;
    const d = table.columns;
    const rowBytes = d * F32;
    const each = (add: (row: Address, i: Address) => void) =>
      rows.forEach((own, i) => {
        for (const row of own) add(row * rowBytes, i * rowBytes);
      });
    each((row, i) => kernels.f32_axpy(d, factor, table.value + row, x.value + i));
    this.#notes.push(() => each((row, i) => kernels.f32_axpy(d, factor, x.gradient + i, table.gradient + row)));
  }

  /**
   * A long short-term memory over texts side by side, those that go on the first rows of each step.
   * @param gates [Σ going, 4 · d] what the gates get from the input, step by step; what they get from the state is added
   * @param recurrent [4 · d, d]
   * @param going texts of each step, never more than of the one before
   * @param start the state before the first step, [going[0], d] each. Default: zeros
   * @returns the state of each text after its last step
   */
  lstm(gates: Tensor, recurrent: Tensor, going: readonly number[], start?: LstmState): LstmState {
    const { kernels } = this.#arena;
    const d = recurrent.columns;
    const texts = going[0]!;
    const { rows } = gates;
    const firsts: number[] = [];
    for (const [t] of going.entries()) firsts.push(t === 0 ? 0 : firsts[t - 1]! + going[t - 1]!);
    const state = (at: Address, row: number) => at + row * d * F32;
    const gate = (at: Address, row: number) => at + row * 4 * d * F32;
    // The state before each step, and c after it; row by row as the gates.
    const hBefore = this.#arena.allocateZeros(rows * d);
    const cBefore = this.#arena.allocateZeros(rows * d);
    const cAfter = this.#arena.allocate(rows * d);
    const [h, c] = [this.#create(texts, d), this.#create(texts, d)];
    if (start) {
      this.#arena.copy(start.h.value, hBefore, texts * d);
      this.#arena.copy(start.c.value, cBefore, texts * d);
    }
    const hasState = (t: number) => t > 0 || start !== undefined;
    for (const [t, m] of going.entries()) {
      const first = firsts[t]!;
      const [a, b, after] = [gate(gates.value, first), state(hBefore, first), state(cAfter, first)];
      if (hasState(t)) {
        kernels.f32_gemm(m, 4 * d, d, b, d * F32, F32, recurrent.value, F32, d * F32, 0, a, 4 * d * F32, 1);
      }
      this.#arena.copy(state(cBefore, first), after, m * d);
      kernels.f32_lstm_cell(m, d, a, after, h.value);
      this.#arena.copy(after, c.value, m * d);
      const next = going[t + 1] ?? 0;
      this.#arena.copy(h.value, state(hBefore, first + m), next * d);
      this.#arena.copy(after, state(cBefore, first + m), next * d);
    }
    this.#notes.push(() => {
      const [dh, dc] = [h.gradient, c.gradient];
      for (let t = going.length - 1; t >= 0; t--) {
        const first = firsts[t]!;
        const m = going[t]!;
        const [a, da] = [gate(gates.value, first), gate(gates.gradient, first)];
        kernels.f32_lstm_cell_backward(m, d, a, state(cBefore, first), state(cAfter, first), dh, dc, da);
        if (hasState(t)) {
          kernels.f32_gemm(m, d, 4 * d, da, 4 * d * F32, F32, recurrent.value, d * F32, F32, 0, dh, d * F32, 0);
        }
      }
      kernels.f32_gemm(
        4 * d,
        d,
        rows,
        gates.gradient,
        F32,
        4 * d * F32,
        hBefore,
        d * F32,
        F32,
        0,
        recurrent.gradient,
        d * F32,
        1,
      );
      if (!start) return;
      kernels.f32_axpy(texts * d, 1, dh, start.h.gradient);
      kernels.f32_axpy(texts * d, 1, dc, start.c.gradient);
    });
    return { h, c };
  }

  /** The mean of each segment's rows → [segments, columns] */
  pool(x: Tensor, segments: readonly Segment[]): Tensor {
    const { kernels } = this.#arena;
    const { columns } = x;
    const rowBytes = columns * F32;
    const y = this.#createZeros(segments.length, columns);
    segments.forEach(({ start, length }, i) => {
      for (let r = start; r < start + length; r++) {
        kernels.f32_axpy(columns, 1 / length, x.value + r * rowBytes, y.value + i * rowBytes);
      }
    });
    this.#notes.push(() => {
      segments.forEach(({ start, length }, i) => {
        for (let r = start; r < start + length; r++) {
          kernels.f32_axpy(columns, 1 / length, y.gradient + i * rowBytes, x.gradient + r * rowBytes);
        }
      });
    });
    return y;
  }

  /** Each row made to be of a length. */
  normalize(x: Tensor, length: number): Tensor {
    const { rows, columns } = x;
    const y = this.#create(rows, columns);
    const row = (address: Address, i: number) => this.#arena.floats(address + i * columns * F32, columns);
    const factors = Array.from({ length: rows }, (_, i) => {
      const values = row(x.value, i);
      const factor = length / Math.sqrt(values.reduce((sum, value) => sum + value * value, 1e-12));
      row(y.value, i).set(values.map((value) => value * factor));
      return factor;
    });
    this.#notes.push(() => {
      for (const [i, factor] of factors.entries()) {
        const [value, dy, dx] = [row(y.value, i), row(y.gradient, i), row(x.gradient, i)];
        // What of the gradient goes along the row cannot make it longer.
        const along = value.reduce((sum, v, c) => sum + v * dy[c]!, 0) / length ** 2;
        for (let c = 0; c < columns; c++) dx[c]! += factor * (dy[c]! - value[c]! * along);
      }
    });
    return y;
  }

  /** x with some elements set to a value; nothing passes back through them. x itself is changed. */
  fillWhere(x: Tensor, where: (row: number, column: number) => boolean, value: number): Tensor {
    const values = this.#arena.floats(x.value, x.rows * x.columns);
    const places = [...values.keys()].filter((i) => where(Math.floor(i / x.columns), i % x.columns));
    for (const i of places) values[i] = value;
    this.#notes.push(() => {
      const gradients = this.#arena.floats(x.gradient, x.rows * x.columns);
      for (const i of places) gradients[i] = 0;
    });
    return x;
  }

  /** Some rows of x, in the order of their numbers. */
  gather(x: Tensor, rows: readonly number[]): Tensor {
    const { kernels } = this.#arena;
    const { columns } = x;
    const rowBytes = columns * F32;
    const y = this.#createZeros(rows.length, columns);
    rows.forEach((row, i) => {
      kernels.f32_axpy(columns, 1, x.value + row * rowBytes, y.value + i * rowBytes);
    });
    this.#notes.push(() => {
      rows.forEach((row, i) => {
        kernels.f32_axpy(columns, 1, y.gradient + i * rowBytes, x.gradient + row * rowBytes);
      });
    });
    return y;
  }

  /**
   * The end of a tape: cross-entropy with label smoothing, summed over the rows.
   * @param classes of each row: which columns count, and which of them is right, counted from `first`
   * @returns [smoothed, plain], nats
   */
  crossEntropy(
    logits: Tensor,
    smoothing: number,
    classes: readonly { first: number; count: number; label: number }[],
  ): [number, number] {
    const { kernels } = this.#arena;
    const result = this.#arena.allocate(2);
    let smoothed = 0;
    let plain = 0;
    // The kernel leaves the gradient where the logits were.
    classes.forEach(({ first, count, label }, row) => {
      kernels.f32_cross_entropy(count, logits.value + (row * logits.columns + first) * F32, label, smoothing, result);
      const [s, p] = this.#arena.floats(result, 2) as unknown as [number, number];
      smoothed += s;
      plain += p;
    });
    this.#notes.push(() => {
      classes.forEach(({ first, count }, row) => {
        const offset = (row * logits.columns + first) * F32;
        this.#arena.floats(logits.gradient + offset, count).set(this.#arena.floats(logits.value + offset, count));
      });
    });
    return [smoothed, plain];
  }

  /**
   * The end of a tape: −log of the probability of all right spans together, where one softmax goes over all spans of a text
   * and "none" (question-answering.ts), summed over the texts, nats.
   * @param logits [P, 2]: of a beginning, and of an end
   */
  spanCrossEntropy(logits: Tensor, texts: readonly SpanTargets[], maxWords: number): number {
    const values = this.#arena.floats(logits.value, 2 * logits.rows);
    const gradients = new Float32Array(values.length);
    const loss = texts.reduce((sum, text) => sum + addSpanLoss(values, gradients, text, maxWords), 0);
    this.#notes.push(() => this.#arena.floats(logits.gradient, gradients.length).set(gradients));
    return loss;
  }

  /**
   * Another end of a tape, `crossEntropy` of `linear`, for so many classes that the logits of all rows at once would be
   * most of the memory and of the time it takes to walk through it: some rows at a time, each forth and back at once.
   * @param x [P, k]
   * @param weight [classes, k]
   * @param labels of each row
   * @returns [smoothed, plain], nats
   */
  softmaxRegression(x: Tensor, weight: Tensor, smoothing: number, labels: readonly number[]): [number, number] {
    const { kernels, mark } = this.#arena;
    const { rows: n, columns: k, value: w, gradient: dw } = weight;
    const step = Math.max(1, Math.min(SOFTMAX_ROWS, Math.floor(MAX_LOGITS / n)));
    const result = this.#arena.allocate(2);
    const logits = this.#arena.allocate(step * n);
    const [nRow, kRow] = [n * F32, k * F32];
    let smoothed = 0;
    let plain = 0;
    for (let first = 0; first < x.rows; first += step) {
      const m = Math.min(step, x.rows - first);
      const [value, gradient] = [x.value + first * kRow, x.gradient + first * kRow];
      kernels.f32_gemm(m, n, k, value, kRow, F32, w, F32, kRow, 0, logits, nRow, 0);
      for (let row = 0; row < m; row++) {
        kernels.f32_cross_entropy(n, logits + row * nRow, labels[first + row]!, smoothing, result);
        const [s, p] = this.#arena.floats(result, 2) as unknown as [number, number];
        smoothed += s;
        plain += p;
      }
      // The kernel left the gradient where the logits were.
      if (!this.#learns) continue;
      kernels.f32_gemm(m, k, n, logits, nRow, F32, w, kRow, F32, 0, gradient, kRow, 1);
      kernels.f32_gemm(n, k, m, logits, F32, nRow, value, kRow, F32, 0, dw, kRow, 1);
    }
    this.#arena.release(mark);
    return [smoothed, plain];
  }

  /** The gradient is zeros; so is the value, for those who add to it. */
  #createZeros(rows: number, columns: number): Tensor {
    const value = this.#arena.allocateZeros(rows * columns);
    return { rows, columns, value, gradient: this.#arena.allocateZeros(rows * columns) };
  }

  /** The same for those who write every element. */
  #create(rows: number, columns: number): Tensor {
    const value = this.#arena.allocate(rows * columns);
    return { rows, columns, value, gradient: this.#arena.allocateZeros(rows * columns) };
  }

  /** y += dropout(x), the same elements each time. */
  #dropoutAdd(size: number): (x: Address, y: Address) => void {
    const { kernels } = this.#arena;
    if (this.#dropout === 0) return (x, y) => kernels.f32_axpy(size, 1, x, y);
    // An odd constant: every call of a step draws anew.
    this.#seed = (this.#seed + 0x9e3779b1) | 0;
    const seed = this.#seed;
    const keepBelow = Math.floor((1 - this.#dropout) * 2 ** 24);
    return (x, y) => kernels.f32_dropout_add(size, x, seed, keepBelow, y);
  }
}

/**
 * The loss of one text; its gradient is added.
 * @param logits and gradients [P, 2]
 */
function addSpanLoss(
  logits: Float32Array,
  gradients: Float32Array,
  { starts, ends, none, golds }: SpanTargets,
  maxWords: number,
): number {
  const right = new Set(golds.map(([first, last]) => first * gradients.length + last));
  const isRight = (first: number, last: number) => right.has(first * gradients.length + last);
  const score = (first: number, last: number) => logits[2 * first]! + logits[2 * last + 1]!;
  const each = (visit: (first: number, last: number) => void) => {
    visit(none, none);
    for (let i = 0; i < starts.length; i++) {
      for (let j = i; j < Math.min(starts.length, i + maxWords); j++) visit(starts[i]!, ends[j]!);
    }
  };
  let most = -Infinity;
  each((first, last) => {
    most = Math.max(most, score(first, last));
  });
  let [all, good] = [0, 0];
  each((first, last) => {
    const e = Math.exp(score(first, last) - most);
    all += e;
    if (isRight(first, last)) good += e;
  });
  each((first, last) => {
    const e = Math.exp(score(first, last) - most);
    const gradient = e / all - (isRight(first, last) ? e / good : 0);
    gradients[2 * first]! += gradient;
    gradients[2 * last + 1]! += gradient;
  });
  return Math.log(all) - Math.log(good);
}

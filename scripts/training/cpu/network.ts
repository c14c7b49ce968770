/**
 * The network on a tape: the same arithmetic as ../blocks.ts and the losses beside it (translation.ts, classification.ts,
 * masked-tokens.ts, next-item.ts), which are its oracle in the tests.
 */
import {
  type ClassificationConfig,
  type EncoderClassificationConfig,
  type EncoderConfig,
  expectTransformer,
  type QuestionAnsweringConfig,
  type TranslationConfig,
} from "../../../worker/model/config.ts";
import type { HostArray, HostBatch } from "../batches.ts";
import { EXCLUDED, TEMPERATURE } from "../embedding.ts";
import type { Objective } from "../objectives.ts";
import { SEPARATOR } from "../span-batches.ts";
import { headsLoss, type Weights } from "./heads.ts";
import { lstmLoss, lstmVectors } from "./lstm.ts";
import type { Segment, SpanTargets, Tape, Tensor } from "./tape.ts";

type Arrays = HostBatch["arrays"];

/** The loss of a batch, summed over what it counts: [smoothed, plain], nats. */
export function runLoss(
  tape: Tape,
  weights: Weights,
  { arrays }: HostBatch,
  objective: Objective,
  labelSmoothing: number,
): [number, number] {
  const { config } = objective;
  if (config.model_type === "edge-slm-lstm") return lstmLoss(tape, weights, arrays, config, labelSmoothing);
  const network = new Network(tape, weights, config);
  switch (objective.kind) {
    case "translation":
      return network.translationLoss(arrays, objective.config, labelSmoothing);
    case "classification":
      return network.classificationLoss(arrays, expectTransformer(objective.config), labelSmoothing);
    case "question-answering":
      return network.spanLoss(arrays, objective.config);
    case "masked-tokens":
      return network.maskedTokensLoss(arrays, labelSmoothing);
    case "embedding":
      return network.embeddingLoss(arrays, objective.slots);
    case "next-item":
      return network.nextItemLoss(arrays, labelSmoothing);
  }
}

/** Logits [texts, labels] of each of the heads, by their index; nothing is dropped if the tape does not. */
export function runLogits(
  tape: Tape,
  weights: Weights,
  arrays: Arrays,
  config: ClassificationConfig,
  heads: readonly number[],
): Tensor[] {
  const vectors = vectorsOf(tape, weights, arrays, config);
  return heads.map((head) => {
    const name = `heads.${config.heads[head]!.name}`;
    return tape.linear(vectors, weights(`${name}.weight`), weights(`${name}.bias`));
  });
}

/** [texts, d_model], in the order of the batch's texts */
function vectorsOf(tape: Tape, weights: Weights, arrays: Arrays, config: ClassificationConfig): Tensor {
  if (config.model_type !== "edge-slm-lstm") return new Network(tape, weights, config).vectors(arrays);
  const { vectors, rows } = lstmVectors(tape, weights, arrays, config)!;
  const order = [...rows.keys()].sort((a, b) => rows[a]! - rows[b]!);
  return tape.gather(vectors, order);
}

/** The real tokens of packed rows, one text behind the other. */
interface Packed {
  tokens: Int32Array;
  positions: Int32Array;
  segments: Segment[];
  /** Row and slot of each segment in the batch. */
  slots: { row: number; slot: number }[];
  /** Place of each token in the batch, row · L + column. */
  places: number[];
}

function unpack(tokens: HostArray, segment: HostArray, position: HostArray): Packed {
  const [rows, length] = segment.shape as [number, number];
  const places: number[] = [];
  const segments: { start: number; length: number }[] = [];
  const slots: Packed["slots"] = [];
  for (let row = 0; row < rows; row++) {
    let last = 0;
    for (let i = row * length; i < (row + 1) * length; i++) {
      const number = segment.data[i]!;
      if (number === 0) continue;
      if (number !== last) {
        segments.push({ start: places.length, length: 0 });
        slots.push({ row, slot: number - 1 });
        last = number;
      }
      segments.at(-1)!.length++;
      places.push(i);
    }
  }
  const pick = ({ data }: HostArray) => Int32Array.from(places, (place) => data[place]!);
  return { tokens: pick(tokens), positions: pick(position), segments, slots, places };
}

function featureRows({ places }: Packed, { data, shape }: HostArray): number[][] {
  const count = shape.at(-1)!;
  return places.map((place) => [...data.subarray(place * count, (place + 1) * count)].filter((row) => row >= 0));
}

function nGramRows({ places }: Packed, rows: HostArray, count: HostArray): number[][] {
  const most = rows.shape.at(-1)!;
  return places.map((place) => [...rows.data.subarray(place * most, place * most + count.data[place]!)]);
}

/** What `SpanBatch` says of each text, with the rows of its tokens in place of their columns. */
function spanTargets({ segments, slots, places }: Packed, { startWord, endWord, gold }: Arrays): SpanTargets[] {
  const length = startWord!.shape[1]!;
  const [, slotCount, goldCount] = gold!.shape as [number, number, number];
  return segments.map(({ start, length: count }, i) => {
    const { row, slot } = slots[i]!;
    const rows = Array.from({ length: count }, (_, t) => start + t);
    const rowsOf = (word: HostArray, isOne: (word: number) => boolean) =>
      rows.filter((at) => isOne(word.data[places[at]!]!));
    // Where the text's first token is, all of them follow.
    const shift = start - (places[start]! - row * length);
    const golds = Array.from({ length: goldCount }, (_, g) => {
      const at = 2 * ((row * slotCount + slot) * goldCount + g);
      return [gold!.data[at]! + shift, gold!.data[at + 1]! + shift, gold!.data[at]!] as const;
    });
    return {
      starts: rowsOf(startWord!, (word) => word >= 0),
      ends: rowsOf(endWord!, (word) => word >= 0),
      none: rowsOf(startWord!, (word) => word === SEPARATOR)[0]!,
      golds: golds.flatMap(([first, last, column]) => (column < 0 ? [] : [[first, last] as const])),
    };
  });
}

class Network {
  readonly #tape: Tape;
  readonly #weights: Weights;
  readonly #config: EncoderConfig;

  constructor(tape: Tape, weights: Weights, config: EncoderConfig) {
    this.#tape = tape;
    this.#weights = weights;
    this.#config = config;
  }

  translationLoss(arrays: Arrays, { n_dec_layers }: TranslationConfig, smoothing: number): [number, number] {
    const tape = this.#tape;
    const source = unpack(arrays.source!, arrays.sourceSegment!, arrays.sourcePosition!);
    const target = unpack(arrays.target!, arrays.targetSegment!, arrays.targetPosition!);
    if (target.places.length === 0) return [0, 0];
    const memory = this.#encode(source);
    let y = tape.dropout(this.#embed(target));
    for (let i = 0; i < n_dec_layers; i++) {
      const layer = `decoder.${i}`;
      y = tape.residual(y, this.#selfAttention(y, layer, target.segments, true));
      y = tape.residual(y, this.#crossAttention(y, memory, layer, target.segments, source.segments));
      y = tape.residual(y, this.#feedForward(y, layer));
    }
    const logits = tape.linear(this.#norm(y, "decoder.norm"), this.#weights("embedding.weight"));
    const labels = target.places.map((place) => arrays.label!.data[place]!);
    return tape.crossEntropy(
      logits,
      smoothing,
      labels.map((label) => ({ first: 0, count: logits.columns, label })),
    );
  }

  classificationLoss(arrays: Arrays, config: EncoderClassificationConfig, smoothing: number): [number, number] {
    const tape = this.#tape;
    const texts = unpack(arrays.source!, arrays.sourceSegment!, arrays.sourcePosition!);
    if (texts.segments.length === 0) return [0, 0];
    const pooled = tape.dropout(tape.pool(this.#encode(texts, arrays), texts.segments));
    const [, slots] = arrays.label!.shape as [number, number];
    const places = texts.slots.map(({ row, slot }) => row * slots + slot);
    return headsLoss(tape, this.#weights, pooled, arrays, places, config, smoothing);
  }

  /** The mean of each text's outputs, [texts, d_model] */
  vectors(arrays: Arrays): Tensor {
    const texts = unpack(arrays.source!, arrays.sourceSegment!, arrays.sourcePosition!);
    return this.#tape.pool(this.#encode(texts, arrays), texts.segments);
  }

  maskedTokensLoss(arrays: Arrays, smoothing: number): [number, number] {
    const tape = this.#tape;
    const texts = unpack(arrays.source!, arrays.sourceSegment!, arrays.sourcePosition!);
    const hidden = [...arrays.label!.data.keys()].filter((i) => arrays.label!.data[i]! >= 0);
    if (hidden.length === 0) return [0, 0];
    const rowOf = new Map(texts.places.map((place, row) => [place, row]));
    const rows = hidden.map((i) => rowOf.get(arrays.place!.data[i]!)!);
    const logits = tape.linear(tape.gather(this.#encode(texts), rows), this.#weights("embedding.weight"));
    return tape.crossEntropy(
      logits,
      smoothing,
      hidden.map((i) => ({ first: 0, count: logits.columns, label: arrays.label!.data[i]! })),
    );
  }

  embeddingLoss(arrays: Arrays, slots: number): [number, number] {
    const tape = this.#tape;
    const texts = unpack(arrays.source!, arrays.sourceSegment!, arrays.sourcePosition!);
    const pairs = [...arrays.first!.data.keys()].filter((pair) => arrays.first!.data[pair]! >= 0);
    if (pairs.length === 0) return [0, 0];
    const textAt = new Map(texts.slots.map(({ row, slot }, text) => [row * slots + slot, text]));
    const pooled = tape.pool(this.#encode(texts), texts.segments);
    // Divided by the temperature in their product.
    const vectors = tape.normalize(pooled, Math.sqrt(1 / TEMPERATURE));
    const side = (places: HostArray) =>
      tape.gather(
        vectors,
        pairs.map((pair) => textAt.get(places.data[pair]!)!),
      );
    const [a, b] = [side(arrays.first!), side(arrays.second!)];
    const groups = pairs.map((pair) => arrays.group!.data[pair]!);
    const isAnother = (i: number, j: number) => i !== j && groups[i] === groups[j];
    const classes = pairs.map((_, label) => ({ first: 0, count: pairs.length, label }));
    const direction = (from: Tensor, to: Tensor) =>
      tape.crossEntropy(tape.fillWhere(tape.linear(from, to), isAnother, EXCLUDED), 0, classes)[1];
    const loss = direction(a, b) + direction(b, a);
    return [loss, loss];
  }

  spanLoss(arrays: Arrays, { max_answer_words }: QuestionAnsweringConfig): [number, number] {
    const texts = unpack(arrays.source!, arrays.sourceSegment!, arrays.sourcePosition!);
    if (texts.segments.length === 0) return [0, 0];
    const logits = this.#linear(this.#encode(texts, arrays), "span");
    const loss = this.#tape.spanCrossEntropy(logits, spanTargets(texts, arrays), max_answer_words);
    return [loss, loss];
  }

  nextItemLoss(arrays: Arrays, smoothing: number): [number, number] {
    const histories = unpack(arrays.source!, arrays.sourceSegment!, arrays.sourcePosition!);
    if (histories.places.length === 0) return [0, 0];
    const labels = histories.places.map((place) => arrays.label!.data[place]!);
    const outputs = this.#encode(histories, {}, true);
    return this.#tape.softmaxRegression(outputs, this.#weights("embedding.weight"), smoothing, labels);
  }

  /**
   * [ΣT, d_model], normalized
   * @param arrays of which are read, where they are there: `feature` [B, L, F], rows of the table of features of each
   *   token, −1 for none; `nGram` and `nGramCount`, as `NGramBatch` has them
   * @param causal with learned positions
   */
  #encode(texts: Packed, { feature, nGram, nGramCount }: Arrays = {}, causal = false): Tensor {
    const tape = this.#tape;
    const embedded = this.#embed(texts, causal);
    if (feature) tape.addRows(embedded, this.#weights("features.weight"), featureRows(texts, feature));
    // As long as those of tokens.
    const factor = Math.sqrt(this.#config.d_model);
    if (nGram) tape.addRows(embedded, this.#weights("n_grams.weight"), nGramRows(texts, nGram, nGramCount!), factor);
    let x = tape.dropout(embedded);
    for (let i = 0; i < this.#config.n_enc_layers; i++) {
      const layer = `encoder.${i}`;
      x = tape.residual(x, this.#selfAttention(x, layer, texts.segments, causal));
      x = tape.residual(x, this.#feedForward(x, layer));
    }
    return this.#norm(x, "encoder.norm");
  }

  #embed({ tokens, positions }: Packed, learned = false): Tensor {
    return this.#tape.embed(tokens, this.#weights("embedding.weight"), {
      positions,
      table: this.#weights("positions.weight"),
      learned,
    });
  }

  #selfAttention(x: Tensor, layer: string, segments: Segment[], causal: boolean): Tensor {
    const { d_model, n_heads } = this.#config;
    const qkv = this.#linear(this.#norm(x, `${layer}.self_norm`), `${layer}.self_qkv`);
    const h = this.#tape.attention(d_model, n_heads, causal, [qkv, 0, segments], [qkv, d_model, segments]);
    return this.#linear(h, `${layer}.self_out`);
  }

  #crossAttention(x: Tensor, memory: Tensor, layer: string, segments: Segment[], sources: Segment[]): Tensor {
    const { d_model, n_heads } = this.#config;
    const q = this.#linear(this.#norm(x, `${layer}.cross_norm`), `${layer}.cross_q`);
    const kv = this.#linear(memory, `${layer}.cross_kv`);
    const h = this.#tape.attention(d_model, n_heads, false, [q, 0, segments], [kv, 0, sources]);
    return this.#linear(h, `${layer}.cross_out`);
  }

  #feedForward(x: Tensor, layer: string): Tensor {
    const up = this.#linear(this.#norm(x, `${layer}.ffn_norm`), `${layer}.ffn_up`);
    return this.#linear(this.#tape.activation(this.#config.activation, up), `${layer}.ffn_down`);
  }

  #norm(x: Tensor, name: string): Tensor {
    const [weight, bias] = [this.#weights(`${name}.weight`), this.#weights(`${name}.bias`)];
    return this.#tape.layerNorm(x, weight, bias, this.#config.layer_norm_eps);
  }

  #linear(x: Tensor, name: string): Tensor {
    return this.#tape.linear(x, this.#weights(`${name}.weight`), this.#weights(`${name}.bias`));
  }
}

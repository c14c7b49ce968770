/** Item-based nearest neighbours beside the network of a recommender (model/config.ts has the formula). */
import type { RecommendationConfig } from "../model/config.ts";
import { F32 } from "./blocks.ts";
import type { Address, Runtime } from "./runtime.ts";

type Settings = NonNullable<RecommendationConfig["neighbours"]>;

/** Where they lie: model/format.ts says what is there. */
export interface NeighbourAddresses {
  items: Address;
  weights: Address;
  scale: Address;
}

export class Neighbours {
  readonly #runtime: Runtime;
  readonly #addresses: NeighbourAddresses;
  readonly #settings: Settings;

  constructor(runtime: Runtime, addresses: NeighbourAddresses, settings: Settings) {
    this.#runtime = runtime;
    this.#addresses = addresses;
    this.#settings = settings;
  }

  /** Adds what the neighbours of a history say to the logits, [vocab_size] f32. */
  add(history: readonly number[], logits: Address): void {
    const { factor, weight, decay } = this.#settings;
    const nearness = new Map<number, number>();
    let share = 1;
    for (const item of history.toReversed()) {
      this.#visit(item, (other, near) => nearness.set(other, (nearness.get(other) ?? 0) + share * near));
      share *= decay;
    }
    for (const [item, k] of nearness) {
      const address = logits + item * F32;
      this.#runtime.writeFloat(address, this.#runtime.readFloat(address) + weight * Math.log1p(factor * k));
    }
  }

  /** How near an item is to each of a history, 0 where it is not among the nearest: [history] */
  nearness(history: readonly number[], item: number): Float64Array {
    const near = new Float64Array(history.length);
    history.forEach((own, i) => {
      this.#visit(own, (other, value) => {
        if (other === item) near[i] = value;
      });
    });
    return near;
  }

  #visit(item: number, visitor: (other: number, near: number) => void): void {
    const { items, weights, scale } = this.#addresses;
    const { count } = this.#settings;
    const others = this.#runtime.readInts(items + item * count * 4, count);
    const near = this.#runtime.readBytes(weights + item * count, count);
    const factor = this.#runtime.readFloat(scale + item * F32);
    for (let i = 0; i < count && near[i]! > 0; i++) visitor(others[i]!, near[i]! * factor);
  }
}

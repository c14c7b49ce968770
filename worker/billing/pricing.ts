/**
 * The one price table, and what a call costs by it: so much for 1,000 characters (UTF-16 units) of source text, rounded
 * up to a micro-unit, and never less than the minimum of a call. The quote is exact before any work: it depends on the
 * text alone.
 */
import { z } from "zod";
import type { Task } from "../model/config.ts";

/** In micro-units (money.ts). */
export interface Price {
  perThousandCharacters: number;
  minimum: number;
}

/** What a model costs that PRICES does not name. */
const STANDARD: Record<Task, Price> = {
  translation: { perThousandCharacters: 1_000, minimum: 100 },
  classification: { perThousandCharacters: 500, minimum: 50 },
  embedding: { perThousandCharacters: 100, minimum: 10 },
  "question-answering": { perThousandCharacters: 500, minimum: 50 },
  /** Characters of the ids that are sent. */
  recommendation: { perThousandCharacters: 500, minimum: 50 },
};

/** Keeps `characters × perThousandCharacters` far inside the safe integers. */
const microsSchema = z.int().min(0).max(1_000_000_000);

/** The setting PRICES: model id → price. */
export const pricesSchema = z.record(
  z.string(),
  z.strictObject({ per_1000_characters: microsSchema, minimum: microsSchema }),
);

export type Prices = z.infer<typeof pricesSchema>;

export function priceOf(prices: Prices, task: Task, model: string): Price {
  const own = Object.hasOwn(prices, model) ? prices[model] : undefined;
  return own ? { perThousandCharacters: own.per_1000_characters, minimum: own.minimum } : STANDARD[task];
}

/** @returns micro-units */
export function quote(price: Price, characters: number): number {
  return Math.max(price.minimum, Math.ceil((characters * price.perThousandCharacters) / 1000));
}

/**
 * Text → a sparse vector of its n-grams, of words or (for languages written without spaces) of characters, weighted by
 * tf-idf as scikit-learn's `TfidfVectorizer(sublinear_tf=True)` does: (1 + ln tf) · (ln((1 + texts) / (1 + df)) + 1),
 * scaled to length 1. An n-gram is known by a 24-bit hash of its units' numbers; of a million different ones about six
 * in a hundred share theirs with another.
 */
import { hash32 } from "../training/random.ts";

export interface FeatureOptions {
  unit: "word" | "character";
  /** n-grams of one to so many units. */
  maxOrder: number;
  /** n-grams of fewer training texts are left out. */
  minCount: number;
}

/** Texts as sparse rows, one behind another. */
export interface SparseRows {
  /** [rows + 1]: where each row begins. */
  offsets: Uint32Array;
  /** Column of each entry, ascending within a row. */
  columns: Uint32Array;
  values: Float32Array;
}

const HASH_BITS = 24;

export class Vectorizer {
  readonly options: FeatureOptions;
  readonly features: number;
  readonly #units: Map<string, number>;
  /** [2^HASH_BITS]: column + 1 of an n-gram, 0 of one that is not known. */
  readonly #columns: Uint32Array;
  /** [features] */
  readonly #idf: Float32Array;

  /** Learns the n-grams of training texts and how rare they are. */
  constructor(texts: readonly string[], options: FeatureOptions) {
    this.options = options;
    this.#units = new Map();
    const counts = new Uint32Array(2 ** HASH_BITS);
    for (const text of texts) {
      const ids = unitsOf(text, options.unit).map((unit) => {
        const id = this.#units.get(unit) ?? this.#units.size;
        this.#units.set(unit, id);
        return id;
      });
      for (const hash of new Set(hashes(ids, options.maxOrder))) counts[hash]!++;
    }
    const idf: number[] = [];
    // The counts become the columns in place: 64 MB once, not twice.
    for (let hash = 0; hash < counts.length; hash++) {
      const df = counts[hash]!;
      const known = df > 0 && df >= options.minCount;
      if (known) idf.push(Math.log((1 + texts.length) / (1 + df)) + 1);
      counts[hash] = known ? idf.length : 0;
    }
    this.#columns = counts;
    this.#idf = Float32Array.from(idf);
    this.features = idf.length;
  }

  /** [texts, features] */
  transform(texts: readonly string[]): SparseRows {
    const offsets = new Uint32Array(texts.length + 1);
    const columns: number[][] = [];
    const values: number[][] = [];
    for (const [row, text] of texts.entries()) {
      const entries = [...this.#count(text)].sort(([a], [b]) => a - b);
      const weights = entries.map(([column, count]) => (1 + Math.log(count)) * this.#idf[column]!);
      const length = Math.hypot(...weights) || 1;
      columns.push(entries.map(([column]) => column));
      values.push(weights.map((weight) => weight / length));
      offsets[row + 1] = offsets[row]! + entries.length;
    }
    const rows = { offsets, columns: new Uint32Array(offsets.at(-1)!), values: new Float32Array(offsets.at(-1)!) };
    for (let row = 0; row < texts.length; row++) {
      rows.columns.set(columns[row]!, offsets[row]);
      rows.values.set(values[row]!, offsets[row]);
    }
    return rows;
  }

  /** Column → how often it occurs. */
  #count(text: string): Map<number, number> {
    // A unit that training never saw makes its n-grams unknown, too.
    const ids = unitsOf(text, this.options.unit).map((unit) => this.#units.get(unit));
    const counts = new Map<number, number>();
    for (const hash of hashes(ids, this.options.maxOrder)) {
      const column = this.#columns[hash]! - 1;
      if (column >= 0) counts.set(column, (counts.get(column) ?? 0) + 1);
    }
    return counts;
  }
}

/** Lower-cased words with what their apostrophes bind, and signs that carry a meaning; or characters without spaces. */
function unitsOf(text: string, unit: FeatureOptions["unit"]): string[] {
  const lower = text.toLowerCase();
  if (unit === "character") return Array.from(lower.replace(/\s+/gu, ""));
  return lower.match(/[\p{L}\p{N}]+(?:['’]\p{L}+)*|[!?$%£€]/gu) ?? [];
}

function* hashes(ids: readonly (number | undefined)[], maxOrder: number): Generator<number> {
  for (let start = 0; start < ids.length; start++) {
    let hash = 0;
    for (let order = 1; order <= maxOrder && start + order <= ids.length; order++) {
      const id = ids[start + order - 1];
      if (id === undefined) break;
      hash = hash32(hash, id);
      yield hash >>> (32 - HASH_BITS);
    }
  }
}

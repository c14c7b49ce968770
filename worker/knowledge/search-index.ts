/**
 * The searchable part of a knowledge base: passages of text by their words (SQLite's FTS5, ranked by BM25) and by their
 * vectors (engine/vector-matrix.ts), and the fusion of both rankings. Knows no Durable Object: where SQL runs is the
 * caller's, so that `npm run eval` measures this very code.
 */
import { CHUNK_ROWS, type Neighbour, VectorChunk, VectorMatrix } from "../engine/vector-matrix.ts";
import { type Fused, fuse, type PassageKind, WORDS_SHARE } from "./fusion.ts";

export type SqlValue = string | number | null | Uint8Array;

/** Runs one statement. @returns its rows */
export type Sql = <Row>(query: string, ...bindings: SqlValue[]) => Row[];

export interface Passage {
  /** What people ask by: of a pair the question, of a document its headings. */
  head: string;
  /** Of a pair the answer, of a document the passage. */
  body: string;
  /** [d] int8 */
  vector: Int8Array;
  scale: number;
}

export interface Query {
  text: string;
  /** [d] f32, of length 1 */
  vector: Float32Array;
}

export interface Hit extends Fused {
  /** Of the query with the passage. */
  cosine: number;
}

/** English stems without accents; other languages keep their words as they are. */
const SCHEMA = [
  "CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(head, body, content='', contentless_delete=1, tokenize='porter unicode61 remove_diacritics 2')",
  "CREATE TABLE IF NOT EXISTS chunks (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
];

/** What a word of the answer counts for beside one of the question. */
const BODY_WEIGHT = 0.5;
/** Candidates of each ranking that are fused. */
const CANDIDATES = 50;
/**
 * Occurrences that the words of a query may have together: the commonest words of a long text are left out, for they
 * tell little and cost most. The rarest word always counts.
 */
const MAX_OCCURRENCES = 20_000;
/** Words of a query that are looked at. */
const MAX_WORDS = 64;
/** Words whose number of occurrences is remembered. */
const MAX_KNOWN_WORDS = 10_000;

export class SearchIndex {
  readonly #sql: Sql;
  readonly #d: number;
  readonly #matrix: VectorMatrix;
  /** In how many passages a word stands; good until something changes. */
  readonly #occurrences = new Map<string, number>();

  /** @param d dimensions of the vectors */
  constructor(sql: Sql, kernels: WebAssembly.Module, d: number) {
    this.#sql = sql;
    this.#d = d;
    for (const statement of SCHEMA) sql(statement);
    this.#matrix = new VectorMatrix(kernels, d);
    for (let number = 0; ; number++) {
      const chunk = this.#readChunk(number);
      if (!chunk) break;
      this.#matrix.put(number, chunk);
    }
  }

  /** Bytes of wasm memory. */
  get memoryBytes(): number {
    return this.#matrix.memoryBytes;
  }

  /**
   * Takes passages out and puts others in, in one transaction of the caller's: if that fails, so did this, and the
   * matrix in memory stays as it was until `apply` is called.
   * @param removed rows whose words and vectors go
   * @param added by row; one that was removed may come back
   * @returns to be called once the transaction is through
   */
  change(removed: readonly number[], added: ReadonlyMap<number, Passage>): () => void {
    const chunks = new Map<number, VectorChunk>();
    const chunkOf = (row: number) => {
      const number = Math.floor(row / CHUNK_ROWS);
      const chunk = chunks.get(number) ?? this.#readChunk(number) ?? new VectorChunk(this.#d);
      chunks.set(number, chunk);
      return chunk;
    };
    for (const row of removed) {
      this.#sql("DELETE FROM words WHERE rowid = ?", row);
      chunkOf(row).clear(row % CHUNK_ROWS);
    }
    for (const [row, { head, body, vector, scale }] of added) {
      this.#sql("INSERT INTO words (rowid, head, body) VALUES (?, ?, ?)", row, head, body);
      chunkOf(row).set(row % CHUNK_ROWS, vector, scale);
    }
    const sorted = [...chunks].sort(([a], [b]) => a - b);
    for (const [number, { bytes }] of sorted) {
      this.#sql(
        "INSERT INTO chunks VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET bytes = excluded.bytes",
        number,
        bytes,
      );
    }
    return () => {
      for (const [number, chunk] of sorted) this.#matrix.put(number, chunk);
      this.#occurrences.clear();
    };
  }

  #readChunk(number: number): VectorChunk | undefined {
    const [row] = this.#sql<{ bytes: ArrayBuffer | Uint8Array }>("SELECT bytes FROM chunks WHERE number = ?", number);
    return row && new VectorChunk(this.#d, new Uint8Array(row.bytes));
  }

  /**
   * The best passages by both rankings, best first.
   * @param kindsOf tells of rows what the passage of each is of
   */
  search(query: Query, limit: number, kindsOf: (rows: number[]) => (row: number) => PassageKind): Hit[] {
    const neighbours = this.byVector(query.vector);
    const byWords = this.byWords(query.text);
    const cosines = new Map(neighbours.map(({ row, cosine }) => [row, cosine]));
    const byVector = neighbours.map(({ row }) => row);
    const kindOf = kindsOf([...byVector, ...byWords]);
    const fused = fuse(byVector, byWords, (row) => WORDS_SHARE[kindOf(row)]);
    return fused
      .slice(0, limit)
      .map((hit) => ({ ...hit, cosine: cosines.get(hit.row) ?? this.#cosine(query, hit.row) }));
  }

  /** The nearest passages, nearest first. */
  byVector(vector: Float32Array, limit = CANDIDATES): Neighbour[] {
    return this.#matrix.nearest(vector, limit);
  }

  /** Rows of the passages with words of the text, best first by BM25. */
  byWords(text: string, limit = CANDIDATES): number[] {
    const words = this.#tellingWords(text);
    if (words.length === 0) return [];
    const match = words.map((word) => `"${word}"`).join(" OR ");
    const query = "SELECT rowid AS row FROM words WHERE words MATCH ? ORDER BY bm25(words, 1, ?), rowid LIMIT ?";
    return this.#sql<{ row: number }>(query, match, BODY_WEIGHT, limit).map(({ row }) => row);
  }

  /** The cosine of a query with one row. */
  #cosine({ vector }: Query, row: number): number {
    return this.#matrix.cosine(vector, row);
  }

  #tellingWords(text: string): string[] {
    const all = [...new Set(text.toLowerCase().match(/[\p{L}\p{N}\p{M}]+/gu) ?? [])].slice(0, MAX_WORDS);
    const known = all
      .map((word) => ({ word, occurrences: this.#occurrencesOf(word) }))
      .filter(({ occurrences }) => occurrences > 0)
      .sort((a, b) => a.occurrences - b.occurrences);
    let total = 0;
    return known
      .filter(({ occurrences }, i) => {
        total += occurrences;
        return i === 0 || total <= MAX_OCCURRENCES;
      })
      .map(({ word }) => word);
  }

  #occurrencesOf(word: string): number {
    let count = this.#occurrences.get(word);
    if (count === undefined) {
      const [row] = this.#sql<{ count: number }>(
        "SELECT count(*) AS count FROM words WHERE words MATCH ?",
        `"${word}"`,
      );
      count = row!.count;
      if (this.#occurrences.size >= MAX_KNOWN_WORDS) this.#occurrences.clear();
      this.#occurrences.set(word, count);
    }
    return count;
  }
}

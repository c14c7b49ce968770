/**
 * A knowledge base's Durable Object: its entries on disk, its search index in memory, and the questions that it hands
 * over until somebody has taken them. What costs time (embedding, reading) is done outside of it.
 *
 * An import is one transaction. The rows of the index are numbered densely, and those of entries that went are used
 * again, so that a base that changes all the time does not grow.
 */
import { DurableObject } from "cloudflare:workers";
import { type Env, readSettings } from "../env.ts";
import { kernelModules } from "../kernels.ts";
import { logError } from "../log.ts";
import type { FoundPassage } from "./answer.ts";
import type { Base, VectorModel } from "./base.ts";
import type { Entry } from "./entry.ts";
import { type Handoff, Handoffs } from "./handoff.ts";
import type { PreparedEntry } from "./prepare.ts";
import { type Passage, type Query, SearchIndex, type Sql } from "./search-index.ts";

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS entries (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, heads TEXT NOT NULL,
     body TEXT NOT NULL, source TEXT, updated_ms INTEGER NOT NULL)`,
  // The text of a pair's passage is its entry's.
  "CREATE TABLE IF NOT EXISTS passages (row INTEGER PRIMARY KEY, entry TEXT NOT NULL, head TEXT, body TEXT)",
  "CREATE INDEX IF NOT EXISTS passages_of_entry ON passages (entry)",
  "CREATE TABLE IF NOT EXISTS free_rows (row INTEGER PRIMARY KEY)",
];

export interface PutResult {
  added: number;
  updated: number;
  entries: number;
  passages: number;
}

export interface StoredEntry extends Entry {
  updatedMs: number;
}

export type Refusal =
  | { refused: "unknown" }
  | { refused: "other_model"; model: VectorModel }
  | { refused: "full"; passages: number };

/** Hits that are looked at for each entry that is wanted: an entry may have several passages. */
const HITS_PER_ENTRY = 4;

interface Counts {
  entries: number;
  passages: number;
}

interface EntryRow {
  id: string;
  kind: Entry["kind"];
  heads: string;
  body: string;
  source: string | null;
  updated_ms: number;
}

export class KnowledgeObject extends DurableObject<Env> {
  readonly #sql: Sql;
  readonly #settings;
  #base: Base | undefined;
  #index: SearchIndex | undefined;
  /** Good until something changes. */
  #counted: Counts | undefined;
  #handoffs: Handoffs | undefined;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#settings = readSettings(env);
    const { sql } = state.storage;
    this.#sql = <Row>(query: string, ...bindings: unknown[]) => sql.exec(query, ...(bindings as [])).toArray() as Row[];
    // Only of a base that exists: whoever asks for an invented one leaves nothing behind.
    this.#base = state.storage.kv.get<Base>("base");
    if (this.#base) this.#open();
  }

  #open(): void {
    for (const statement of SCHEMA) this.#sql(statement);
    this.#handoffs = new Handoffs(this.#sql, this.#settings);
  }

  // ── The base ──

  read(): Base | undefined {
    return this.#base;
  }

  write(base: Base): void {
    this.ctx.storage.kv.put("base", base);
    this.#base = base;
    this.#open();
  }

  async remove(): Promise<void> {
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
    this.#base = undefined;
    this.#index = undefined;
    this.#counted = undefined;
    this.#handoffs = undefined;
  }

  status(): ({ base: Base; model: VectorModel | undefined } & Counts) | undefined {
    if (!this.#base) return undefined;
    return { base: this.#base, ...this.#counts(), model: this.ctx.storage.kv.get<VectorModel>("model") };
  }

  /** Counted once: of 100,000 it takes longer than a search. */
  #counts(): Counts {
    this.#counted ??= this.#sql<Counts>(
      "SELECT (SELECT count(*) FROM entries) AS entries, (SELECT count(*) FROM passages) AS passages",
    )[0]!;
    return this.#counted;
  }

  // ── Its entries ──

  /**
   * Adds entries and replaces those with the same id: all of them, or none.
   * @param model that made the vectors; the first one decides for as long as there is any entry
   */
  put(entries: PreparedEntry[], model: VectorModel): PutResult | Refusal {
    if (!this.#base) return { refused: "unknown" };
    const other = this.#otherModel(model);
    if (other) return { refused: "other_model", model: other };
    const before = this.#counts();
    const replaced = entries.filter(({ id }) => this.#sql("SELECT 1 FROM entries WHERE id = ?", id).length > 0);
    const gone = replaced.flatMap(({ id }) => this.#rowsOf(id));
    const coming = entries.reduce((sum, { passages }) => sum + passages.length, 0);
    const { maxKnowledgePassages } = this.#settings;
    if (before.passages - gone.length + coming > maxKnowledgePassages) {
      return { refused: "full", passages: before.passages };
    }
    if (before.entries === 0) this.#clearIndex();
    const index = this.#indexOf(model);
    const apply = this.ctx.storage.transactionSync(() => {
      this.ctx.storage.kv.put("model", model);
      for (const { id } of replaced) this.#freeRows(id);
      const added = new Map<number, Passage>();
      for (const entry of entries) this.#insert(entry, added);
      return index.change(gone, added);
    });
    apply();
    this.#counted = undefined;
    return { added: entries.length - replaced.length, updated: replaced.length, ...this.#counts() };
  }

  /** A base without entries may change to another model's vectors, which may be of another length. */
  #clearIndex(): void {
    this.#index = undefined;
    this.ctx.storage.transactionSync(() => {
      this.#sql("DROP TABLE IF EXISTS chunks");
      this.#sql("DELETE FROM free_rows");
    });
  }

  #otherModel({ weights }: VectorModel): VectorModel | undefined {
    const known = this.ctx.storage.kv.get<VectorModel>("model");
    return known && known.weights !== weights && this.#counts().entries > 0 ? known : undefined;
  }

  #indexOf({ dimensions }: VectorModel): SearchIndex {
    this.#index ??= new SearchIndex(this.#sql, kernelModules[this.#settings.kernelBuild], dimensions);
    return this.#index;
  }

  #rowsOf(id: string): number[] {
    return this.#sql<{ row: number }>("SELECT row FROM passages WHERE entry = ?", id).map(({ row }) => row);
  }

  #freeRows(id: string): void {
    this.#sql("INSERT INTO free_rows SELECT row FROM passages WHERE entry = ?", id);
    this.#sql("DELETE FROM passages WHERE entry = ?", id);
  }

  #takeRow(): number {
    const [free] = this.#sql<{ row: number }>("SELECT row FROM free_rows ORDER BY row LIMIT 1");
    if (free) {
      this.#sql("DELETE FROM free_rows WHERE row = ?", free.row);
      return free.row;
    }
    return this.#sql<{ row: number }>("SELECT coalesce(max(row), -1) + 1 AS row FROM passages")[0]!.row;
  }

  #insert({ id, kind, heads, body, source, passages }: PreparedEntry, added: Map<number, Passage>): void {
    this.#sql(
      `INSERT INTO entries (id, kind, heads, body, source, updated_ms) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, heads = excluded.heads, body = excluded.body,
         source = excluded.source, updated_ms = excluded.updated_ms`,
      ...[id, kind, JSON.stringify(heads), body, source, Date.now()],
    );
    for (const passage of passages) {
      const row = this.#takeRow();
      const text = kind === "pair" ? [passage.head, null] : [passage.head, passage.body];
      this.#sql("INSERT INTO passages (row, entry, head, body) VALUES (?, ?, ?, ?)", row, id, ...text);
      added.set(row, passage);
    }
  }

  /** Oldest first. @param after the last one that the caller has */
  list(after: number, limit: number): { seq: number; entry: StoredEntry }[] {
    if (!this.#base) return [];
    const query = "SELECT * FROM entries WHERE seq > ? ORDER BY seq LIMIT ?";
    return this.#sql<EntryRow & { seq: number }>(query, after, limit).map(({ seq, ...row }) => ({
      seq,
      entry: entryOf(row),
    }));
  }

  entry(id: string): StoredEntry | undefined {
    if (!this.#base) return undefined;
    const [row] = this.#sql<EntryRow>("SELECT * FROM entries WHERE id = ?", id);
    return row && entryOf(row);
  }

  /** @returns whether it was there */
  delete(id: string): boolean {
    const model = this.ctx.storage.kv.get<VectorModel>("model");
    if (!this.#base || !model || !this.entry(id)) return false;
    const index = this.#indexOf(model);
    const apply = this.ctx.storage.transactionSync(() => {
      const rows = this.#rowsOf(id);
      this.#freeRows(id);
      this.#sql("DELETE FROM entries WHERE id = ?", id);
      return index.change(rows, new Map());
    });
    apply();
    this.#counted = undefined;
    return true;
  }

  // ── Questions ──

  /** @param weights sha256 of the model that made the query's vector */
  search(query: Query, weights: string, limit: number): { base: Base; found: FoundPassage[] } | Refusal {
    if (!this.#base) return { refused: "unknown" };
    const model = this.ctx.storage.kv.get<VectorModel>("model");
    if (!model || this.#counts().entries === 0) return { base: this.#base, found: [] };
    if (model.weights !== weights) return { refused: "other_model", model };
    const hits = this.#indexOf(model).search(query, HITS_PER_ENTRY * limit, (rows) => this.#kindsOf(rows));
    const found = new Map<string, FoundPassage>();
    for (const { row, cosine, score } of hits) {
      if (found.size === limit) break;
      const [hit] = this.#sql<{
        id: string;
        kind: Entry["kind"];
        heads: string;
        source: string | null;
        head: string;
        body: string;
      }>(
        `SELECT id, kind, heads, source, passages.head AS head, coalesce(passages.body, entries.body) AS body
         FROM passages JOIN entries ON entries.id = passages.entry WHERE row = ?`,
        row,
      );
      if (!hit || found.has(hit.id)) continue;
      const { head, body, heads, ...entry } = hit;
      found.set(hit.id, { entry: { ...entry, heads: JSON.parse(heads) }, head, body, cosine, score });
    }
    return { base: this.#base, found: [...found.values()] };
  }

  #kindsOf(rows: number[]): (row: number) => Entry["kind"] {
    // The text of a pair's passage is its entry's. In one statement: there are a hundred rows, and as many take longer.
    const query = `SELECT row FROM passages WHERE body IS NOT NULL AND row IN (${rows.join(",")})`;
    const documents = new Set(this.#sql<{ row: number }>(query).map(({ row }) => row));
    return (row) => (documents.has(row) ? "document" : "pair");
  }

  /** A question for a person: it is on disk when this returns, and delivered at least once. */
  async handOver(handoff: Handoff): Promise<void> {
    if (!this.#base?.handoff_webhook) return;
    this.#handoffs!.add(handoff, Date.now());
    await this.#wake();
  }

  override async alarm(): Promise<void> {
    if (!this.#base || !this.#handoffs) return;
    // Whatever happens, what is left is tried again.
    await this.#handoffs.deliver(this.#base, Date.now()).catch((error) => logError(error.message));
    await this.#wake();
  }

  async #wake(): Promise<void> {
    const dueMs = this.#handoffs!.nextMs();
    if (dueMs === undefined) return;
    const alarmMs = await this.ctx.storage.getAlarm();
    if (alarmMs === null || alarmMs > dueMs) await this.ctx.storage.setAlarm(Math.max(dueMs, Date.now()));
  }
}

function entryOf({ id, kind, heads, body, source, updated_ms }: EntryRow): StoredEntry {
  return { id, kind, heads: JSON.parse(heads) as string[], body, source, updatedMs: updated_ms };
}

export function knowledgeObjectOf(env: Pick<Env, "KNOWLEDGE">, id: string): DurableObjectStub<KnowledgeObject> {
  return env.KNOWLEDGE.get(env.KNOWLEDGE.idFromName(id));
}

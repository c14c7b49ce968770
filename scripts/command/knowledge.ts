/** Answers questions from a file of pairs and documents, as a knowledge base of the Worker does, by the same code. */
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { loadReader } from "../../worker/engine/load.ts";
import {
  answerFromKnowledge,
  type FoundPassage,
  type KnowledgeModels,
  type KnowledgeSearch,
} from "../../worker/knowledge/answer.ts";
import { type ImportType, importRows, readRows } from "../../worker/knowledge/import.ts";
import { type PreparedEntry, prepareEntries } from "../../worker/knowledge/prepare.ts";
import { type Passage, SearchIndex } from "../../worker/knowledge/search-index.ts";
import { isManifestFor } from "../../worker/model/manifest.ts";
import { openMemorySql } from "../eval/node-sql.ts";
import { listModelFolders, readModelFolder, tokenizerOf, weightsOf } from "../publish/model-folder.ts";
import { readEmbedder } from "./embedder.ts";
import { readKernels } from "./models.ts";
import type { CommonOptions } from "./options.ts";
import { type Result, type TextModel, toError } from "./text-model.ts";

export interface KnowledgeOptions {
  /** A file of entries. */
  knowledge: string;
  topK: number;
  threshold?: number;
}

const TYPES: Record<string, ImportType> = { ".csv": "csv", ".jsonl": "jsonl", ".json": "json", ".md": "markdown" };

/** What is printed where a person should answer. */
const HANDED_OVER = "(no answer)";

/** @throws Error if there is no such file, nothing in it can be read, or there is no model for embedding */
export async function openKnowledge(options: CommonOptions & KnowledgeOptions): Promise<TextModel> {
  const { knowledge: path, topK, threshold } = options;
  const type = TYPES[extname(path).toLowerCase()];
  if (type === undefined) throw new Error(`--knowledge: expected a file ${Object.keys(TYPES).join(", ")}; got ${path}`);
  const text = await readFile(path, "utf8").catch((cause: Error) => {
    throw new Error(`--knowledge: cannot read ${path}: ${cause.message}`, { cause });
  });
  const { entries, refused } = await readRows(importRows(type, text));
  const models = await readKnowledgeModels(options);
  const signal = new AbortController().signal;
  const prepared = await prepareEntries(entries, models.embedder, path, refused, signal);
  for (const { place, reason } of refused) console.error(`${path}, ${place}: ${reason}`);
  if (prepared.length === 0) throw new Error(`${path}: expected an entry that can be answered from, got none`);
  const search = searchOf(prepared, await readKernels(options), models.embedder.engine.config.d_model);
  const answerOne = async (question: string): Promise<Result> => {
    const asked = { question, history: [], topK, threshold, signal };
    const answer = await answerFromKnowledge(search, models, asked);
    return { line: answer.answer ?? HANDED_OVER, json: { question, ...answer } };
  };
  return {
    async answer(questions) {
      const results: Result[] = [];
      for (const question of questions) results.push(await answerOne(question).catch(toError));
      return results;
    },
  };
}

/** A reader if there is one; a file of pairs needs none. */
async function readKnowledgeModels(options: CommonOptions): Promise<KnowledgeModels> {
  const embedder = await readEmbedder(options);
  for (const path of await listModelFolders()) {
    const folder = await readModelFolder(path);
    const { manifest } = folder;
    if (!isManifestFor("question-answering", manifest)) continue;
    const engine = await loadReader(manifest.config, weightsOf(folder), await readKernels(options));
    return { embedder, reader: { manifest, tokenizer: tokenizerOf(folder), engine, readsScript: () => true } };
  }
  return { embedder, reader: undefined };
}

function searchOf(entries: PreparedEntry[], kernels: WebAssembly.Module, d: number): KnowledgeSearch {
  const index = new SearchIndex(openMemorySql(), kernels, d);
  const passages = entries.flatMap((entry) => entry.passages.map((passage) => ({ entry, passage })));
  index.change([], new Map<number, Passage>(passages.map(({ passage }, row) => [row, passage])))();
  return async (query, limit) => {
    const found = new Map<string, FoundPassage>();
    for (const { row, cosine, score } of index.search(
      query,
      passages.length,
      () => (row) => passages[row]!.entry.kind,
    )) {
      const { entry, passage } = passages[row]!;
      if (found.size === limit) break;
      const { id, kind, heads, source } = entry;
      const { head, body } = passage;
      if (!found.has(id)) found.set(id, { entry: { id, kind, heads, source }, head, body, cosine, score });
    }
    return { found: [...found.values()], threshold: undefined };
  };
}

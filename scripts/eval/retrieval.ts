/**
 * `npm run eval -- <embedding model>`: knowledge bases made of data sets, searched by the Worker's own code: by words
 * (BM25), by vectors, and by both. Of CLINC150 and Banking77 a question is answered right if the best training question has
 * its intent; of SQuAD-shifts' held-out paragraphs, cut into passages as documents are, if the best passage is of the
 * question's paragraph. The words' share and the confidences are chosen on dev; the test split is for the last word.
 */
import { embedWindows, type TextEmbedder } from "../../worker/embed.ts";
import { loadEmbedder } from "../../worker/engine/load.ts";
import { quantizeVector } from "../../worker/engine/vector-matrix.ts";
import { leansOnHistory } from "../../worker/knowledge/follow-up.ts";
import { fuse, type PassageKind, WORDS_SHARE } from "../../worker/knowledge/fusion.ts";
import { passagesOf } from "../../worker/knowledge/passages.ts";
import { type Hit, SearchIndex } from "../../worker/knowledge/search-index.ts";
import type { EmbeddingConfig } from "../../worker/model/config.ts";
import { isManifestFor } from "../../worker/model/manifest.ts";
import { planWindows } from "../../worker/plan-windows.ts";
import { cleanText } from "../../worker/text/clean.ts";
import { writeJson } from "../cli.ts";
import { banking77 } from "../data/sets/banking77.ts";
import { clinc150 } from "../data/sets/clinc150.ts";
import { amazonReviews, newWiki } from "../data/sets/squad-shifts.ts";
import { recordQuality } from "../export/card.ts";
import { loadKernels } from "../kernels.ts";
import { type ModelFolder, tokenizerOf, weightsOf } from "../publish/model-folder.ts";
import type { DataOptions } from "../recipes/recipe.ts";
import { formatTable, percent } from "../report/table.ts";
import { type Found, fitConfidence, formatHandoff, measureHandoff } from "./handoff.ts";
import { openMemorySql } from "./node-sql.ts";
import { checkSplit, type EvalOptions } from "./options.ts";

/** What the words' share may be. */
const SHARES = [0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1];
/** Of the bases that the confidence of pairs is fitted on: a small one has fewer near questions. */
const QUESTIONS_PER_INTENT = [5, 20, 100];
/** Of the held-out paragraphs a tenth is asked of on dev, and another on test; all of them are searched. */
const ASKED_EVERY = 10;
const ASKED = { dev: 0, test: 5 };

type Split = "dev" | "test";

interface Query {
  text: string;
  /** Of the passages that are right; null if there is none. */
  label: string | null;
  /** The question before it, on the same document. */
  before?: string;
}

interface Document {
  head: string;
  body: string;
  /** What the vector is made of. */
  embedded: string;
  label: string;
}

interface Search {
  set: string;
  kind: PassageKind;
  queries: Query[];
  documents: Document[];
}

interface Ranked {
  label: string | null;
  byVector: number[];
  byWords: number[];
  best: { row: number; cosine: number } | undefined;
}

export async function evaluateRetrieval(
  folder: ModelFolder,
  config: EmbeddingConfig,
  options: EvalOptions,
): Promise<void> {
  const split = options.split ?? "test";
  checkSplit(split, ["dev", "test"]);
  const { manifest } = folder;
  if (!isManifestFor("embedding", manifest))
    throw new Error(`eval: expected a model for embedding, got ${manifest.id}`);
  const kernels = await loadKernels(options.kernels);
  const searcher = new Searcher(kernels, {
    manifest,
    tokenizer: tokenizerOf(folder),
    engine: await loadEmbedder(config, weightsOf(folder), kernels),
    readsScript: () => true,
  });
  const data = { dataDir: options.data, cacheDir: options.cache };
  const searches = await searchesOf(split as Split, data, options.limit);
  const quality: Record<string, number> = {};
  const figure = (name: string, share: number) => {
    quality[name] = Number((100 * share).toFixed(2));
  };
  const rows: string[][] = [];
  for (const search of searches) {
    const { set, kind, documents } = search;
    const ranked = (await searcher.rank(search)).filter(({ label }) => label !== null);
    const recall = (best: (query: Ranked) => number | undefined) =>
      ranked.filter((query) => documents[best(query) ?? -1]?.label === query.label).length / ranked.length;
    const byShare = (share: number) => recall(({ byVector, byWords }) => fuse(byVector, byWords, () => share)[0]?.row);
    const [words, vectors, both] = [recall(({ byWords }) => byWords[0]), byShare(0), byShare(WORDS_SHARE[kind])];
    rows.push([set, String(ranked.length), percent(words), percent(vectors), percent(both)]);
    figure(`${set} ${split} Recall@1, %`, both);
    figure(`${set} ${split} Recall@1 of BM25, %`, words);
    figure(`${set} ${split} Recall@1 of vectors, %`, vectors);
    if (split === "dev") {
      const line = SHARES.map((share) => `${share}: ${percent(byShare(share))}`).join(", ");
      console.log(`${set}, Recall@1 by the words' share: ${line}`);
    }
  }
  const shares = `both (words ${WORDS_SHARE.pair}, of documents ${WORDS_SHARE.document})`;
  console.log(formatTable(["Recall@1, %", "questions", "BM25", "vectors", shares], rows));

  const [clinc, , paragraphs] = searches as [Search, Search, Search];
  const bases = await Promise.all(
    QUESTIONS_PER_INTENT.map(async (count) => {
      const base = { ...clinc, documents: someOfEach(clinc.documents, count) };
      return { name: `${count} questions an intent`, found: foundOf(base, await searcher.rank(base)) };
    }),
  );
  for (const { name, found } of bases) {
    const { right, outOfScope } = measureHandoff(found);
    figure(`clinc150 ${split}, ${name}: answered right, %`, right);
    figure(`clinc150 ${split}, ${name}: out of scope handed over, %`, outOfScope);
  }
  if (split === "dev") {
    printFit(
      "pair",
      bases.flatMap(({ found }) => found),
    );
    printFit("document", foundOf(paragraphs, await searcher.rank(paragraphs)));
  }
  console.log(formatHandoff(bases));
  console.log(await measureFollowUps(searcher, paragraphs));
  if (options.record) await recordQuality(folder.directory, quality);
  if (options.json) await writeJson(options.json, quality);
}

function printFit(kind: PassageKind, found: Found[]): void {
  const { slope, offset } = fitConfidence(found);
  console.log(`confidence of a ${kind}: slope ${slope.toFixed(2)}, offset ${offset.toFixed(2)}`);
}

async function searchesOf(split: Split, data: DataOptions, limit?: number): Promise<Search[]> {
  const searches: Search[] = [];
  for (const set of [clinc150, banking77]) {
    const loaded = await set.load(data);
    const documents = loaded.train.flatMap(({ text, label }) =>
      label === null ? [] : [{ head: text, body: "", embedded: text, label }],
    );
    searches.push({ set: set.id, kind: "pair", queries: loaded[split].slice(0, limit), documents });
  }
  const paragraphs = (await Promise.all([newWiki, amazonReviews].map((set) => set.load(data)))).flatMap(
    ({ test }) => test,
  );
  const documents = paragraphs.flatMap(({ context }, i) =>
    passagesOf({ kind: "document", heads: [], body: context }, "en").map((passage) => ({
      ...passage,
      label: String(i),
    })),
  );
  const queries = paragraphs.flatMap(({ questions }, i) =>
    i % ASKED_EVERY === ASKED[split]
      ? questions.map(({ question }, n): Query => {
          const before = questions[n - 1]?.question;
          return { text: question, label: String(i), ...(before === undefined ? {} : { before }) };
        })
      : [],
  );
  return [...searches, { set: "squad-shifts", kind: "document", queries: queries.slice(0, limit), documents }];
}

function foundOf({ documents }: Search, ranked: Ranked[]): Found[] {
  return ranked.map(({ label, best }) => ({
    cosine: best?.cosine ?? 0,
    isRight: best !== undefined && documents[best.row]!.label === label,
    isInScope: label !== null,
  }));
}

/**
 * Second and later questions on a document as if they were asked in a conversation: whether the document is found by the
 * question alone, or behind the one before it, apart for those that lean on it (worker/knowledge/follow-up.ts).
 */
async function measureFollowUps(searcher: Searcher, search: Search): Promise<string> {
  const later = search.queries.filter(({ before }) => before !== undefined);
  const recallsOf = async (queries: Query[]) => {
    const joined = queries.map(({ text, before, label }) => ({ text: `${before} ${text}`, label }));
    const recalls: string[] = [];
    for (const asked of [queries, joined]) {
      const found = foundOf(search, await searcher.rank({ ...search, queries: asked }));
      recalls.push(percent(found.filter(({ isRight }) => isRight).length / found.length));
    }
    return [String(queries.length), ...recalls];
  };
  const leaning = later.filter(({ text }) => leansOnHistory(text));
  const others = later.filter(({ text }) => !leansOnHistory(text));
  return formatTable(
    ["follow-ups: Recall@1, %", "questions", "alone", "behind the one before"],
    [
      ["that lean on it", ...(await recallsOf(leaning))],
      ["that do not", ...(await recallsOf(others))],
    ],
  );
}

/** The first so many of each label. */
function someOfEach(documents: Document[], count: number): Document[] {
  const seen = new Map<string, number>();
  return documents.filter(({ label }) => {
    const before = seen.get(label) ?? 0;
    seen.set(label, before + 1);
    return before < count;
  });
}

/** The rows that one of the rankings has, in its order. */
function inOrder(hits: Hit[], ranking: "vectorRank" | "wordsRank"): number[] {
  const ranked = hits.flatMap(({ row, [ranking]: rank }) => (rank === null ? [] : [{ row, rank }]));
  return ranked.sort((a, b) => a.rank - b.rank).map(({ row }) => row);
}

/** Searches bases by the Worker's code; what was embedded once is remembered, for the same texts stand in several. */
class Searcher {
  readonly #kernels: WebAssembly.Module;
  readonly #model: TextEmbedder;
  readonly #known = new Map<string, Float32Array>();

  constructor(kernels: WebAssembly.Module, model: TextEmbedder) {
    this.#kernels = kernels;
    this.#model = model;
  }

  /** Each query's rankings. */
  async rank({ kind, queries, documents }: Search): Promise<Ranked[]> {
    const index = new SearchIndex(openMemorySql(), this.#kernels, this.#model.engine.config.d_model);
    const vectors = await this.#vectorsOf(documents.map(({ embedded }) => embedded));
    const passages = documents.map(({ head, body }, row) => {
      const { q, scale } = quantizeVector(vectors[row]!);
      return [row, { head, body, vector: q, scale }] as const;
    });
    index.change([], new Map(passages))();
    const asked = await this.#vectorsOf(queries.map(({ text }) => text));
    return queries.map(({ text, label }, i) => {
      const hits = index.search({ text, vector: asked[i]! }, documents.length, () => () => kind);
      return { label, byVector: inOrder(hits, "vectorRank"), byWords: inOrder(hits, "wordsRank"), best: hits[0] };
    });
  }

  async #vectorsOf(texts: string[]): Promise<Float32Array[]> {
    const known = this.#known;
    const fresh = [...new Set(texts)].filter((text) => !known.has(text));
    const embeddings = await embedWindows(planWindows(fresh.map(cleanText), this.#model), this.#model, {});
    for (const [i, text] of fresh.entries()) known.set(text, embeddings[i]!.vector);
    return texts.map((text) => known.get(text)!);
  }
}

/**
 * `npm run eval -- <embedding model>`: the questions of CLINC150 and Banking77 as a knowledge base, searched by the
 * Worker's own code: BM25, vectors, and both. A question is answered right if the best training question has its intent.
 * The weight of the words and the confidence are fitted on dev; the test split is for the last word.
 */
import { embedWindows, type TextEmbedder } from "../../worker/embed.ts";
import { loadEmbedder } from "../../worker/engine/load.ts";
import { quantizeVector } from "../../worker/engine/vector-matrix.ts";
import { fuse, WORDS_WEIGHT } from "../../worker/knowledge/fusion.ts";
import { SearchIndex } from "../../worker/knowledge/search-index.ts";
import type { EmbeddingConfig } from "../../worker/model/config.ts";
import { isManifestFor } from "../../worker/model/manifest.ts";
import { planWindows } from "../../worker/plan-windows.ts";
import { cleanText } from "../../worker/text/clean.ts";
import { writeJson } from "../cli.ts";
import type { LabelledText } from "../data/classification.ts";
import { banking77 } from "../data/sets/banking77.ts";
import { clinc150 } from "../data/sets/clinc150.ts";
import { amazonReviews, newWiki } from "../data/sets/squad-shifts.ts";
import { recordQuality } from "../export/card.ts";
import { loadKernels } from "../kernels.ts";
import { type ModelFolder, tokenizerOf, weightsOf } from "../publish/model-folder.ts";
import { formatTable, percent } from "../report/table.ts";
import { fitConfidence, formatHandoff, measureHandoff } from "./handoff.ts";
import { openMemorySql } from "./node-sql.ts";
import { checkSplit, type EvalOptions } from "./options.ts";

/** What the words may weigh beside the vectors' 1. */
const WEIGHTS = [0, 0.1, 0.2, 0.3, 0.5, 0.7, 1];

/** Of the bases that the confidence is fitted on. */
const QUESTIONS_PER_INTENT = [5, 20, 100];

interface Text {
  text: string;
  /** Texts of the same label belong together; null belongs to none. */
  label: string | null;
}

interface Search {
  set: string;
  queries: Text[];
  documents: Text[];
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
  const data = { dataDir: options.data, cacheDir: options.cache };
  const kernels = await loadKernels(options.kernels);
  const { manifest } = folder;
  if (!isManifestFor("embedding", manifest))
    throw new Error(`eval: expected a model for embedding, got ${manifest.id}`);
  const model: TextEmbedder = {
    manifest,
    tokenizer: tokenizerOf(folder),
    engine: await loadEmbedder(config, weightsOf(folder), kernels),
    readsScript: () => true,
  };
  const searches = await searchesOf(split as "dev" | "test", data, options.limit);
  const quality: Record<string, number> = {};
  const rows: string[][] = [];
  for (const { set, queries, documents } of searches) {
    const ranked = await rank(queries, documents, model, kernels);
    const inScope = ranked.filter(({ label }) => label !== null);
    const recall = (best: (query: Ranked) => number | undefined) =>
      inScope.filter((query) => {
        const row = best(query);
        return row !== undefined && documents[row]!.label === query.label;
      }).length / inScope.length;
    const hybrid = (weight: number) => recall(({ byVector, byWords }) => fuse(byVector, byWords, weight)[0]?.row);
    const words = recall(({ byWords }) => byWords[0]);
    const both = hybrid(WORDS_WEIGHT);
    rows.push([set, String(inScope.length), percent(words), percent(hybrid(0)), percent(both)]);
    quality[`${set} ${split} Recall@1, %`] = Number((100 * both).toFixed(2));
    quality[`${set} ${split} Recall@1 of BM25, %`] = Number((100 * words).toFixed(2));
    if (split === "dev") {
      const line = WEIGHTS.map((weight) => `${weight}: ${percent(hybrid(weight))}`).join(", ");
      console.log(`${set}, Recall@1 by the weight of the words: ${line}`);
    }
  }
  console.log(formatTable(["Recall@1, %", "questions", "BM25", "vectors", `both (words ${WORDS_WEIGHT})`], rows));
  const [clinc] = searches;
  const bases = [];
  for (const perIntent of QUESTIONS_PER_INTENT) {
    const documents = someOfEach(clinc!.documents, perIntent);
    const ranked = await rank(clinc!.queries, documents, model, kernels);
    const found = ranked.map(({ label, best }) => ({
      cosine: best?.cosine ?? 0,
      isRight: best !== undefined && label !== null && documents[best.row]!.label === label,
      isInScope: label !== null,
    }));
    bases.push({ name: `${perIntent} questions an intent`, found });
    const { right, outOfScope } = measureHandoff(found);
    quality[`clinc150 ${split}, ${perIntent} an intent: answered right, %`] = Number((100 * right).toFixed(2));
    quality[`clinc150 ${split}, ${perIntent} an intent: out of scope handed over, %`] = Number(
      (100 * outOfScope).toFixed(2),
    );
  }
  if (split === "dev") {
    const { slope, offset } = fitConfidence(bases.flatMap(({ found }) => found));
    console.log(`confidence: slope ${slope.toFixed(2)}, offset ${offset.toFixed(2)}`);
  }
  console.log(formatHandoff(bases));
  if (options.record) await recordQuality(folder.directory, quality);
  if (options.json) await writeJson(options.json, quality);
}

async function searchesOf(split: "dev" | "test", data: object, limit?: number): Promise<Search[]> {
  const searches: Search[] = [];
  for (const set of [clinc150, banking77]) {
    const loaded = await set.load(data);
    const documents = loaded.train.filter(({ label }: LabelledText) => label !== null);
    searches.push({ set: set.id, queries: loaded[split].slice(0, limit), documents });
  }
  // Of another kind, and never chosen by: the question's paragraph among those that were held out.
  if (split === "test") {
    const test = (await Promise.all([newWiki, amazonReviews].map((set) => set.load(data)))).flatMap((one) => one.test);
    const documents = test.map(({ context }, i) => ({ text: context, label: String(i) }));
    const queries = test.flatMap(({ questions }, i) =>
      questions.map(({ question }) => ({ text: question, label: String(i) })),
    );
    searches.push({ set: "squad-shifts", queries: queries.slice(0, limit), documents });
  }
  return searches;
}

/** The first so many of each label. */
function someOfEach(texts: Text[], count: number): Text[] {
  const seen = new Map<string | null, number>();
  return texts.filter(({ label }) => {
    const before = seen.get(label) ?? 0;
    seen.set(label, before + 1);
    return before < count;
  });
}

/** Each query's rankings, by the Worker's search over an index of the documents. */
async function rank(
  queries: Text[],
  documents: Text[],
  model: TextEmbedder,
  kernels: WebAssembly.Module,
): Promise<Ranked[]> {
  const vectorsOf = (texts: Text[]) =>
    embedWindows(
      planWindows(
        texts.map(({ text }) => cleanText(text)),
        model,
      ),
      model,
      {},
    );
  const index = new SearchIndex(openMemorySql(), kernels, model.engine.config.d_model);
  const vectors = await vectorsOf(documents);
  const passages = documents.map(({ text }, row) => {
    const { q, scale } = quantizeVector(vectors[row]!.vector);
    return [row, { head: text, body: "", vector: q, scale }] as const;
  });
  index.change([], new Map(passages))();
  const asked = await vectorsOf(queries);
  return queries.map(({ text, label }, i) => ({
    label,
    byVector: index.byVector(asked[i]!.vector).map(({ row }) => row),
    byWords: index.byWords(text),
    best: index.search({ text, vector: asked[i]!.vector }, 1)[0],
  }));
}

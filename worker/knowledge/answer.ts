/**
 * Answers a question from a knowledge base: embeds it, has the base searched, and takes the answer of the best pair or, of
 * a document, the part that the reader finds. Where the base is, and whom a question is handed over to, is the caller's.
 */
import { findSpans } from "../answer.ts";
import { embedWindows, type TextEmbedder } from "../embed.ts";
import type { LoadedModel } from "../loaded-model.ts";
import { planWindows } from "../plan-windows.ts";
import { cleanText } from "../text/clean.ts";
import { CALIBRATION, confidenceOf, DEFAULT_THRESHOLD } from "./confidence.ts";
import type { Entry } from "./entry.ts";
import { searchText, type Turn } from "./follow-up.ts";
import { sentencesOf } from "./passages.ts";
import type { Hit, Query } from "./search-index.ts";

export interface KnowledgeQuestion {
  question: string;
  history: Turn[];
  topK: number;
  /** Instead of the base's. */
  threshold: number | undefined;
  signal: AbortSignal;
}

/** What was found for a question. */
export interface FoundPassage extends Pick<Hit, "cosine" | "score"> {
  entry: Omit<Entry, "body">;
  /** The question that fits best, or title and headings. */
  head: string;
  /** The answer, or the passage. */
  body: string;
}

/** @returns the best passages, each of another entry, and the base's own threshold if it has one */
export type KnowledgeSearch = (
  query: Query,
  limit: number,
) => Promise<{ found: FoundPassage[]; threshold: number | undefined }>;

export interface KnowledgeSource {
  entry: string;
  kind: "pair" | "document";
  /** The question of the pair that fits best, or title and headings. */
  title: string | null;
  source: string | null;
  /** Of a document: the passage that the answer is from. */
  passage?: string;
}

export interface KnowledgeAlternative {
  answer: string;
  confidence: number;
  source: KnowledgeSource;
}

export interface KnowledgeAnswer {
  answer: string | null;
  confidence: number;
  source: KnowledgeSource | null;
  handoff: boolean;
  reason: "below_threshold" | "no_entries" | "no_text" | null;
  /** What was searched for: the question, or with the one before it. */
  searched: string;
  alternatives: KnowledgeAlternative[];
}

/** Entries that are looked at even where fewer are asked for: the surest document need not be the first one found. */
const MIN_FOUND = 3;

/** The embedder, and a reader if there is one. */
export interface KnowledgeModels {
  embedder: TextEmbedder;
  reader: LoadedModel<"question-answering"> | undefined;
}

/** @throws Problem unsupported_language, and what the search throws */
export async function answerFromKnowledge(
  search: KnowledgeSearch,
  { embedder, reader }: KnowledgeModels,
  { question, history, topK, threshold, signal }: KnowledgeQuestion,
): Promise<KnowledgeAnswer> {
  const searched = cleanText(searchText(question, history)).trim();
  const [embedding] = await embedWindows(planWindows([searched], embedder), embedder, { signal });
  const query = { text: searched, vector: embedding!.vector };
  const result = await search(query, Math.max(topK, MIN_FOUND));
  const least = threshold ?? result.threshold ?? DEFAULT_THRESHOLD;
  const candidates = await Promise.all(
    result.found.map((found) => candidateOf(found, query, { embedder, reader }, signal)),
  );
  const ranked = rankCandidates(candidates);
  const [best, ...others] = ranked;
  const reason = reasonOf(best, embedding!.tokens, least);
  const alternatives = (reason === null ? others : ranked).slice(0, reason === null ? topK - 1 : topK);
  return {
    answer: reason === null ? best!.answer : null,
    confidence: best?.confidence ?? 0,
    source: reason === null ? best!.source : null,
    handoff: reason !== null,
    reason,
    searched,
    alternatives,
  };
}

function reasonOf(best: KnowledgeAlternative | undefined, tokens: number, least: number): KnowledgeAnswer["reason"] {
  if (tokens === 0) return "no_text";
  if (!best) return "no_entries";
  return best.confidence < least ? "below_threshold" : null;
}

/**
 * The best pair is the search's first, the best document the one in which an answer was found most surely; of these two
 * the surer one is first, and the others follow as sure as they are.
 */
function rankCandidates(candidates: KnowledgeAlternative[]): KnowledgeAlternative[] {
  // The sort is stable: of equally sure ones the search's order.
  const sorted = candidates.toSorted((a, b) => b.confidence - a.confidence);
  const pair = candidates.find(({ source }) => source.kind === "pair");
  const document = sorted.find(({ source }) => source.kind === "document");
  const best = pair && (!document || pair.confidence >= document.confidence) ? pair : document;
  return best ? [best, ...sorted.filter((candidate) => candidate !== best)] : [];
}

async function candidateOf(
  { entry, head, body, cosine }: FoundPassage,
  query: { text: string; vector: Float32Array },
  models: KnowledgeModels,
  signal: AbortSignal,
): Promise<KnowledgeAlternative> {
  const source = { entry: entry.id, kind: entry.kind, title: head === "" ? null : head, source: entry.source };
  const found = round(confidenceOf(cosine, CALIBRATION[entry.kind]));
  if (entry.kind === "pair") return { answer: body, confidence: found, source };
  const span = await readPassage(body, query, models, signal);
  return { answer: span.text, confidence: round(found * span.confidence), source: { ...source, passage: body } };
}

/** The part of a passage that answers; without a reader the sentence that is nearest to the question. */
async function readPassage(
  passage: string,
  { text, vector }: { text: string; vector: Float32Array },
  { embedder, reader }: KnowledgeModels,
  signal: AbortSignal,
): Promise<{ text: string; confidence: number }> {
  if (reader) {
    const { config } = reader.manifest;
    const { spans } = await findSpans({ ...reader, config }, text, passage, { signal });
    const [best] = spans;
    if (best) return { text: best.text, confidence: Math.min(1, best.confidence / config.no_answer_below) };
  }
  const sentences = sentencesOf(passage, embedder.manifest.config.source_languages[0]!);
  if (sentences.length === 1) return { text: sentences[0]!, confidence: 1 };
  const vectors = await embedWindows(planWindows(sentences.map(cleanText), embedder), embedder, { signal });
  const cosines = vectors.map((sentence) => sentence.vector.reduce((sum, value, i) => sum + value * vector[i]!, 0));
  return { text: sentences[cosines.indexOf(Math.max(...cosines))]!, confidence: 1 };
}

/** To what a reader can use. */
function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

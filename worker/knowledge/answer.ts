/**
 * Answers a question from a knowledge base: embeds it, has the base's object search, and takes the answer of the best
 * pair or, of a document, the part that the reader finds. Knows no HTTP but the Problem it throws.
 */
import { findSpans } from "../answer.ts";
import { embedWindows, planEmbedding, type TextEmbedder } from "../embed.ts";
import type { Env } from "../env.ts";
import type { LoadedModel } from "../loaded-model.ts";
import { cleanText } from "../text/clean.ts";
import { confidenceOf, DEFAULT_THRESHOLD } from "./confidence.ts";
import { searchText, type Turn } from "./follow-up.ts";
import { type FoundPassage, knowledgeObjectOf } from "./knowledge-object.ts";
import { refusalProblem, vectorModelOf } from "./management.ts";
import { sentencesOf } from "./passages.ts";

export interface KnowledgeQuestion {
  question: string;
  history: Turn[];
  base: string;
  topK: number;
  /** Instead of the base's. */
  threshold: number | undefined;
  signal: AbortSignal;
}

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

/** Passages of documents that are read. */
const MAX_READ = 3;

/** The embedder, and a reader if there is one. */
export interface KnowledgeModels {
  embedder: TextEmbedder;
  reader: LoadedModel<"question-answering"> | undefined;
}

/**
 * @throws Problem unknown_knowledge_base, other_model, or unsupported_language
 */
export async function answerFromKnowledge(
  env: Env,
  { embedder, reader }: KnowledgeModels,
  { question, history, base: id, topK, threshold, signal }: KnowledgeQuestion,
): Promise<KnowledgeAnswer> {
  const searched = cleanText(searchText(question, history)).trim();
  const [embedding] = await embedWindows(planEmbedding([searched], embedder), embedder, { signal });
  const object = knowledgeObjectOf(env, id);
  const model = vectorModelOf(embedder.manifest);
  const query = { text: searched, vector: embedding!.vector };
  const result = await object.search(query, model.weights, Math.max(topK, MAX_READ));
  if ("refused" in result) throw refusalProblem(id, result, 0);
  const least = threshold ?? result.base.threshold ?? DEFAULT_THRESHOLD;
  const candidates = await Promise.all(
    result.found.map((found, i) => candidateOf(found, i < MAX_READ, query, { embedder, reader }, signal)),
  );
  const [best, ...others] = rankCandidates(candidates);
  const reason = reasonOf(best, embedding!.tokens, least);
  const alternatives = (reason === null ? others : candidates).slice(0, reason === null ? topK - 1 : topK);
  const answer: KnowledgeAnswer = {
    answer: reason === null ? best!.answer : null,
    confidence: best?.confidence ?? 0,
    source: reason === null ? best!.source : null,
    handoff: reason !== null,
    reason,
    searched,
    alternatives,
  };
  if (reason !== null && result.base.handoff_webhook !== undefined) {
    await object.handOver({ question, history, reason, confidence: answer.confidence, alternatives });
  }
  return answer;
}

function reasonOf(best: KnowledgeAlternative | undefined, tokens: number, least: number): KnowledgeAnswer["reason"] {
  if (tokens === 0) return "no_text";
  if (!best) return "no_entries";
  return best.confidence < least ? "below_threshold" : null;
}

/** The search's order, but that a document in which nothing was found comes behind what is surer. */
function rankCandidates(candidates: KnowledgeAlternative[]): KnowledgeAlternative[] {
  const [first] = candidates;
  if (!first || first.source.kind === "pair") return candidates;
  // The sort is stable: of equally sure ones the search's order.
  const read = candidates.slice(0, MAX_READ).sort((a, b) => b.confidence - a.confidence);
  return [...read, ...candidates.slice(MAX_READ)];
}

async function candidateOf(
  { entry, head, body, cosine }: FoundPassage,
  isRead: boolean,
  query: { text: string; vector: Float32Array },
  models: KnowledgeModels,
  signal: AbortSignal,
): Promise<KnowledgeAlternative> {
  const source = { entry: entry.id, kind: entry.kind, title: head === "" ? null : head, source: entry.source };
  const found = round(confidenceOf(cosine));
  if (entry.kind === "pair") return { answer: body, confidence: found, source };
  const span = isRead ? await readPassage(body, query, models, signal) : { text: body, confidence: 1 };
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
  const vectors = await embedWindows(planEmbedding(sentences.map(cleanText), embedder), embedder, { signal });
  const cosines = vectors.map((sentence) => sentence.vector.reduce((sum, value, i) => sum + value * vector[i]!, 0));
  return { text: sentences[cosines.indexOf(Math.max(...cosines))]!, confidence: 1 };
}

/** To what a reader can use. */
function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

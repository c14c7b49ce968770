/** What is made of what a search finds: the answer, or that a person should give it. */
import { describe, expect, it } from "vitest";
import { answerFromKnowledge, type FoundPassage, type KnowledgeModels } from "../../worker/knowledge/answer.ts";
import type { Manifest } from "../../worker/model/manifest.ts";
import { Tokenizer } from "../../worker/model/tokenizer.ts";
import { embedderConfig, loadTinyEmbedder, tinyTokenizerJson } from "../engine/models.ts";

const manifest = { id: "tiny", version: "1", config: embedderConfig } as Manifest<"embedding">;
const models: KnowledgeModels = {
  embedder: {
    manifest,
    tokenizer: Tokenizer.fromJson(tinyTokenizerJson),
    engine: await loadTinyEmbedder(),
    readsScript: () => true,
  },
  reader: undefined,
};

const found = (id: string, kind: "pair" | "document", cosine: number): FoundPassage => ({
  entry: { id, kind, heads: [id], source: null },
  head: id,
  body: `Body of ${id}.`,
  cosine,
  score: 1,
});

function answer(passages: FoundPassage[], options: { threshold?: number; topK?: number; base?: number } = {}) {
  const search = async () => ({ found: passages, threshold: options.base });
  const asked = { question: "Where is it kept?", history: [], topK: options.topK ?? 3, threshold: options.threshold };
  return answerFromKnowledge(search, models, { ...asked, signal: new AbortController().signal });
}

describe("answerFromKnowledge", () => {
  it("keeps the search's order of pairs, whatever their cosines are", async () => {
    const result = await answer([found("a", "pair", 0.8), found("b", "pair", 0.95)]);
    expect(result.source?.entry).toBe("a");
    expect(result.alternatives.map(({ source }) => source.entry)).toEqual(["b"]);
  });

  it("takes the surer one of a pair and a document", async () => {
    const sure = await answer([found("pair", "pair", 0.1), found("doc", "document", 0.95)]);
    expect(sure).toMatchObject({ answer: "Body of doc.", source: { entry: "doc", passage: "Body of doc." } });
    expect((await answer([found("doc", "document", 0.6), found("pair", "pair", 0.95)])).source?.entry).toBe("pair");
  });

  it("hands over below the threshold: the request's, the base's, or the standard one", async () => {
    const half = [found("a", "pair", 0.7)];
    expect(await answer(half)).toMatchObject({ handoff: false, reason: null });
    expect(await answer(half, { base: 0.9 })).toMatchObject({ handoff: true, reason: "below_threshold", answer: null });
    expect(await answer(half, { base: 0.9, threshold: 0.1 })).toMatchObject({ handoff: false });
    expect(await answer([], { threshold: 0 })).toMatchObject({ handoff: true, reason: "no_entries", confidence: 0 });
  });

  it("tells as many as it is asked for, the answer among them", async () => {
    const many = ["a", "b", "c", "d"].map((id) => found(id, "pair", 0.9));
    expect((await answer(many, { topK: 1 })).alternatives).toEqual([]);
    expect((await answer(many, { topK: 3 })).alternatives.length).toBe(2);
    expect((await answer(many, { topK: 3, threshold: 1 })).alternatives.length).toBe(3);
  });
});

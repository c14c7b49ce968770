/** Entries → what the search index takes: passages with their vectors. Where they are kept is the caller's. */
import { embedWindows, type TextEmbedder } from "../embed.ts";
import { quantizeVector } from "../engine/vector-matrix.ts";
import { planWindows } from "../plan-windows.ts";
import { cleanText } from "../text/clean.ts";
import type { Entry } from "./entry.ts";
import type { Refused } from "./import.ts";
import { passagesOf } from "./passages.ts";
import type { Passage } from "./search-index.ts";

/** An entry with its passages, embedded. */
export interface PreparedEntry extends Entry {
  passages: Passage[];
}

/**
 * Embeds the passages of all entries as one batch.
 * @param source of the entries that name none
 * @param refused receives the entries that the model cannot read
 */
export async function prepareEntries(
  entries: Entry[],
  model: TextEmbedder,
  source: string | undefined,
  refused: Refused[],
  signal: AbortSignal,
): Promise<PreparedEntry[]> {
  const language = model.manifest.config.source_languages[0]!;
  const readable = entries.flatMap((entry) => {
    const passages = passagesOf(entry, language);
    const problem = passages.find(({ embedded }) => !model.readsScript(embedded));
    if (!problem && passages.length > 0) return [{ entry, passages }];
    const scripts = model.manifest.config.source_scripts.join(" or ");
    const reason = problem ? `expected ${scripts} letters, as ${model.manifest.id} reads` : "expected some text";
    refused.push({ place: `entry ${entry.id}`, id: entry.id, reason });
    return [];
  });
  const texts = readable.flatMap(({ passages }) => passages.map(({ embedded }) => cleanText(embedded)));
  const vectors = await embedWindows(planWindows(texts, model), model, { signal });
  let next = 0;
  return readable.map(({ entry, passages }) => ({
    ...entry,
    source: entry.source ?? source ?? null,
    passages: passages.map(({ head, body }) => {
      const { q, scale } = quantizeVector(vectors[next++]!.vector);
      return { head, body, vector: q, scale };
    }),
  }));
}

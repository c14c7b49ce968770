/** Translates a list of sentences with the Worker's search, and times it. What the model is made of is the caller's. */
import type { Hypothesis } from "../../worker/engine/generate.ts";
import type { Tokenizer } from "../../worker/model/tokenizer.ts";

/** A search over sources in token ids, without the end token: best hypothesis first. */
export type Search = (sources: number[][]) => Promise<Hypothesis[][]>;

export interface TranslationRun {
  translations: string[];
  /** Of the search alone, tokenizer and metrics left out. */
  seconds: number;
  /** Tokens of the best hypotheses, end tokens left out. */
  targetTokens: number;
  /** Translations that were cut at the length limit. */
  cut: number;
}

/** Sentences that are searched for at once: enough to fill the engine's rows, few enough to show progress. */
const BATCH = 32;

/** @param onProgress called after each batch with the number of sentences done */
export async function translateAll(
  search: Search,
  tokenizer: Tokenizer,
  sentences: string[],
  onProgress?: (done: number) => void,
): Promise<TranslationRun> {
  // Neighbours of equal length finish together and leave no rows empty.
  const sources = sentences
    .map((sentence, index) => ({ index, tokens: tokenizer.encode(sentence) }))
    .sort((a, b) => a.tokens.length - b.tokens.length);
  const run: TranslationRun = { translations: sentences.map(() => ""), seconds: 0, targetTokens: 0, cut: 0 };
  for (let start = 0; start < sources.length; start += BATCH) {
    const batch = sources.slice(start, start + BATCH);
    const startMs = performance.now();
    const hypotheses = await search(batch.map(({ tokens }) => tokens));
    run.seconds += (performance.now() - startMs) / 1000;
    for (const [i, { index }] of batch.entries()) {
      const best = hypotheses[i]?.[0];
      if (best === undefined)
        throw new Error(`translateAll: expected a hypothesis for sentence ${index + 1}, got none`);
      // Many a tokenizer writes a space in front of the first word.
      run.translations[index] = tokenizer.decode(best.tokens).trim();
      run.targetTokens += best.tokens.length;
      if (!best.finished) run.cut++;
    }
    onProgress?.(start + batch.length);
  }
  return run;
}

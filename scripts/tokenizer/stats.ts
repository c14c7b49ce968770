/** How long sentences are in tokens: what the choice of a vocabulary size and of the length limit rests on. */
import type { Tokenizer } from "../../worker/model/tokenizer.ts";

export interface TokenStats {
  sentences: number;
  /** Tokens per sentence, without special tokens. */
  mean: number;
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/** @throws Error if there are no texts */
export function tokenStats(tokenizer: Tokenizer, texts: string[]): TokenStats {
  if (texts.length === 0) throw new Error("tokenStats: expected at least one text, got none");
  const counts = texts.map((text) => tokenizer.encode(text).length).sort((a, b) => a - b);
  const percentile = (p: number) => counts[Math.min(counts.length - 1, Math.floor((p / 100) * counts.length))]!;
  return {
    sentences: counts.length,
    mean: counts.reduce((sum, count) => sum + count, 0) / counts.length,
    p50: percentile(50),
    p90: percentile(90),
    p99: percentile(99),
    max: counts.at(-1)!,
  };
}

/** One line of a table, e.g. "en  29000 sentences  mean 13.9  p50 13  p90 20  p99 29  max 45". */
export function formatTokenStats(name: string, stats: TokenStats): string {
  const { sentences, mean, p50, p90, p99, max } = stats;
  return `${name}  ${sentences} sentences  mean ${mean.toFixed(2)}  p50 ${p50}  p90 ${p90}  p99 ${p99}  max ${max}`;
}

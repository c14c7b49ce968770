/** The figures that `npm run eval` prints of a translated split. */
import { corpusBleu } from "./bleu.ts";
import { corpusChrf } from "./chrf.ts";
import type { TranslationRun } from "./translate.ts";

export interface Quality {
  /** 0…100, sacreBLEU's default: cased, tokenizer 13a. */
  bleu: number;
  /** The same with both sides lowercased, tokenizer 13a. */
  bleu_lowercase: number;
  /** chrF2, cased. */
  chrf: number;
  /** Of BLEU: length of the translations by that of the references, in words. */
  length_ratio: number;
}

export interface Figures extends Quality {
  sentences: number;
  seconds: number;
  sentences_per_s: number;
  target_tokens_per_s: number;
  /** Translations that reached the length limit. */
  cut: number;
}

/** What the quality figures depend on, as sacreBLEU writes it. */
export const SIGNATURES = {
  bleu: corpusBleu(["a"], [["a"]]).signature,
  bleu_lowercase: corpusBleu(["a"], [["a"]], { lowercase: true }).signature,
  chrf: corpusChrf(["a"], [["a"]]).signature,
};

/** @throws Error if the lengths differ */
export function measureQuality(translations: string[], references: string[]): Quality {
  const bleu = corpusBleu(translations, [references]);
  return {
    bleu: bleu.score,
    bleu_lowercase: corpusBleu(translations, [references], { lowercase: true }).score,
    chrf: corpusChrf(translations, [references]).score,
    length_ratio: bleu.hypothesisLength / bleu.referenceLength,
  };
}

/** Quality and speed of a run. */
export function figuresOf(run: TranslationRun, references: string[]): Figures {
  return {
    ...measureQuality(run.translations, references),
    sentences: run.translations.length,
    seconds: run.seconds,
    sentences_per_s: run.translations.length / run.seconds,
    target_tokens_per_s: run.targetTokens / run.seconds,
    cut: run.cut,
  };
}

/** A table for people, one line a decoder. */
export function formatFigures(rows: { name: string; figures: Figures }[]): string {
  const columns: [string, (figures: Figures) => string][] = [
    ["BLEU", (f) => f.bleu.toFixed(2)],
    ["BLEU lower", (f) => f.bleu_lowercase.toFixed(2)],
    ["chrF2", (f) => f.chrf.toFixed(2)],
    ["length", (f) => f.length_ratio.toFixed(3)],
    ["sentences/s", (f) => f.sentences_per_s.toFixed(1)],
    ["tokens/s", (f) => f.target_tokens_per_s.toFixed(0)],
    ["ms/sentence", (f) => (1000 / f.sentences_per_s).toFixed(1)],
  ];
  const names = Math.max(...rows.map(({ name }) => name.length));
  const head = `${" ".repeat(names)}  ${columns.map(([title]) => title.padStart(Math.max(8, title.length))).join("  ")}`;
  const lines = rows.map(({ name, figures }) => {
    const cells = columns.map(([title, format]) => format(figures).padStart(Math.max(8, title.length)));
    return `${name.padEnd(names)}  ${cells.join("  ")}`;
  });
  return [head, ...lines].join("\n");
}

/**
 * Which language a text is in: by its script where that says it, and between the languages of the Latin script that
 * this project has sentences of (`LATIN_LANGUAGES`) by naive Bayes over n-grams of one to four letters (Cavnar & Trenkle
 * 1994; Lui & Baldwin 2012). A text in another language of the Latin script is taken for the nearest of those. Beside
 * libraries that know dozens of languages: `npm run bench -- --only detection`.
 */
import table from "./language-ngrams.json" with { type: "json" };

export interface Detected {
  /** BCP 47. */
  language: string;
  /** 0…1. */
  probability: number;
}

export const LATIN_LANGUAGES: readonly string[] = table.languages;

/** Scripts that mostly write one language. Kana come before Han, which Japanese writes too. */
const SCRIPTS: readonly [language: string, script: RegExp][] = [
  ["ja", /[\p{Script=Hiragana}\p{Script=Katakana}]/gu],
  ["zh", /\p{Script=Han}/gu],
  ["ko", /\p{Script=Hangul}/gu],
  ["ru", /\p{Script=Cyrillic}/gu],
  ["el", /\p{Script=Greek}/gu],
  ["ar", /\p{Script=Arabic}/gu],
  ["he", /\p{Script=Hebrew}/gu],
  ["hi", /\p{Script=Devanagari}/gu],
  ["th", /\p{Script=Thai}/gu],
];
/** A Japanese text has at least so many kana among its kana and Han characters. */
const KANA_SHARE = 0.1;
/** The n-grams of more letters say nothing new. */
const MAX_CHARACTERS = 1000;
const MAX_N = 4;

/** What every language's sentences are made of: each word between spaces, cut at every place. */
export function ngramsOf(text: string): string[] {
  const words = text
    .slice(0, MAX_CHARACTERS)
    .toLowerCase()
    .replace(/[^\p{L}'’]+/gu, " ")
    .trim();
  const line = ` ${words} `;
  const ngrams: string[] = [];
  for (let n = 1; n <= MAX_N; n++) for (let i = 0; i + n <= line.length; i++) ngrams.push(line.slice(i, i + n));
  return ngrams;
}

/** Log-odds of each n-gram, one a language of the Latin script. */
const weights = new Map<string, Float32Array>();

function readTable(): void {
  const bytes = Uint8Array.from(atob(table.weights), (character) => character.charCodeAt(0));
  const values = new Int8Array(bytes.buffer);
  const { length } = LATIN_LANGUAGES;
  for (const [i, ngram] of table.ngrams.split("|").entries()) {
    weights.set(
      ngram,
      Float32Array.from(values.subarray(i * length, (i + 1) * length), (value) => value * table.scale),
    );
  }
}

/** @returns the likeliest first; none for a text without letters */
export function detectLanguage(text: string): Detected[] {
  const letters = text.slice(0, MAX_CHARACTERS).match(/\p{L}/gu)?.join("") ?? "";
  if (letters === "") return [];
  const counts = new Map(SCRIPTS.map(([language, script]) => [language, letters.match(script)?.length ?? 0]));
  const kana = counts.get("ja")!;
  const han = counts.get("zh")!;
  if (kana >= KANA_SHARE * (kana + han)) counts.set("ja", kana + han).delete("zh");
  const others = [...counts].filter(([, count]) => count > 0);
  const latin = letters.length - others.reduce((sum, [, count]) => sum + count, 0);
  // A Han character says as much as a word does.
  const shares = others.map(([language, count]) => ({ language, share: count * (/^(zh|ja)$/.test(language) ? 3 : 1) }));
  const total = latin + shares.reduce((sum, { share }) => sum + share, 0);
  const detected = shares.map(({ language, share }) => ({ language, probability: share / total }));
  if (latin > 0) {
    detected.push(
      ...detectLatin(text).map(({ language, probability }) => {
        return { language, probability: (probability * latin) / total };
      }),
    );
  }
  return detected.sort((a, b) => b.probability - a.probability);
}

/** A language that nobody can translate from must be this probable, or the text counts as one of the others. */
const SURE = 0.95;

/**
 * What a text is translated from: of a short one the evidence is thin, and a caller who sends it knows what this server
 * can translate.
 * @param supported at least one
 */
export function chooseSource(text: string, supported: readonly string[]): Detected {
  const detected = detectLanguage(text);
  const [best] = detected;
  if (!best) return { language: supported[0]!, probability: 0 };
  if (best.probability >= SURE) return best;
  return detected.find(({ language }) => supported.includes(language)) ?? best;
}

function detectLatin(text: string): Detected[] {
  if (weights.size === 0) readTable();
  const scores = new Float64Array(LATIN_LANGUAGES.length);
  for (const ngram of ngramsOf(text)) {
    const odds = weights.get(ngram);
    if (odds) for (const [i, value] of odds.entries()) scores[i]! += value;
  }
  const best = Math.max(...scores);
  const shares = Array.from(scores, (score) => Math.exp((score - best) / table.temperature));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return LATIN_LANGUAGES.map((language, i) => ({ language, probability: shares[i]! / total }));
}

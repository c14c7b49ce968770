/**
 * `node scripts/detection/train.ts`: counts n-grams in Tatoeba's training sentences and writes those that tell the
 * languages of the Latin script apart best into worker/text/language-ngrams.json, with log-odds in 8 bits. The
 * temperature makes the probabilities right on the dev sentences (Guo et al. 2017).
 */
import { writeFile } from "node:fs/promises";
import { ngramsOf } from "../../worker/text/detect.ts";
import { fail } from "../cli.ts";
import { type KnownSentence, readTatoeba } from "./sentences.ts";

const LANGUAGES = ["en", "de", "fr", "es"];
const NGRAMS = 2000;
const SENTENCES = 40_000;
/** Added to every count, so that a rare n-gram proves little. */
const SMOOTHING = 5;
const TEMPERATURES = Array.from({ length: 60 }, (_, i) => 0.5 * 1.08 ** i);

interface Weighted {
  ngram: string;
  /** One a language. */
  logOdds: number[];
}

function isLatin({ language }: KnownSentence): boolean {
  return LANGUAGES.includes(language);
}

function chooseNgrams(sentences: KnownSentence[]): Weighted[] {
  const counts = LANGUAGES.map(() => new Map<string, number>());
  for (const { language, text } of sentences) {
    const own = counts[LANGUAGES.indexOf(language)]!;
    for (const ngram of ngramsOf(text)) own.set(ngram, (own.get(ngram) ?? 0) + 1);
  }
  const totals = counts.map((own) => [...own.values()].reduce((sum, count) => sum + count, 0));
  const all = new Set(counts.flatMap((own) => [...own.keys()]));
  const weighted = [...all].map((ngram) => {
    const share = counts.reduce((sum, own, i) => sum + (own.get(ngram) ?? 0) / totals[i]!, 0);
    const logs = counts.map((own, i) => Math.log(((own.get(ngram) ?? 0) + SMOOTHING) / totals[i]!));
    const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
    const logOdds = logs.map((log) => log - mean);
    return { ngram, logOdds, worth: share * Math.max(...logOdds.map(Math.abs)) };
  });
  return weighted.sort((a, b) => b.worth - a.worth).slice(0, NGRAMS);
}

/** The temperature with the least cross-entropy. */
function fitTemperature(sentences: KnownSentence[], weighted: Weighted[]): number {
  const odds = new Map(weighted.map(({ ngram, logOdds }) => [ngram, logOdds]));
  const scores = sentences.map(({ language, text }) => {
    const sums = LANGUAGES.map(() => 0);
    for (const ngram of ngramsOf(text)) for (const [i, value] of (odds.get(ngram) ?? []).entries()) sums[i]! += value;
    return { sums, right: LANGUAGES.indexOf(language) };
  });
  const loss = (temperature: number) =>
    scores.reduce((sum, { sums, right }) => {
      const best = Math.max(...sums);
      const total = sums.reduce((part, score) => part + Math.exp((score - best) / temperature), 0);
      return sum + Math.log(total) - (sums[right]! - best) / temperature;
    }, 0);
  return TEMPERATURES.map((temperature) => ({ temperature, loss: loss(temperature) })).sort(
    (a, b) => a.loss - b.loss,
  )[0]!.temperature;
}

async function train(): Promise<void> {
  const weighted = chooseNgrams((await readTatoeba("train", SENTENCES)).filter(isLatin));
  const temperature = fitTemperature((await readTatoeba("dev", SENTENCES)).filter(isLatin), weighted);
  const largest = Math.max(...weighted.flatMap(({ logOdds }) => logOdds.map(Math.abs)));
  const scale = largest / 127;
  const bytes = Int8Array.from(
    weighted.flatMap(({ logOdds }) => logOdds),
    (value) => Math.round(value / scale),
  );
  const table = {
    source: "Tatoeba (CC BY 2.0 FR), scripts/detection/train.ts",
    languages: LANGUAGES,
    scale: Number(scale.toPrecision(6)),
    temperature: Number(temperature.toPrecision(3)),
    ngrams: weighted.map(({ ngram }) => ngram).join("|"),
    weights: Buffer.from(bytes.buffer).toString("base64"),
  };
  const path = new URL("../../worker/text/language-ngrams.json", import.meta.url);
  const json = `${JSON.stringify(table, null, 2)}\n`;
  await writeFile(path, json);
  console.log(`${weighted.length} n-grams, ${json.length} bytes, temperature ${table.temperature}`);
}

await train().catch(fail);

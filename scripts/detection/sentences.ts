/** Sentences whose language is known, out of a mirror of the data sets: Tatoeba's, Multi30k's captions, Chinese reviews. */
import { join } from "node:path";
import { readIfThere } from "../data/download.ts";
import { cleanLine, gunzipLines } from "../data/lines.ts";

export interface KnownSentence {
  set: string;
  language: string;
  text: string;
}

/** Of Tatoeba's sentence pairs, each of which has English on its left. */
const TATOEBA_LANGUAGES = ["de", "fr", "es", "zh"] as const;

/** @param dataDir mirror folder; @throws Error if it has no such file */
async function readColumns(dataDir: string, file: string): Promise<string[][]> {
  const path = join(dataDir, file);
  const bytes = await readIfThere(path);
  if (bytes === undefined) throw new Error(`expected the file ${path}; name a mirror of the data with EDGE_SLM_DATA`);
  return gunzipLines(bytes, path).map((line) => line.split("\t").map(cleanLine));
}

/** @throws Error if no mirror is named */
export function mirrorFolder(): string {
  const folder = process.env.EDGE_SLM_DATA;
  if (!folder) throw new Error("expected a mirror folder of the data sets in the environment variable EDGE_SLM_DATA");
  return folder;
}

/** Tatoeba's sentences, one language after the other. @param limit of each language */
export async function readTatoeba(split: "train" | "dev" | "test", limit: number): Promise<KnownSentence[]> {
  const sentences: KnownSentence[] = [];
  for (const language of TATOEBA_LANGUAGES) {
    const rows = (await readColumns(mirrorFolder(), `mt_tatoeba/en-${language}.${split}.tsv.gz`)).slice(0, limit);
    if (language === "de") sentences.push(...rows.map(([text]) => ({ set: "Tatoeba", language: "en", text: text! })));
    sentences.push(...rows.map(([, text]) => ({ set: "Tatoeba", language, text: text! })));
  }
  return sentences;
}

/** Texts of kinds that no detector of ours learnt from. @param limit of each language */
export async function readForeignTexts(limit: number): Promise<KnownSentence[]> {
  const captions = (await readColumns(mirrorFolder(), "mt_multi30k/val.tsv.gz")).slice(0, limit);
  const reviews = (await readColumns(mirrorFolder(), "cls_zh_reviews/waimai_10k.tsv.gz")).slice(0, limit);
  return [
    ...["en", "de", "fr"].flatMap((language, column) =>
      captions.map((row) => ({ set: "Multi30k", language, text: row[column]! })),
    ),
    ...reviews.map(([, text]) => ({ set: "reviews", language: "zh", text: text! })),
  ];
}

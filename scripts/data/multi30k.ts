/**
 * Multi30k, English–German image captions (Elliott et al. 2016, arXiv:1605.00459): 29,000 pairs to train on, 1,014 to
 * choose with, and the two Flickr tests. Research and non-commercial use only, as its README says; a model trained on
 * it has to say so.
 *
 * Read from a mirror folder (`mt_multi30k/train.tsv.gz` with the columns en, de, fr) or from the public repository at
 * a pinned commit, one gzip file per language. The pinned digests are of the content, the cleaned lines of one
 * language (`lines.ts`), not of the files: both ways give the same sentences, and both are checked.
 */
import { join } from "node:path";
import { DEFAULT_CACHE_DIR, download, readIfThere } from "./download.ts";
import { checkContent, cleanLine, gunzipLines } from "./lines.ts";

/** A sentence and its translation. */
export interface SentencePair {
  source: string;
  target: string;
}

export interface ParallelOptions {
  /** Mirror folder that holds `mt_multi30k/`; default: the environment variable EDGE_SLM_DATA, else none. */
  dataDir?: string | undefined;
  /** Where downloads are kept; default: `~/.cache/edge-slm`. */
  cacheDir?: string | undefined;
  /** Stands in for the network in tests. */
  fetch?: typeof globalThis.fetch;
}

const COMMIT = "a3d2e0d26b56f3846f66a952536ffed4e401d05a";
const PUBLIC_SOURCE = `https://raw.githubusercontent.com/multi30k/dataset/${COMMIT}/data/task1/raw`;

interface Split {
  /** The file's name, in the mirror and in the public source. */
  file: string;
  rows: number;
  /** sha256 of the content of each language. */
  en: string;
  de: string;
}

const SPLITS = {
  train: {
    file: "train",
    rows: 29_000,
    en: "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
    de: "128675a4ceba176e2180e4f71ba3095b0b896475204506bc8b21ab4189a9f033",
  },
  val: {
    file: "val",
    rows: 1_014,
    en: "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
    de: "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
  },
  test2016: {
    file: "test_2016_flickr",
    rows: 1_000,
    en: "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
    de: "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
  },
  test2017: {
    file: "test_2017_flickr",
    rows: 1_000,
    en: "ce1450ddc5ab0834502579d77a170849952e15a2938b34cc503bdc25ebb4fb98",
    de: "c3078bc3b36808bf9d20eb2347ed6137016179ef59ec0d2b9b8ecc3fb2880081",
  },
} satisfies Record<string, Split>;

export type Multi30kSplit = keyof typeof SPLITS;
export const MULTI30K_SPLITS = Object.keys(SPLITS) as Multi30kSplit[];

/** For the model card. */
export const MULTI30K_CARD = {
  name: "Multi30k (task 1, en-de)",
  url: `https://github.com/multi30k/dataset/tree/${COMMIT}`,
  licence: "research and non-commercial use only",
};

/**
 * The English–German pairs of a split, in the order of the data set.
 * @throws Error if there is neither mirror nor network, a file is broken, or its content has another checksum
 */
export async function loadMulti30k(split: Multi30kSplit, options: ParallelOptions = {}): Promise<SentencePair[]> {
  const info = SPLITS[split] as Split | undefined;
  if (info === undefined) {
    throw new Error(`multi30k: expected a split out of ${MULTI30K_SPLITS.join(", ")}, got ${split}`);
  }
  const dataDir = options.dataDir ?? (process.env.EDGE_SLM_DATA || undefined);
  const [en, de] = dataDir === undefined ? await readPublic(info, options) : await readMirror(info, dataDir);
  return en.map((source, row) => ({ source, target: de[row]! }));
}

async function readMirror(split: Split, dataDir: string): Promise<[string[], string[]]> {
  const path = join(dataDir, "mt_multi30k", `${split.file}.tsv.gz`);
  const bytes = await readIfThere(path);
  if (bytes === undefined) throw new Error(`multi30k: expected the file ${path}; check --data or EDGE_SLM_DATA`);
  const rows = gunzipLines(bytes, path).map((line) => line.split("\t"));
  const column = (index: number) => rows.map((row) => cleanLine(row[index] ?? ""));
  const [en, de] = [column(0), column(1)];
  checkContent(en, split.en, `${path}, column en`);
  checkContent(de, split.de, `${path}, column de`);
  return [en, de];
}

async function readPublic(split: Split, options: ParallelOptions): Promise<[string[], string[]]> {
  const read = async (language: "en" | "de") => {
    const name = `${split.file}.${language}.gz`;
    const path = join(options.cacheDir ?? DEFAULT_CACHE_DIR, "multi30k", name);
    let lines: string[] = [];
    await download({
      url: `${PUBLIC_SOURCE}/${name}`,
      path,
      check: (bytes) => {
        lines = gunzipLines(bytes, path).map(cleanLine);
        checkContent(lines, split[language], path);
      },
      fetch: options.fetch ?? globalThis.fetch,
    });
    return lines;
  };
  return [await read("en"), await read("de")];
}

/**
 * Sentence pairs of a data set, from a local mirror or else from their public source; the same pairs either way.
 *
 * A mirror is a folder with one TSV per split (gzip, UTF-8, no header line), the public source has one gzip file per
 * split and language. The pinned digests are of the content, the cleaned lines of one language (`lines.ts`), not of
 * the files: one digest then checks both ways.
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
  /** Mirror folder; default: the environment variable EDGE_SLM_DATA, else none. */
  dataDir?: string | undefined;
  /** Where downloads are kept; default: `~/.cache/edge-slm`. */
  cacheDir?: string | undefined;
  /** Stands in for the network in tests. */
  fetch?: typeof globalThis.fetch | undefined;
}

/** Where one language of a split is, and what is in it. */
export interface Column {
  /** Its column in the mirror's TSV, from 0. */
  column: number;
  url: string;
  /** sha256 (hex) of the content. */
  sha256: string;
}

export interface ParallelSplit {
  /** Its file in the mirror, e.g. "mt_multi30k/train.tsv.gz". */
  mirrorFile: string;
  source: Column;
  target: Column;
}

/**
 * All pairs of a split, in their order. A mirror that is named is the only place looked at.
 * @param name folder of the data set in the cache, and what errors call it
 * @throws Error if there is neither mirror nor network, a file is broken, or its content has another checksum
 */
export async function loadParallel(
  name: string,
  split: ParallelSplit,
  options: ParallelOptions = {},
): Promise<SentencePair[]> {
  const dataDir = options.dataDir ?? (process.env.EDGE_SLM_DATA || undefined);
  const [sources, targets] =
    dataDir === undefined ? await readPublic(name, split, options) : await readMirror(name, split, dataDir);
  if (sources.length !== targets.length) {
    throw new Error(`${name}: expected as many targets as sources, got ${targets.length} and ${sources.length}`);
  }
  return sources.map((source, row) => ({ source, target: targets[row]! }));
}

type Columns = [sources: string[], targets: string[]];

async function readMirror(name: string, split: ParallelSplit, dataDir: string): Promise<Columns> {
  const path = join(dataDir, split.mirrorFile);
  const bytes = await readIfThere(path);
  if (bytes === undefined) throw new Error(`${name}: expected the file ${path}; check --data or EDGE_SLM_DATA`);
  const rows = gunzipLines(bytes, path).map((line) => line.split("\t"));
  const read = ({ column, sha256 }: Column) => {
    const lines = rows.map((row) => cleanLine(row[column] ?? ""));
    checkContent(lines, sha256, `${path}, column ${column + 1}`);
    return lines;
  };
  return [read(split.source), read(split.target)];
}

async function readPublic(name: string, split: ParallelSplit, options: ParallelOptions): Promise<Columns> {
  const read = async ({ url, sha256 }: Column) => {
    const path = join(options.cacheDir ?? DEFAULT_CACHE_DIR, name, url.slice(url.lastIndexOf("/") + 1));
    return await download({
      url,
      path,
      parse: (bytes) => {
        const lines = gunzipLines(bytes, path).map(cleanLine);
        checkContent(lines, sha256, path);
        return lines;
      },
      fetch: options.fetch,
    });
  };
  return [await read(split.source), await read(split.target)];
}

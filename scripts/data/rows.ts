/**
 * Rows of a data set's file, from a local mirror or else from their public source; the same rows either way.
 *
 * A mirror has one gzip file per split, TSV or JSON lines; the public source has what its authors chose, and each
 * data set knows how to read that. The pinned digest is of the content, the cleaned fields, as in `lines.ts`. Where
 * the public source is no file that could be got (a folder of 50,000 files, a union of several), the data set says
 * so instead, and a mirror is the only way.
 */
import { basename, join } from "node:path";
import { DEFAULT_CACHE_DIR, download, readIfThere } from "./download.ts";
import { checkContent, cleanLine, gunzipLines } from "./lines.ts";
import type { ParallelOptions } from "./parallel.ts";

/** Where to find data sets, as for sentence pairs. */
export type SourceOptions = ParallelOptions;

/** Fields in the order of the data set, cleaned. */
export type Row = string[];

export interface PublicFile {
  url: string;
  /** Its rows; fields need not be clean. */
  read: (bytes: Uint8Array) => Row[];
}

export interface RowFile {
  /** Its file in the mirror, e.g. "cls_trec/train.tsv.gz" or "….jsonl.gz". */
  mirrorFile: string;
  /** Of a JSON lines mirror: the keys of the fields. */
  keys?: string[];
  /** Fields of a row. */
  fields: number;
  /** sha256 (hex) of the content. */
  sha256: string;
  /** The files whose rows, one after another, are these; or a sentence on how to get them where no file has them. */
  source: PublicFile[] | string;
}

/**
 * All rows of a file, in their order. A mirror that is named is the only place looked at.
 * @param name folder of the data set in the cache, and what errors call it
 * @throws Error if there is neither mirror nor public source, a file is broken, or its content has another checksum
 */
export async function readRows(name: string, file: RowFile, options: SourceOptions = {}): Promise<Row[]> {
  const dataDir = options.dataDir ?? (process.env.EDGE_SLM_DATA || undefined);
  if (dataDir !== undefined) return await readMirror(name, file, dataDir);
  if (typeof file.source === "string") {
    throw new Error(
      `${name}: expected a mirror with ${file.mirrorFile}: ${file.source}; name it with --data or EDGE_SLM_DATA`,
    );
  }
  const folder = join(options.cacheDir ?? DEFAULT_CACHE_DIR, name);
  const whole = file.source.length === 1;
  const rows: Row[] = [];
  for (const { url, read } of file.source) {
    const path = join(folder, basename(new URL(url).pathname));
    const parse = (bytes: Uint8Array) => {
      const clean = cleanRows(read(bytes), file, path);
      // A file that is whole in itself is checked before it is kept, the parts of another only once all are there.
      if (whole) checkRows(clean, file, path);
      return clean;
    };
    rows.push(...(await download({ url, path, parse, fetch: options.fetch })));
  }
  if (!whole) checkRows(rows, file, `${folder} (delete it to get it again)`);
  return rows;
}

async function readMirror(name: string, file: RowFile, dataDir: string): Promise<Row[]> {
  const path = join(dataDir, file.mirrorFile);
  const bytes = await readIfThere(path);
  if (bytes === undefined) throw new Error(`${name}: expected the file ${path}; check --data or EDGE_SLM_DATA`);
  const lines = gunzipLines(bytes, path);
  const read = file.keys === undefined ? (line: string) => line.split("\t") : jsonReader(file.keys, path);
  const rows = cleanRows(lines.map(read), file, path);
  checkRows(rows, file, path);
  return rows;
}

function jsonReader(keys: string[], path: string): (line: string, index: number) => Row {
  return (line, index) => {
    const place = `${path}, line ${index + 1}`;
    let object: Record<string, unknown>;
    try {
      object = JSON.parse(line);
    } catch (cause) {
      throw new Error(`${place}: expected JSON, got ${JSON.stringify(line.slice(0, 40))}`, { cause });
    }
    return keys.map((key) => {
      const value = object?.[key];
      if (typeof value !== "string") throw new Error(`${place}: expected text as ${key}, got ${JSON.stringify(value)}`);
      return value;
    });
  };
}

function cleanRows(rows: Row[], file: RowFile, path: string): Row[] {
  return rows.map((row, index) => {
    if (row.length !== file.fields) {
      throw new Error(`${path}, row ${index + 1}: expected ${file.fields} fields, got ${row.length}`);
    }
    return row.map(cleanLine);
  });
}

function checkRows(rows: Row[], file: RowFile, place: string): void {
  checkContent(
    rows.map((row) => JSON.stringify(row)),
    file.sha256,
    place,
  );
}

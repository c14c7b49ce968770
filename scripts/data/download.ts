/**
 * Public files kept in a cache folder: fetched once, written whole or not at all. What is in them is read and checked
 * by the caller, who passes `parse`.
 */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/** Where downloads are kept unless the caller says otherwise. */
export const DEFAULT_CACHE_DIR = join(homedir(), ".cache", "edge-slm");

export interface DownloadOptions<T> {
  url: string;
  /** Where the file is kept. */
  path: string;
  /** Reads the bytes; throws if they are not what they should be, and then they are not kept. */
  parse: (bytes: Uint8Array) => T;
  /** Stands in for the network in tests. */
  fetch?: typeof globalThis.fetch | undefined;
}

/**
 * What is in a file, from the cache or else from its public source. A broken file in the cache is replaced.
 * @throws Error if the source doesn't answer with the file, `parse` refuses it, or the cache can't be written
 */
export async function download<T>(options: DownloadOptions<T>): Promise<T> {
  const { url, path, parse, fetch = globalThis.fetch } = options;
  const cached = await readIfThere(path);
  if (cached !== undefined) {
    try {
      return parse(cached);
    } catch (cause) {
      console.warn(`${reasonOf(cause)}; getting it again`);
    }
  }
  let bytes: Uint8Array;
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`status ${response.status}`);
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new Error(`download ${url}: ${reasonOf(cause)}; give a local copy with --data or EDGE_SLM_DATA`, { cause });
  }
  const parsed = parse(bytes);
  await writeWhole(path, bytes);
  return parsed;
}

/** The file's bytes, or undefined if there is no such file. */
export async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new Error(`read ${path}: ${reasonOf(cause)}`, { cause });
  }
}

/** Under another name first, so that a full disk or Ctrl-C never leaves half a file. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const partial = `${path}.${process.pid}.part`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(partial, bytes);
    await rename(partial, path);
  } catch (cause) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw new Error(`write ${path}: ${reasonOf(cause)}`, { cause });
  }
}

/** fetch() hides what went wrong ("fetch failed") in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== "" ? error.cause.message : error.message;
}

/** Where the lines come from: arguments, standard input, a file, or every text file of a folder. */
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";

/** Or why it cannot be read. */
export type Line = string | Error;

export interface Source {
  /** For messages, and in JSON; undefined for arguments and standard input. */
  file: string | undefined;
  /** Path below the folder that was named, or the file's own. */
  name: string;
  /** Lines as they come, some at a time. @throws Error if it is no text */
  batches(): AsyncIterable<Line[]>;
  /** How many lines there are, or undefined if nobody knows yet. */
  count(): Promise<number | undefined>;
}

/** Lines that go through the model together. */
const BATCH = 64;

export function argumentSource(texts: string[]): Source {
  return {
    file: undefined,
    name: "the arguments",
    async *batches() {
      yield texts;
    },
    count: async () => texts.length,
  };
}

/** Answers as the lines come, so that it can stand in the middle of a pipe. */
export function standardInput(): Source {
  return {
    file: undefined,
    name: "standard input",
    batches: () => readLines("standard input", process.stdin),
    count: async () => undefined,
  };
}

/**
 * The file, or the files of a folder and the folders in it, ordered by name; hidden ones are left out.
 * @throws Error if there is no such file, or no file in the folder
 */
export async function fileSources(path: string): Promise<{ isFolder: boolean; sources: Source[] }> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(error.code === "ENOENT" ? `${path}: expected a file or a folder, there is none` : error.message);
  });
  if (!found.isDirectory()) return { isFolder: false, sources: [fileSource(path, path)] };
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)))
    .filter((name) => !name.split(/[\\/]/).some((part) => part.startsWith(".")))
    .sort();
  if (names.length === 0) throw new Error(`${path}: expected text files in the folder, there are none`);
  return { isFolder: true, sources: names.map((name) => fileSource(join(path, name), name)) };
}

function fileSource(path: string, name: string): Source {
  return {
    file: path,
    name,
    batches: () => readLines(path, createReadStream(path)),
    async count() {
      const bytes = await readFile(path);
      let lines = bytes.length === 0 || bytes.at(-1) === NEWLINE ? 0 : 1;
      for (const byte of bytes) if (byte === NEWLINE) lines++;
      return lines;
    },
  };
}

const NEWLINE = 0x0a;

/**
 * Lines without their ends, LF or CRLF. The last one need not have an end.
 * @throws Error if it is empty or binary; a line in another encoding than UTF-8 is an Error in its place
 */
async function* readLines(name: string, stream: AsyncIterable<Uint8Array>): AsyncIterable<Line[]> {
  const rest: Uint8Array[] = [];
  let bytes = 0;
  let ready: Line[] = [];
  for await (const chunk of stream) {
    bytes += chunk.length;
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      rest.push(chunk.subarray(start, end));
      ready.push(decodeLine(name, Buffer.concat(rest.splice(0))));
      start = end + 1;
      if (ready.length < BATCH) continue;
      yield ready;
      ready = [];
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
    if (ready.length > 0) yield ready;
    ready = [];
  }
  if (bytes === 0) throw new Error(`${name}: expected text, it is empty`);
  if (rest.length > 0) yield [decodeLine(name, Buffer.concat(rest))];
}

function decodeLine(name: string, bytes: Uint8Array): Line {
  if (bytes.includes(0))
    throw new Error(`${name}: expected text in UTF-8, it is binary or in UTF-16: it has zero bytes`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r$/, "");
  } catch {
    return new Error("expected text in UTF-8, the line is in another encoding");
  }
}

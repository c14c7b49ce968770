/**
 * Text lines out of gzip files, cleaned and checked.
 *
 * What is hashed is the content: the cleaned lines of one language. A mirror that keeps the languages as columns of
 * one TSV and the public source that keeps them in files of their own then answer to the same digest.
 */
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";

/**
 * The lines of a gzip file, UTF-8, without the line feeds.
 * @param name what errors call the file
 * @throws Error if the bytes are not gzip or not UTF-8
 */
export function gunzipLines(bytes: Uint8Array, name: string): string[] {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(gunzipSync(bytes));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${name}: expected UTF-8 text in gzip, got ${bytes.length} bytes that are not (${reason})`, {
      cause,
    });
  }
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** A sentence as it is trained on: tabs are spaces (a TSV can't hold one), none at either end. */
export function cleanLine(line: string): string {
  return line.replaceAll("\t", " ").trim();
}

/** sha256 (hex) of cleaned lines, each followed by a line feed. */
export function contentDigest(lines: string[]): string {
  return createHash("sha256")
    .update(lines.map((line) => `${line}\n`).join(""))
    .digest("hex");
}

/** @throws Error naming what was expected and what came, unless the lines have this digest */
export function checkContent(lines: string[], expected: string, name: string): void {
  const got = contentDigest(lines);
  if (got !== expected) {
    throw new Error(`${name}: expected content with sha256 ${expected}, got ${got} (${lines.length} lines)`);
  }
}

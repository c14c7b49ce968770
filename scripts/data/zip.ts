/**
 * Files out of a ZIP archive in memory: stored or deflated entries, found by the central directory (APPNOTE 6.3.10,
 * sections 4.3.7, 4.3.12 and 4.3.16). No ZIP64, no encryption.
 */
import { inflateRawSync } from "node:zlib";

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;

/**
 * All files of an archive by name, in the order of its directory; folders are left out.
 * @param name what errors call the archive
 * @throws Error if the bytes are no archive, or an entry is stored in a way that is not supported
 */
export function unzip(bytes: Uint8Array, name: string): Map<string, Uint8Array> {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const files = new Map<string, Uint8Array>();
  try {
    const end = findEnd(view);
    let at = view.readUInt32LE(end + 16);
    for (let entries = view.readUInt16LE(end + 10); entries > 0; entries--) {
      if (view.readUInt32LE(at) !== DIRECTORY_ENTRY) throw new Error(`no directory entry at byte ${at}`);
      const nameLength = view.readUInt16LE(at + 28);
      const path = view.toString("utf8", at + 46, at + 46 + nameLength);
      if (!path.endsWith("/")) files.set(path, readEntry(view, at, path));
      at += 46 + nameLength + view.readUInt16LE(at + 30) + view.readUInt16LE(at + 32);
    }
  } catch (cause) {
    throw new Error(`${name}: expected a ZIP archive, got ${bytes.length} bytes (${(cause as Error).message})`, {
      cause,
    });
  }
  return files;
}

/** The record at the end of the archive, behind which only a comment may stand. */
function findEnd(view: Buffer): number {
  for (let at = view.length - 22; at >= 0; at--) if (view.readUInt32LE(at) === END_OF_DIRECTORY) return at;
  throw new Error("no end of a directory");
}

function readEntry(view: Buffer, entry: number, path: string): Uint8Array {
  const method = view.readUInt16LE(entry + 10);
  const size = view.readUInt32LE(entry + 20);
  const local = view.readUInt32LE(entry + 42);
  const start = local + 30 + view.readUInt16LE(local + 26) + view.readUInt16LE(local + 28);
  const data = view.subarray(start, start + size);
  if (method === 0) return data;
  if (method === 8) return inflateRawSync(data);
  throw new Error(`${path} is compressed by method ${method}, expected 0 or 8`);
}

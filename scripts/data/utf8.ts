/** Bytes → text, UTF-8 or a clear line on where it is none. */

const LINE_FEED = 10;

/**
 * The text of a file, without a byte order mark.
 * @param name what errors call the file
 * @throws Error naming the first line that is not UTF-8, and what the file looks like instead
 */
export function decodeUtf8(bytes: Uint8Array, name: string): string {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new Error(`${name}: expected UTF-8, got UTF-16 by its byte order mark; save it as UTF-8`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    const { line, byte } = findWrongLine(bytes);
    const hex = byte.toString(16).padStart(2, "0");
    throw new Error(
      `${name}, line ${line}: expected UTF-8, got the byte 0x${hex}, which may be Windows-1252; save it as UTF-8`,
      {
        cause,
      },
    );
  }
}

/** The first line that is not UTF-8, and the byte at which it stops being so. */
function findWrongLine(bytes: Uint8Array): { line: number; byte: number } {
  let start = 0;
  for (let line = 1; start < bytes.length; line++) {
    const next = bytes.indexOf(LINE_FEED, start);
    const end = next < 0 ? bytes.length : next;
    // Without `fatal` what is no UTF-8 becomes U+FFFD; all in front of the first one is intact.
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(start, end));
    for (let at = text.indexOf("\ufffd"); at >= 0; at = text.indexOf("\ufffd", at + 1)) {
      const offset = start + Buffer.byteLength(text.slice(0, at));
      // A U+FFFD that was written as such is fine.
      if (bytes[offset] !== 0xef || bytes[offset + 1] !== 0xbf || bytes[offset + 2] !== 0xbd) {
        return { line, byte: bytes[offset]! };
      }
    }
    start = end + 1;
  }
  throw new Error("findWrongLine: expected bytes that are not UTF-8, got UTF-8");
}

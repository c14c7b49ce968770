/** As R2 delivers them: chunk by chunk. */
const CHUNK_BYTES = 65536;

/** A stream of bytes that are in memory already; a chunk is a view of them, not a copy. */
export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let start = 0;
  return new ReadableStream({
    pull(controller) {
      if (start >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(start, start + CHUNK_BYTES));
      start += CHUNK_BYTES;
    },
  });
}

/**
 * Encodes large corpora: the tokenizer runs once for each word that differs, not once for each word that stands there.
 * Exact for the vocabularies that bpe.ts describes, whose words never reach across a space that begins one.
 */
import type { Tokenizer } from "../../worker/model/tokenizer.ts";

/** Where a space begins a word: the ByteLevel pattern starts a new piece there, whatever stands before. */
const BEFORE_WORD = /(?= \S)/u;
/** Words kept; then the cache begins anew. */
const CAPACITY = 500_000;

/** A function that does what `tokenizer.encode` does. */
export function cachedEncode(tokenizer: Tokenizer): (text: string) => number[] {
  const cache = new Map<string, number[]>();
  const encodeWord = (word: string) => {
    const known = cache.get(word);
    if (known) return known;
    if (cache.size >= CAPACITY) cache.clear();
    const ids = tokenizer.encode(word);
    cache.set(word, ids);
    return ids;
  };
  return (text) => (text === "" ? [] : text.split(BEFORE_WORD).flatMap(encodeWord));
}

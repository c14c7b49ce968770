/**
 * Runs a tokenizer once for each word that differs, not once for each word that stands there. Exact for a byte-level
 * pre-tokenizer behind the normalizers NFC and Lowercase: no word of theirs reaches across a space that begins one.
 */

/** Where a space begins a word: the ByteLevel pattern starts a new piece there, whatever stands before. */
const BEFORE_WORD = /(?= \S)/u;
/** Characters of a word that is worth keeping: a longer one is no word, and would fill the memory. */
const LONGEST_WORD = 40;

/** Words to keep while a whole corpus is encoded. */
export const CORPUS_WORDS = 500_000;

/** What of a `tokenizer.json` tells whether it may be read word by word. */
export interface TokenizerSteps {
  normalizer?: { type: string; normalizers?: { type: string }[] } | null;
  pre_tokenizer?: { type: string; use_regex?: boolean } | null;
}

export function readsWordByWord({ normalizer, pre_tokenizer }: TokenizerSteps): boolean {
  const normalizers = normalizer?.normalizers ?? (normalizer ? [normalizer] : []);
  return (
    pre_tokenizer?.type === "ByteLevel" &&
    pre_tokenizer.use_regex !== false &&
    normalizers.every(({ type }) => type === "NFC" || type === "Lowercase")
  );
}

/**
 * A function that does what `encode` does.
 * @param encode text → token ids
 * @param capacity words kept; then the cache begins anew
 */
export function cacheWords(encode: (text: string) => number[], capacity: number): (text: string) => number[] {
  const cache = new Map<string, number[]>();
  const encodeWord = (word: string) => {
    if (word.length > LONGEST_WORD) return encode(word);
    const known = cache.get(word);
    if (known) return known;
    if (cache.size >= capacity) cache.clear();
    const ids = encode(word);
    cache.set(word, ids);
    return ids;
  };
  return (text) => (text === "" ? [] : text.split(BEFORE_WORD).flatMap(encodeWord));
}

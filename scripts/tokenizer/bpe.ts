/**
 * Trains a byte-level BPE vocabulary (Sennrich et al. 2016, arXiv:1508.07909; bytes as in GPT-2) and describes it as
 * a Hugging Face `tokenizer.json`. Ids: special tokens, the 256 bytes, then one token per merge. Encoding is not done
 * here: `worker/model/tokenizer.ts` reads the result.
 *
 * Method: count words once, keep a count and a list of words for every pair of neighbours, take the most frequent
 * pair out of a heap, rewrite only the words that hold it. Ties go to the lower ids, so equal texts in any order give
 * equal vocabularies.
 */

export interface BpeOptions {
  /** Tokens in all: special tokens + 256 bytes + merges. Fewer come out when no pair is frequent enough. */
  vocabSize: number;
  /** Get the ids 0, 1, 2, … */
  specialTokens: string[];
  /** A pair seen less often than this is not merged. */
  minFrequency?: number;
  /** Whether texts are lowercased before they are cut, here and at encoding. */
  lowercase?: boolean;
}

/** The part of the Hugging Face `tokenizer.json` format that this trainer writes. */
export interface TokenizerJson {
  version: "1.0";
  truncation: null;
  padding: null;
  added_tokens: {
    id: number;
    content: string;
    single_word: boolean;
    lstrip: boolean;
    rstrip: boolean;
    normalized: boolean;
    special: boolean;
  }[];
  normalizer: { type: "NFC" } | { type: "Sequence"; normalizers: [{ type: "NFC" }, { type: "Lowercase" }] };
  pre_tokenizer: { type: "ByteLevel"; add_prefix_space: boolean; trim_offsets: boolean; use_regex: boolean };
  post_processor: null;
  decoder: {
    type: "Sequence";
    decoders: [
      { type: "ByteLevel"; add_prefix_space: boolean; trim_offsets: boolean; use_regex: boolean },
      { type: "Strip"; content: string; start: number; stop: number },
    ];
  };
  model: {
    type: "BPE";
    dropout: null;
    unk_token: null;
    continuing_subword_prefix: null;
    end_of_word_suffix: null;
    fuse_unk: boolean;
    byte_fallback: boolean;
    ignore_merges: boolean;
    vocab: Record<string, number>;
    merges: [string, string][];
  };
}

const BYTES = 256;
/** GPT-2's pattern of words, numbers, punctuation and white space; the `ByteLevel` pre-tokenizer uses the same. */
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
/** Scripts without spaces: a "word" of theirs is all up to the next punctuation. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;
/** Characters of such a word that are counted together: more than a token has, and many fewer than a sentence. */
const PIECE = 8;
/** A pair of ids as one number: exact for vocabularies up to 2²⁶. */
const PAIR_BASE = 2 ** 26;
const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true } as const;

/**
 * Trains a vocabulary.
 * @param texts sentences; they are normalized to NFC and get a space in front, as at encoding
 * @throws Error if `vocabSize` has no room for the special tokens and the bytes, or a special token comes twice
 */
export function trainBpe(texts: Iterable<string>, options: BpeOptions): TokenizerJson {
  const { vocabSize, specialTokens, minFrequency = 2, lowercase = false } = options;
  const firstByte = specialTokens.length;
  const firstMerge = firstByte + BYTES;
  if (!Number.isInteger(vocabSize) || vocabSize < firstMerge || vocabSize >= PAIR_BASE) {
    throw new Error(`trainBpe: expected a vocabulary of at least ${firstMerge} tokens, got ${vocabSize}`);
  }
  if (new Set(specialTokens).size !== specialTokens.length) {
    throw new Error(`trainBpe: expected special tokens that differ, got ${specialTokens.join(" ")}`);
  }
  // In the order of their characters, as Hugging Face's trainer does.
  const alphabet = [...BYTE_CHARS.entries()].sort(([, a], [, b]) => (a < b ? -1 : 1));
  const idOfByte = new Int32Array(BYTES);
  for (const [rank, [byte]] of alphabet.entries()) idOfByte[byte] = firstByte + rank;

  const tokens = [...specialTokens, ...alphabet.map(([, char]) => char)];
  const merges: [string, string][] = [];
  const taken = new Set(tokens);
  const pairs = new PairCounts(countWords(texts, lowercase), idOfByte);
  while (tokens.length < vocabSize) {
    const best = pairs.takeMostFrequent(Math.max(1, minFrequency));
    if (best === undefined) break;
    const merge: [string, string] = [tokens[best.left]!, tokens[best.right]!];
    const token = merge[0] + merge[1];
    // A text can spell a special token, or reach one string by two merges; neither may get a second id.
    if (taken.has(token)) continue;
    taken.add(token);
    pairs.merge(best.left, best.right, tokens.length);
    tokens.push(token);
    merges.push(merge);
  }
  return describe(specialTokens, tokens, merges, lowercase);
}

function describe(
  specialTokens: string[],
  tokens: string[],
  merges: [string, string][],
  lowercase: boolean,
): TokenizerJson {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: lowercase
      ? { type: "Sequence", normalizers: [{ type: "NFC" }, { type: "Lowercase" }] }
      : { type: "NFC" },
    pre_tokenizer: BYTE_LEVEL,
    post_processor: null,
    // Takes the space in front of the first word off again.
    decoder: { type: "Sequence", decoders: [BYTE_LEVEL, { type: "Strip", content: " ", start: 1, stop: 0 }] },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

/** GPT-2's printable character for each byte: itself where it is printable, else the next one from U+0100 on. */
const BYTE_CHARS: string[] = (() => {
  let next = BYTES;
  return Array.from({ length: BYTES }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : next++);
  });
})();

function countWords(texts: Iterable<string>, lowercase: boolean): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    const normalized = lowercase ? text.normalize("NFC").toLowerCase() : text.normalize("NFC");
    const spaced = normalized.startsWith(" ") ? normalized : ` ${normalized}`;
    for (const word of normalized === "" ? [] : (spaced.match(WORDS) ?? [])) {
      for (const piece of piecesOf(word)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
    }
  }
  return counts;
}

/**
 * A word, or a long one without spaces in pieces: every merge rewrites the words that hold it, which takes as long as
 * they are. Pairs across the cuts are not counted, one in eight.
 */
function piecesOf(word: string): string[] {
  if (word.length <= PIECE || !UNSPACED.test(word)) return [word];
  const characters = [...word];
  const pieces: string[] = [];
  for (let i = 0; i < characters.length; i += PIECE) pieces.push(characters.slice(i, i + PIECE).join(""));
  return pieces;
}

interface Pair {
  left: number;
  right: number;
  count: number;
  /** Words that hold the pair, or once held it. */
  words: Set<number>;
}

/** The words as token ids, and how often each two ids are neighbours. */
class PairCounts {
  readonly #words: number[][] = [];
  readonly #frequency: number[] = [];
  readonly #pairs = new Map<number, Pair>();
  readonly #heap = new PairHeap();

  constructor(wordCounts: Map<string, number>, idOfByte: Int32Array) {
    const utf8 = new TextEncoder();
    for (const [word, count] of wordCounts) {
      this.#words.push(Array.from(utf8.encode(word), (byte) => idOfByte[byte]!));
      this.#frequency.push(count);
    }
    const found = new Set<Pair>();
    for (let word = 0; word < this.#words.length; word++) this.#add(word, 1, found);
    for (const pair of found) this.#heap.push(pair.count, pair);
  }

  /** Removes the most frequent pair from the queue; undefined if none is as frequent as `minFrequency`. */
  takeMostFrequent(minFrequency: number): Pair | undefined {
    for (;;) {
      const top = this.#heap.pop();
      if (top === undefined || top.count < minFrequency) return undefined;
      if (top.count === top.pair.count) return top.pair;
      // Other merges took some of its occurrences since it was queued: queue it again where it belongs now.
      if (top.pair.count > 0) this.#heap.push(top.pair.count, top.pair);
    }
  }

  /** Writes `id` for `left` `right` in every word that holds them, from the left. */
  merge(left: number, right: number, id: number): void {
    const pair = this.#pairs.get(left * PAIR_BASE + right)!;
    const found = new Set<Pair>();
    for (const word of pair.words) {
      this.#add(word, -1);
      const ids = this.#words[word]!;
      let length = 0;
      for (let i = 0; i < ids.length; i++) {
        const holds = ids[i] === left && ids[i + 1] === right;
        ids[length++] = holds ? id : ids[i]!;
        if (holds) i++;
      }
      ids.length = length;
      this.#add(word, 1, found);
    }
    // Only pairs with the new id are new; the others are queued already, at this count or a higher one.
    for (const next of found) if (next.left === id || next.right === id) this.#heap.push(next.count, next);
    this.#pairs.delete(left * PAIR_BASE + right);
  }

  #add(word: number, sign: 1 | -1, found?: Set<Pair>): void {
    const ids = this.#words[word]!;
    for (let i = 0; i + 1 < ids.length; i++) {
      const left = ids[i]!;
      const right = ids[i + 1]!;
      const key = left * PAIR_BASE + right;
      let pair = this.#pairs.get(key);
      if (pair === undefined) {
        pair = { left, right, count: 0, words: new Set() };
        this.#pairs.set(key, pair);
      }
      pair.count += sign * this.#frequency[word]!;
      if (found !== undefined) {
        pair.words.add(word);
        found.add(pair);
      }
    }
  }
}

interface HeapEntry {
  count: number;
  pair: Pair;
}

/** A binary heap: highest count first, then lowest left id, then lowest right id. */
class PairHeap {
  readonly #entries: HeapEntry[] = [];

  push(count: number, pair: Pair): void {
    const entries = this.#entries;
    const entry = { count, pair };
    let at = entries.length;
    entries.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(entry, entries[parent]!)) break;
      entries[at] = entries[parent]!;
      at = parent;
    }
    entries[at] = entry;
  }

  pop(): HeapEntry | undefined {
    const entries = this.#entries;
    const top = entries[0];
    const last = entries.pop();
    if (last === undefined || entries.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= entries.length) break;
      if (child + 1 < entries.length && isBefore(entries[child + 1]!, entries[child]!)) child++;
      if (!isBefore(entries[child]!, last)) break;
      entries[at] = entries[child]!;
      at = child;
    }
    entries[at] = last;
    return top;
  }
}

function isBefore(a: HeapEntry, b: HeapEntry): boolean {
  if (a.count !== b.count) return a.count > b.count;
  if (a.pair.left !== b.pair.left) return a.pair.left < b.pair.left;
  return a.pair.right < b.pair.right;
}

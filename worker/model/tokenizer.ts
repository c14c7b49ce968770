/**
 * What a model is, part 3: `tokenizer.json`, text to token ids and back, over `@huggingface/tokenizers`.
 *
 * Adds two things to the library: special tokens are never read out of a text (a caller who writes `</s>` gets
 * those four characters translated, not the end of the sentence), and never written into one. And it remembers words,
 * where that changes nothing.
 */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { cacheWords, readsWordByWord, type TokenizerSteps } from "./word-cache.ts";

/** Words remembered: the frequent ones of a language, in half a megabyte. */
const CACHED_WORDS = 4_096;

interface AddedToken {
  id: number;
  content: string;
  special: boolean;
}

interface TokenizerJson extends TokenizerSteps {
  added_tokens?: AddedToken[];
}

export class Tokenizer {
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #specialIds: Set<number>;
  /** Token ids of a text, without special tokens. */
  readonly encode: (text: string) => number[];

  private constructor(json: TokenizerJson) {
    const added = json.added_tokens ?? [];
    const ordinary = added.filter((token) => !token.special);
    this.#tokenizer = new HuggingFaceTokenizer({ ...json, added_tokens: ordinary }, {});
    this.#specialIds = new Set(added.filter((token) => token.special).map((token) => token.id));
    const encode = (text: string) => this.#tokenizer.encode(text, { add_special_tokens: false }).ids;
    this.encode = ordinary.length === 0 && readsWordByWord(json) ? cacheWords(encode, CACHED_WORDS) : encode;
  }

  /**
   * @param text the content of a `tokenizer.json`
   * @throws Error if it is not JSON or describes no tokenizer
   */
  static fromJson(text: string): Tokenizer {
    try {
      return new Tokenizer(JSON.parse(text) as TokenizerJson);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`tokenizer.json: expected a Hugging Face tokenizer; ${reason}`, { cause });
    }
  }

  /** The text of token ids; special tokens are left out, a piece of a character at the end comes out as U+FFFD. */
  decode(ids: number[]): string {
    const ordinary = ids.filter((id) => !this.#specialIds.has(id));
    if (ordinary.length === 0) return "";
    return this.#tokenizer.decode(ordinary, { clean_up_tokenization_spaces: false });
  }
}

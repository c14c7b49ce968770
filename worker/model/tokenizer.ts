/**
 * What a model is, part 3: `tokenizer.json`, text to token ids and back, over `@huggingface/tokenizers`.
 *
 * Adds two things to the library: special tokens are never read out of a text (a caller who writes `</s>` gets
 * those four characters translated, not the end of the sentence), and never written into one.
 */
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";

interface AddedToken {
  id: number;
  content: string;
  special: boolean;
}

export class Tokenizer {
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #specialIds: Set<number>;

  private constructor(tokenizer: HuggingFaceTokenizer, specialIds: Set<number>) {
    this.#tokenizer = tokenizer;
    this.#specialIds = specialIds;
  }

  /**
   * @param text the content of a `tokenizer.json`
   * @throws Error if it is not JSON or describes no tokenizer
   */
  static fromJson(text: string): Tokenizer {
    try {
      const json = JSON.parse(text) as { added_tokens?: AddedToken[] };
      const added = json.added_tokens ?? [];
      const ordinary = { ...json, added_tokens: added.filter((token) => !token.special) };
      const special = new Set(added.filter((token) => token.special).map((token) => token.id));
      return new Tokenizer(new HuggingFaceTokenizer(ordinary, {}), special);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`tokenizer.json: expected a Hugging Face tokenizer; ${reason}`, { cause });
    }
  }

  /** Token ids of a text, without special tokens. */
  encode(text: string): number[] {
    return this.#tokenizer.encode(text, { add_special_tokens: false }).ids;
  }

  /** The text of token ids; special tokens are left out, a piece of a character at the end comes out as U+FFFD. */
  decode(ids: number[]): string {
    const ordinary = ids.filter((id) => !this.#specialIds.has(id));
    if (ordinary.length === 0) return "";
    return this.#tokenizer.decode(ordinary, { clean_up_tokenization_spaces: false });
  }
}

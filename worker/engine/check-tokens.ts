/** What an encoder may be given. */
import type { ModelConfig } from "../model/config.ts";

/** @throws RangeError if a text has no token or more than max_seq_len, or a token is not of the vocabulary */
export function checkTokens(
  tokens: readonly number[],
  { max_seq_len, vocab_size }: Pick<ModelConfig, "max_seq_len" | "vocab_size">,
): void {
  if (tokens.length < 1 || tokens.length > max_seq_len) {
    throw new RangeError(`Encoder: expected 1…${max_seq_len} tokens, got ${tokens.length}`);
  }
  for (const token of tokens) {
    if (!Number.isInteger(token) || token < 0 || token >= vocab_size) {
      throw new RangeError(`Encoder: expected token ids in 0…${vocab_size - 1}, got ${token}`);
    }
  }
}

/** What the heads of a classifier stand on: texts in, a vector of each out. */
import type { Address } from "./runtime.ts";

export interface SentenceEncoder {
  /** Work of a pass over so many texts of so many tokens in all, in multiply-adds. */
  macs(texts: number, tokens: number): number;

  /**
   * One pass. A text's vector is the same, to the bit, whatever it is packed with.
   * @param texts [T] token ids each, end token included
   * @returns the vectors, [texts, d_model] f32, good until the next pass
   * @throws RangeError as of `checkTokens`
   */
  encode(texts: readonly (readonly number[])[]): Address;
}

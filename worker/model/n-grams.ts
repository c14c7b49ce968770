/**
 * The n-grams that a model has vectors of: pairs and triples of tokens that say more together than one by one ("not good",
 * "how many"). Each adds its vector to that of its last token, which costs a lookup and no product: what small encoders
 * learn slowly stands in a table (Joulin et al. 2017, arXiv:1607.01759, for bags of words; before attention as in Huang et
 * al. 2025, arXiv:2501.16975).
 */

/** Tokens of an n-gram, at most. */
export const MAX_N_GRAM = 3;
/** Those that end at a token, at most: a pair and a triple. */
export const N_GRAMS_OF_TOKEN = 2;
/** In place of the first tokens of a shorter one. */
export const NO_TOKEN = -1;

export class NGrams {
  /** How many there are. */
  readonly size: number;
  readonly #rows = new Map<number, number>();
  readonly #base: number;

  /**
   * @param tokens [n-grams, MAX_N_GRAM], the last token last, NO_TOKEN before those of a pair
   * @throws Error if a token is not of the vocabulary
   */
  constructor(tokens: ArrayLike<number>, vocabSize: number) {
    // A key is a number of MAX_N_GRAM digits, exact for vocabularies of up to 200,000 tokens.
    this.#base = vocabSize + 1;
    this.size = tokens.length / MAX_N_GRAM;
    for (let at = 0; at < tokens.length; at += MAX_N_GRAM) {
      const [first, second, third] = [tokens[at]!, tokens[at + 1]!, tokens[at + 2]!];
      if (!(first >= NO_TOKEN && second >= 0 && third >= 0 && Math.max(first, second, third) < vocabSize)) {
        throw new Error(`NGrams: expected tokens of 0…${vocabSize - 1}, got ${[first, second, third].join(", ")}`);
      }
      this.#rows.set(this.#key(first, second, third), at / MAX_N_GRAM);
    }
  }

  /** The rows of the table that belong to each token: of the pair and the triple that end there. */
  rowsOf(tokens: readonly number[]): number[][] {
    return tokens.map((token, i) => {
      const rows: number[] = [];
      if (i >= 1) this.#add(rows, this.#key(NO_TOKEN, tokens[i - 1]!, token));
      if (i >= 2) this.#add(rows, this.#key(tokens[i - 2]!, tokens[i - 1]!, token));
      return rows;
    });
  }

  #add(rows: number[], key: number): void {
    const row = this.#rows.get(key);
    if (row !== undefined) rows.push(row);
  }

  #key(first: number, second: number, third: number): number {
    return ((first + 1) * this.#base + second) * this.#base + third;
  }
}

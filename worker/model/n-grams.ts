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
/** In place of the first token of a pair. */
export const NO_TOKEN = -1;

export class NGrams {
  /** How many there are. */
  readonly size: number;
  readonly #tokens: ArrayLike<number>;
  /** [vocab_size + 1] the first row of those that end with each token */
  readonly #starts: Int32Array;

  /**
   * @param tokens [n-grams, MAX_N_GRAM], the last token last, NO_TOKEN before those of a pair; in the order of their last
   *   tokens, then of those before: so a model that is loaded has nothing to build but where each last token begins
   * @throws Error if they are not in order, or a token is not of the vocabulary
   */
  constructor(tokens: ArrayLike<number>, vocabSize: number) {
    this.size = tokens.length / MAX_N_GRAM;
    this.#tokens = tokens;
    const starts = new Int32Array(vocabSize + 1);
    let last = 0;
    for (let row = 0; row < this.size; row++) {
      const token = tokens[row * MAX_N_GRAM + 2]!;
      if (!(token >= last && token < vocabSize)) {
        throw new Error(
          `NGrams: expected the last tokens to rise from 0 to ${vocabSize - 1}, got ${token} after ${last}`,
        );
      }
      last = token;
      starts[token + 1] = row + 1;
    }
    for (let token = 1; token <= vocabSize; token++) starts[token] = Math.max(starts[token]!, starts[token - 1]!);
    this.#starts = starts;
  }

  /** The rows of the table that belong to each token: of the pair and the triple that end there. */
  rowsOf(tokens: readonly number[]): number[][] {
    return tokens.map((token, i) => {
      const rows: number[] = [];
      if (i >= 1) this.#add(rows, NO_TOKEN, tokens[i - 1]!, token);
      if (i >= 2) this.#add(rows, tokens[i - 2]!, tokens[i - 1]!, token);
      return rows;
    });
  }

  /** Adds the row of an n-gram, if there is one, by binary search among those with its last token. */
  #add(rows: number[], first: number, second: number, third: number): void {
    let low = this.#starts[third]!;
    let high = this.#starts[third + 1]!;
    while (low < high) {
      const middle = (low + high) >> 1;
      const [a, b] = [this.#tokens[middle * MAX_N_GRAM]!, this.#tokens[middle * MAX_N_GRAM + 1]!];
      if (a === first && b === second) {
        rows.push(middle);
        return;
      }
      if (b < second || (b === second && a < first)) low = middle + 1;
      else high = middle;
    }
  }
}

/** Orders n-grams as `NGrams` wants them. @param a and b MAX_N_GRAM tokens each */
export function compareNGrams(a: readonly number[], b: readonly number[]): number {
  return a[2]! - b[2]! || a[1]! - b[1]! || a[0]! - b[0]!;
}

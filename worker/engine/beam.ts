/**
 * Beam search over one sentence, without a model: it is given the best continuations of each live hypothesis and
 * decides which live on. Greedy search is the beam of one.
 *
 * Per step, of all continuations the best 2 · beam_size count: one that ends counts as finished if it is among the
 * best beam_size of them, and the best beam_size that do not end live on. The search is over when beam_size hypotheses
 * are finished and the best live one, were it to end now, would not beat the worst of them (the rule of Hugging Face
 * transformers' `early_stopping=False`; exact for length_penalty 0, since log_probs only fall), or at max_tokens.
 */
import type { Prefix } from "./cache.ts";

export interface Hypothesis {
  /** Without start and end token. */
  tokens: number[];
  /** Sum of the tokens' natural log_probs, the end token's included. */
  logProb: number;
  /** logProb / length^length_penalty; length counts the end token. */
  score: number;
  /** False if it was cut at max_tokens. */
  finished: boolean;
}

/** A hypothesis that may still grow. */
export interface LiveHypothesis {
  readonly prefix: Prefix;
  readonly logProb: number;
}

export interface BeamOptions {
  beamSize: number;
  /** Tokens of a hypothesis at most, the end token counted. */
  maxTokens: number;
  lengthPenalty: number;
  bosTokenId: number;
  eosTokenId: number;
}

interface Continuation {
  parent: LiveHypothesis;
  token: number;
  logProb: number;
}

export class BeamSearch {
  /** Best first. Empty once the search is over. */
  live: LiveHypothesis[];
  readonly #options: BeamOptions;
  /** Best first, at most beamSize. */
  readonly #finished: Hypothesis[] = [];
  readonly #cut: Hypothesis[] = [];
  #length = 0;

  constructor(options: BeamOptions) {
    this.#options = options;
    const prefix: Prefix = { token: options.bosTokenId, previous: undefined, position: 0, cacheRow: 0 };
    this.live = options.maxTokens > 0 ? [{ prefix, logProb: 0 }] : [];
  }

  get done(): boolean {
    return this.live.length === 0;
  }

  /** How many of the best continuations `advance` wants for each live hypothesis: in a beam one may be the end. */
  static candidates(beamSize: number, vocabSize: number): number {
    return Math.min(beamSize === 1 ? 1 : beamSize + 1, vocabSize);
  }

  /**
   * @param tokens k best continuations of each live hypothesis, best first: [live, k], starting at `offset`
   * @param logProbs the same of their log_probs
   */
  advance(tokens: ArrayLike<number>, logProbs: ArrayLike<number>, k: number, offset: number): void {
    const { beamSize, maxTokens, lengthPenalty, eosTokenId } = this.#options;
    const continuations: Continuation[] = [];
    this.live.forEach((parent, i) => {
      for (let j = offset + i * k; j < offset + (i + 1) * k; j++) {
        continuations.push({ parent, token: tokens[j]!, logProb: parent.logProb + logProbs[j]! });
      }
    });
    // The sort is stable: of equal ones the earlier hypothesis and the smaller token come first.
    continuations.sort((a, b) => b.logProb - a.logProb);
    this.#length++;
    const live: LiveHypothesis[] = [];
    for (let rank = 0; rank < continuations.length && live.length < beamSize; rank++) {
      const { parent, token, logProb } = continuations[rank]!;
      if (token !== eosTokenId) {
        const { prefix: previous } = parent;
        live.push({ prefix: { token, previous, position: previous.position + 1, cacheRow: 0 }, logProb });
      } else if (rank < beamSize) {
        this.#finish(parent.prefix, logProb);
      }
    }
    this.live = live;
    const worst = this.#finished[beamSize - 1];
    const best = live[0];
    if (best && worst && best.logProb / this.#length ** lengthPenalty <= worst.score) {
      this.live = [];
    } else if (this.#length >= maxTokens) {
      for (const { prefix, logProb } of live) {
        const score = logProb / this.#length ** lengthPenalty;
        this.#cut.push({ tokens: tokensOf(prefix), logProb, score, finished: false });
      }
      this.live = [];
    }
  }

  /** At most beamSize hypotheses: the finished ones best first, then those that were cut. */
  hypotheses(): Hypothesis[] {
    return [...this.#finished, ...this.#cut].slice(0, this.#options.beamSize);
  }

  #finish(prefix: Prefix, logProb: number): void {
    const score = logProb / this.#length ** this.#options.lengthPenalty;
    let place = this.#finished.length;
    while (place > 0 && this.#finished[place - 1]!.score < score) place--;
    this.#finished.splice(place, 0, { tokens: tokensOf(prefix), logProb, score, finished: true });
    this.#finished.length = Math.min(this.#finished.length, this.#options.beamSize);
  }
}

/** The tokens of a hypothesis without the start token. */
function tokensOf(prefix: Prefix): number[] {
  const tokens: number[] = new Array(prefix.position);
  for (let p = prefix; p.previous; p = p.previous) tokens[p.position - 1] = p.token;
  return tokens;
}

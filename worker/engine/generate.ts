/**
 * From source tokens to target tokens: greedy and beam search over a batch of sentences.
 *
 * The rows of a decoder step are the live hypotheses of all sentences in work. A sentence that is finished leaves, and
 * the next one of the batch takes its rows, so memory is bounded by MAX_ROWS and not by the batch. Between steps the
 * event loop gets its turn every few milliseconds; several calls on one model may run side by side.
 */
import type { TranslationConfig } from "../model/config.ts";
import { BeamSearch, type Hypothesis } from "./beam.ts";
import type { Prefix } from "./cache.ts";
import type { Candidates } from "./transformer.ts";
import { makeTurns, type TurnOptions } from "./turns.ts";

export type { Hypothesis };

/** Rows of a decoder step, at most (one sentence may exceed it). More would not make a product faster. */
const MAX_ROWS = 32;
const MAX_BEAM_SIZE = 32;

/** Wall time in milliseconds, without the turns that others took. */
export interface SearchTimes {
  encode_ms: number;
  decode_ms: number;
}

export interface GenerateOptions extends TurnOptions {
  /** Default: the model's. 1 is greedy search. */
  beamSize?: number;
  /** Target tokens at most, the end token counted. Default: from the source's length, as the model says. */
  maxTokens?: number;
  /** Exponent of the length in score = log_prob / length^length_penalty. Default: the model's. */
  lengthPenalty?: number;
  /** Only tokens of the model's shortlist for each source come out. Default: the model's, which is mostly false. */
  shortlist?: boolean;
  /** Greedy only: false spares the log-softmax of every step; logProb and score are NaN then. Default: true. */
  scores?: boolean;
  /** Greedy only: called after each token of each sentence, the end token left out. */
  onToken?: (sentence: number, tokenId: number) => void;
  /** What the engine took is added to these. */
  times?: SearchTimes;
}

/**
 * What the search asks of a model; Transformer is one. The search only hands sources, caches and prefixes from one
 * call to the next: what is in them is the model's own.
 */
export interface SearchModel<Source, Cache extends { release(): void }> {
  readonly config: TranslationConfig;
  /** Work of encoding one source token, and of one row of a decoder step, in multiply-adds. */
  readonly encoderMacs: number;
  readonly decoderMacs: number;
  readonly hasShortlist?: boolean;
  createCache(): Cache;
  /** @param tokens end token included */
  encode(tokens: readonly number[], shortlist: boolean): Source;
  releaseSource(source: Source): void;
  /** The k best next tokens after each row's prefix, [R, k], with logits in place of log_probs unless `scores`. */
  step(
    rows: readonly { readonly source: Source; readonly prefix: Prefix }[],
    cache: Cache,
    k: number,
    scores: boolean,
  ): Candidates;
}

interface Sentence<Source> {
  index: number;
  source: Source;
  search: BeamSearch;
}

/**
 * @param sources token ids without the end token
 * @returns for each source its hypotheses, best first: finished ones before those cut at maxTokens
 * @throws RangeError if a source is too long or an option is out of range; the signal's reason if aborted
 */
export async function generate<Source, Cache extends { release(): void }>(
  model: SearchModel<Source, Cache>,
  sources: readonly (readonly number[])[],
  options: GenerateOptions = {},
): Promise<Hypothesis[][]> {
  const { config } = model;
  const { beamSize = config.generation.beam_size, lengthPenalty = config.generation.length_penalty } = options;
  const { maxTokens, onToken, scores = true, times = { encode_ms: 0, decode_ms: 0 } } = options;
  checkOptions({ beamSize, lengthPenalty, maxTokens, onToken, scores });
  const { shortlist = config.generation.shortlist ?? false } = options;
  if (shortlist && !model.hasShortlist) {
    throw new Error("generate: expected a model with a shortlist, got none; export it with --shortlist");
  }
  const k = BeamSearch.candidates(beamSize, config.vocab_size);
  const results: Hypothesis[][] = new Array(sources.length);
  const cache = model.createCache();
  let active: Sentence<Source>[] = [];
  let next = 0;
  const takeTurns = makeTurns(options);
  const admit = async (index: number) => {
    const tokens = sources[index]!;
    await takeTurns((tokens.length + 1) * model.encoderMacs);
    const startMs = performance.now();
    const source = model.encode([...tokens, config.eos_token_id], shortlist);
    times.encode_ms += performance.now() - startMs;
    const { max_length_ratio, max_length_bias } = config.generation;
    const limit = maxTokens ?? Math.ceil(max_length_ratio * tokens.length + max_length_bias);
    const search = new BeamSearch({
      beamSize,
      lengthPenalty,
      maxTokens: Math.min(limit, config.max_seq_len),
      bosTokenId: config.bos_token_id,
      eosTokenId: config.eos_token_id,
    });
    active.push({ index, source, search });
  };
  try {
    while (active.length > 0 || next < sources.length) {
      while (next < sources.length && (active.length === 0 || (active.length + 1) * beamSize <= MAX_ROWS)) {
        await admit(next++);
      }
      const rows = active.flatMap(({ source, search }) => search.live.map(({ prefix }) => ({ source, prefix })));
      await takeTurns(rows.length * model.decoderMacs);
      const startMs = performance.now();
      const candidates = model.step(rows, cache, k, scores);
      times.decode_ms += performance.now() - startMs;
      let offset = 0;
      for (const { index, search } of active) {
        const count = search.live.length;
        const best = candidates.tokens[offset]!;
        search.advance(candidates.tokens, candidates.logProbs, k, offset);
        offset += count * k;
        if (best !== config.eos_token_id) onToken?.(index, best);
      }
      active = active.filter((sentence) => {
        const { index, source, search } = sentence;
        if (!search.done) return true;
        const hypotheses = search.hypotheses();
        results[index] = scores ? hypotheses : hypotheses.map(withoutScore);
        model.releaseSource(source);
        return false;
      });
    }
  } finally {
    for (const { source } of active) model.releaseSource(source);
    cache.release();
  }
  return results;
}

function withoutScore(hypothesis: Hypothesis): Hypothesis {
  return { ...hypothesis, logProb: NaN, score: NaN };
}

function checkOptions({ beamSize = 1, maxTokens = 1, lengthPenalty = 1, onToken, scores }: GenerateOptions): void {
  if (!Number.isInteger(beamSize) || beamSize < 1 || beamSize > MAX_BEAM_SIZE) {
    throw new RangeError(`generate: expected beamSize in 1…${MAX_BEAM_SIZE}, got ${beamSize}`);
  }
  if (!Number.isInteger(maxTokens) || maxTokens < 1) {
    throw new RangeError(`generate: expected maxTokens of at least 1, got ${maxTokens}`);
  }
  if (!(lengthPenalty >= 0 && lengthPenalty < Infinity)) {
    throw new RangeError(`generate: expected lengthPenalty of at least 0, got ${lengthPenalty}`);
  }
  if (onToken && beamSize > 1) {
    throw new RangeError(
      `generate: onToken needs beamSize 1, got ${beamSize}; a beam knows its tokens at the end only`,
    );
  }
  if (scores === false && beamSize > 1) {
    throw new RangeError(`generate: scores false needs beamSize 1, got ${beamSize}; a beam is chosen by its scores`);
  }
}

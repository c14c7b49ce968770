/**
 * Translates texts with a loaded model: sentences out, batches through the engine, sentences in again. Knows no HTTP
 * but the Problem it throws; routes/translate.ts has the schemas.
 */

import { align } from "./engine/align.ts";
import { generate, type Hypothesis, type SearchTimes } from "./engine/generate.ts";
import type { LoadedModel } from "./loaded-model.ts";
import type { Tokenizer } from "./model/tokenizer.ts";
import { cleanText } from "./text/clean.ts";
import { matchLanguage } from "./text/languages.ts";
import { otherScript } from "./text/other-script.ts";
import { type Piece, textPieces } from "./text/pieces.ts";
import { placeOf } from "./text/place.ts";
import { INCOMPLETE, tokenWords, wordWeights } from "./text/token-words.ts";

type Translator = LoadedModel<"translation">;

export interface TranslateOptions {
  beamSize: number;
  /** Most tokens of one translated sentence; without it, the model's own rule. */
  maxTokens?: number;
  /** Whether to tell the beam's other translations of each sentence, and which words its words were made from. */
  alternatives?: boolean;
  alignments?: boolean;
  signal: AbortSignal;
  /** What encoding and decoding took is added to these. */
  times?: SearchTimes;
}

/** Which source words each target word was made from (engine/align.ts). */
export interface Alignment {
  source_words: string[];
  target_words: string[];
  /** [target_words][source_words], 0…1 */
  weights: number[][];
}

/** A sentence, or what stands between two of them, which is kept as it is. */
export interface TranslationPart {
  source: string;
  text: string;
  alternatives?: { text: string; score: number }[];
  alignment?: Alignment;
}

export interface Translation {
  text: string;
  /** Mean log-probability of the target's tokens, ≤ 0; null if nothing was to be translated. */
  score: number | null;
  source_tokens: number;
  target_tokens: number;
  /** Sentences, or parts of long ones, that went through the model. */
  segments: number;
  /** Whether a sentence reached the limit of tokens before its end. */
  truncated: boolean;
  /** Only if alternatives or alignments were asked for. Their texts put together are `text`. */
  parts?: TranslationPart[];
}

/** The pieces of each text, in order. */
export type Plan = Piece[][];

/**
 * Cuts texts into pieces and tokenizes them.
 * @param source BCP 47 code, one that the model knows
 * @throws Problem unsupported_language if a text is written in an alphabet that the model does not read
 */
export function planTranslation(texts: string[], source: string, model: Translator): Plan {
  const { config } = model.manifest;
  const language = matchLanguage(config.source_languages, source) ?? config.source_languages[0]!;
  return texts.map((text, index) => {
    const clean = cleanText(text);
    if (!model.readsScript(clean)) {
      const because = `as ${source} is written in`;
      throw otherScript(placeOf(texts, index), clean, config.source_scripts, { index, because });
    }
    // One position is left for the end token.
    return textPieces(clean, language, model.tokenizer, config.max_seq_len - 1);
  });
}

/** Rows of the engine at a time, at most: its own bound. */
const MAX_ROWS = 32;

/** How many rows of the engine `translate` will keep busy. `translateStreaming` needs no more than its beam. */
export function planRows(plan: Plan, beamSize: number): number {
  const sentences = plan.flat().filter((piece) => piece.tokens).length;
  return Math.min(sentences * beamSize, MAX_ROWS);
}

/** Translates all sentences of all texts as one batch; the engine keeps its rows full and its memory bounded. */
export async function translate(plan: Plan, model: Translator, options: TranslateOptions): Promise<Translation[]> {
  const found = await searchAll(plan, model, options);
  const translations: Translation[] = [];
  for (const pieces of plan) {
    const translation = new TranslationBuilder();
    for (const piece of pieces) {
      const [best, ...others] = found.get(piece) ?? [];
      if (!best) {
        translation.addVerbatim(piece);
        continue;
      }
      const text = model.tokenizer.decode(best.tokens);
      translation.addSentence(piece, best, text, await describePart(piece, text, best, others, model, options));
    }
    translations.push(translation.build(wantsParts(options)));
  }
  return translations;
}

/**
 * What else the beam found: of each text first the best translation, then those that are made of each sentence's second,
 * third, … as far as the beam is wide. The alternatives differ from each other.
 */
export async function translateRanked(
  plan: Plan,
  model: Translator,
  options: Omit<TranslateOptions, "alternatives" | "alignments">,
): Promise<Translation[][]> {
  const found = await searchAll(plan, model, options);
  return plan.map((pieces) => {
    const ranks = Math.max(1, ...pieces.map((piece) => found.get(piece)?.length ?? 1));
    const ranked = new Map<string, Translation>();
    for (let rank = 0; rank < ranks; rank++) {
      const translation = new TranslationBuilder();
      for (const piece of pieces) {
        const hypotheses = found.get(piece);
        const hypothesis = hypotheses?.[rank] ?? hypotheses?.[0];
        if (hypothesis) translation.addSentence(piece, hypothesis, model.tokenizer.decode(hypothesis.tokens));
        else translation.addVerbatim(piece);
      }
      const built = translation.build(false);
      if (!ranked.has(built.text)) ranked.set(built.text, built);
    }
    return [...ranked.values()];
  });
}

/** The hypotheses of each sentence, best first; what goes through verbatim has none. */
async function searchAll(plan: Plan, model: Translator, options: TranslateOptions): Promise<Map<Piece, Hypothesis[]>> {
  const sentences = plan.flat().filter((piece) => piece.tokens);
  const hypotheses = await generate(model.engine, sentences.map(tokensOf), options);
  return new Map(sentences.map((piece, i) => [piece, hypotheses[i]!]));
}

function wantsParts({ alternatives, alignments }: TranslateOptions): boolean {
  return alternatives === true || alignments === true;
}

/** What was asked for of a sentence besides its translation. */
async function describePart(
  piece: Piece,
  text: string,
  best: Hypothesis,
  others: readonly Hypothesis[],
  model: Translator,
  options: TranslateOptions,
): Promise<TranslationPart> {
  return {
    source: piece.text,
    text,
    ...(options.alternatives ? { alternatives: describeAlternatives(text, others, model) } : {}),
    ...(options.alignments ? { alignment: await alignWords(piece.tokens!, best.tokens, model, options.signal) } : {}),
  };
}

/** Other texts, best first: two hypotheses may be the same one, cut into tokens in two ways. */
function describeAlternatives(text: string, others: readonly Hypothesis[], { tokenizer }: Translator) {
  const seen = new Set([text]);
  return others.flatMap((hypothesis) => {
    const other = tokenizer.decode(hypothesis.tokens);
    if (seen.has(other)) return [];
    seen.add(other);
    return [{ text: other, score: hypothesis.logProb / tokensChosen(hypothesis) }];
  });
}

async function alignWords(
  sourceTokens: readonly number[],
  targetTokens: readonly number[],
  { engine, manifest, tokenizer }: Translator,
  signal: AbortSignal,
): Promise<Alignment> {
  const { source_languages, target_languages } = manifest.config;
  const weights = await align(engine, sourceTokens, targetTokens, { signal });
  const source = tokenWords(sourceTokens, source_languages[0]!, tokenizer);
  const target = tokenWords(targetTokens, target_languages[0]!, tokenizer);
  const round = (weight: number) => Math.round(weight * 1e4) / 1e4;
  return {
    source_words: source.words,
    target_words: target.words,
    weights: wordWeights(weights, source, target).map((row) => row.map(round)),
  };
}

/** The end token is one that the model chose, and its log-probability is in the sum. */
function tokensChosen({ tokens, finished }: Hypothesis): number {
  return tokens.length + (finished ? 1 : 0);
}

/**
 * Translates sentence by sentence in reading order and reports the text as it grows, a token at a time when greedy, a
 * sentence at a time with a beam, whose text is only known at its end.
 * @param onDelta gets the index of the text, what to append to its translation, and how many characters of all texts
 * are being translated or were, up to the end of this sentence
 */
export async function translateStreaming(
  plan: Plan,
  model: Translator,
  options: TranslateOptions,
  onDelta: (index: number, delta: string, characters: number) => void,
): Promise<Translation[]> {
  const translations: Translation[] = [];
  let characters = 0;
  for (const [index, pieces] of plan.entries()) {
    const translation = new TranslationBuilder();
    for (const piece of pieces) {
      options.signal.throwIfAborted();
      characters += piece.text.length;
      if (!piece.tokens) {
        translation.addVerbatim(piece);
        onDelta(index, piece.text, characters);
        continue;
      }
      const decoder = new StreamDecoder(model.tokenizer);
      const onToken = (_: number, id: number) => onDelta(index, decoder.push(id), characters);
      const hypotheses = await generate(
        model.engine,
        [piece.tokens],
        // A turn of the event loop at every step, so that a token is sent before the next is computed.
        options.beamSize === 1 ? { ...options, onToken, macsPerTurn: 0 } : options,
      );
      const [best, ...others] = hypotheses[0]!;
      onDelta(index, decoder.finish(best!.tokens), characters);
      const part = await describePart(piece, decoder.text, best!, others, model, options);
      translation.addSentence(piece, best!, decoder.text, part);
    }
    translations.push(translation.build(wantsParts(options)));
  }
  return translations;
}

function tokensOf(piece: Piece): number[] {
  return piece.tokens!;
}

class TranslationBuilder {
  #text = "";
  #logProb = 0;
  #sourceTokens = 0;
  #targetTokens = 0;
  #segments = 0;
  #truncated = false;
  readonly #parts: TranslationPart[] = [];

  addVerbatim({ text }: Piece): void {
    this.#text += text;
    this.#parts.push({ source: text, text });
  }

  addSentence(piece: Piece, hypothesis: Hypothesis, text: string, part?: TranslationPart): void {
    this.#text += text;
    if (part) this.#parts.push(part);
    this.#logProb += hypothesis.logProb;
    this.#sourceTokens += piece.tokens!.length;
    this.#targetTokens += tokensChosen(hypothesis);
    this.#segments++;
    this.#truncated ||= !hypothesis.finished;
  }

  build(withParts: boolean): Translation {
    return {
      text: this.#text,
      score: this.#targetTokens === 0 ? null : this.#logProb / this.#targetTokens,
      source_tokens: this.#sourceTokens,
      target_tokens: this.#targetTokens,
      segments: this.#segments,
      truncated: this.#truncated,
      ...(withParts ? { parts: this.#parts } : {}),
    };
  }
}

/** Tokens to text as they come; holds back the bytes of a character until its last one is there. */
export class StreamDecoder {
  readonly #tokenizer: Tokenizer;
  readonly #ids: number[] = [];
  /** What was handed out so far. */
  text = "";

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** What the token adds to the text, possibly nothing yet. */
  push(id: number): string {
    this.#ids.push(id);
    return this.#advance(this.#tokenizer.decode(this.#ids).replace(INCOMPLETE, ""));
  }

  /** What was held back, now that these are all the tokens. */
  finish(ids: number[]): string {
    return this.#advance(this.#tokenizer.decode(ids));
  }

  #advance(text: string): string {
    // A decoder that rewrites what it said before (by joining accents, say) is waited for.
    if (!text.startsWith(this.text)) return "";
    const delta = text.slice(this.text.length);
    this.text = text;
    return delta;
  }
}

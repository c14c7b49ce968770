/**
 * Translates texts with a loaded model: sentences out, batches through the engine, sentences in again. Knows no HTTP
 * but the Problem it throws; routes/translate.ts has the schemas.
 */

import { generate, type Hypothesis, type SearchTimes } from "./engine/generate.ts";
import { Problem } from "./errors.ts";
import type { LoadedModel } from "./loaded-model.ts";
import type { Tokenizer } from "./model/tokenizer.ts";
import { cleanText } from "./text/clean.ts";
import { matchLanguage } from "./text/languages.ts";
import { type Piece, textPieces } from "./text/pieces.ts";
import { placeOf } from "./text/place.ts";

type Translator = LoadedModel<"translation">;

export interface TranslateOptions {
  beamSize: number;
  /** Most tokens of one translated sentence; without it, the model's own rule. */
  maxTokens?: number;
  signal: AbortSignal;
  /** What encoding and decoding took is added to these. */
  times?: SearchTimes;
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
      throw new Problem(
        "unsupported_language",
        `${placeOf(texts, index)}expected ${config.source_scripts.join(" or ")} letters, as ${source} is written in; ` +
          `most of ${JSON.stringify(clean.trim().slice(0, 40).toWellFormed())} are of another script`,
        { extensions: { text: index, scripts: config.source_scripts } },
      );
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
  return (await translateRanked(plan, model, options)).map(([best]) => best!);
}

/**
 * The same, and what else the beam found: of each text first the best translation, then those that are made of each
 * sentence's second, third, … as far as the beam is wide. The alternatives differ from each other.
 */
export async function translateRanked(
  plan: Plan,
  model: Translator,
  options: TranslateOptions,
): Promise<Translation[][]> {
  const sentences = plan.flat().filter((piece) => piece.tokens);
  const hypotheses = await generate(model.engine, sentences.map(tokensOf), options);
  const found = new Map(sentences.map((piece, i) => [piece, hypotheses[i]!]));
  return plan.map((pieces) => {
    const ranks = Math.max(1, ...pieces.map((piece) => found.get(piece)?.length ?? 1));
    const translations = new Map<string, Translation>();
    for (let rank = 0; rank < ranks; rank++) {
      const translation = new TranslationBuilder();
      for (const piece of pieces) {
        const ranked = found.get(piece);
        const hypothesis = ranked?.[rank] ?? ranked?.[0];
        if (hypothesis) translation.addSentence(piece, hypothesis, model.tokenizer.decode(hypothesis.tokens));
        else translation.addVerbatim(piece);
      }
      const built = translation.build();
      if (!translations.has(built.text)) translations.set(built.text, built);
    }
    return [...translations.values()];
  });
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
      const hypothesis = hypotheses[0]![0]!;
      onDelta(index, decoder.finish(hypothesis.tokens), characters);
      translation.addSentence(piece, hypothesis, decoder.text);
    }
    translations.push(translation.build());
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

  addVerbatim(piece: Piece): void {
    this.#text += piece.text;
  }

  addSentence(piece: Piece, hypothesis: Hypothesis, text: string): void {
    this.#text += text;
    this.#logProb += hypothesis.logProb;
    this.#sourceTokens += piece.tokens!.length;
    // The end token is one that the model chose, and its log-probability is in the sum.
    this.#targetTokens += hypothesis.tokens.length + (hypothesis.finished ? 1 : 0);
    this.#segments++;
    this.#truncated ||= !hypothesis.finished;
  }

  build(): Translation {
    return {
      text: this.#text,
      score: this.#targetTokens === 0 ? null : this.#logProb / this.#targetTokens,
      source_tokens: this.#sourceTokens,
      target_tokens: this.#targetTokens,
      segments: this.#segments,
      truncated: this.#truncated,
    };
  }
}

/** U+FFFD at the end of a decoded text: the bytes of a character that is not yet complete. */
const INCOMPLETE = /\uFFFD+$/;

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

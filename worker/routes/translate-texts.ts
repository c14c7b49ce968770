/**
 * What the routes of other services' clients share: texts through a model, paid for as any translation is, and the
 * languages that there are.
 */
import type { Context } from "hono";
import type { AppEnv } from "../context.ts";
import { Problem } from "../errors.ts";
import { checkTexts } from "../middleware/limits.ts";
import type { Manifest } from "../model/manifest.ts";
import { Stopwatch } from "../stopwatch.ts";
import type { ModelStore, RequestScope } from "../store.ts";
import { chooseSource } from "../text/detect.ts";
import { matchLanguage } from "../text/languages.ts";
import { planRows, planTranslation, type Translation, translate, translateRanked } from "../translate.ts";

type Translator = Manifest<"translation">;

export interface TextsRequest {
  texts: string[];
  /** Of all texts; undefined: each is in the language that it looks like. */
  source: string | undefined;
  target: string;
  /** How many translations beside the best one, as far as the beam finds so many; default: 0. */
  alternatives?: number;
}

export interface TranslatedText {
  /** The source's language, as given or detected, and how probable that is. */
  language: string;
  probability: number;
  /** The best first. */
  translations: Translation[];
}

/** @throws Problem as `POST /v1/translate` does */
export async function translateTexts(c: Context<AppEnv>, request: TextsRequest): Promise<TranslatedText[]> {
  const { texts, target, alternatives = 0 } = request;
  const { scope, store } = c.var;
  const characters = checkTexts(texts, scope.settings);
  const candidates = await store.candidates(scope, "translation");
  const sources = texts.map((text) => sourceOf(text, request.source, candidates));
  const manifest = candidates.find(({ config }) => {
    const knows = ({ language }: { language: string }) => matchLanguage(config.source_languages, language);
    return matchLanguage(config.target_languages, target) && sources.every(knows);
  });
  if (!manifest) throw unsupportedPair(candidates, sources[0]!.language, target);
  await c.var.payment.reserve({ task: "translation", model: manifest.id, characters });
  const watch = new Stopwatch(["load_ms", "tokenize_ms", "queue_ms", "generate_ms"]);
  const times = { encode_ms: 0, decode_ms: 0 };
  const lease = await store.acquire(scope, manifest);
  try {
    const { model } = lease;
    watch.lap("load_ms");
    const plan = texts.flatMap((text, i) => planTranslation([text], sources[i]!.language, model));
    watch.lap("tokenize_ms");
    const beamSize = alternatives > 0 ? alternatives + 1 : manifest.config.generation.beam_size;
    await lease.enter(planRows(plan, beamSize));
    watch.lap("queue_ms");
    const options = { beamSize, signal: c.req.raw.signal, times };
    const ranked =
      alternatives > 0
        ? await translateRanked(plan, model, options)
        : (await translate(plan, model, options)).map((best) => [best]);
    watch.lap("generate_ms");
    Object.assign(c.var.timings, watch.laps, times);
    return ranked.map((translations, i) => ({ ...sources[i]!, translations }));
  } finally {
    lease.release();
  }
}

function sourceOf(text: string, given: string | undefined, candidates: Translator[]) {
  if (given !== undefined) return { language: given, probability: 1 };
  return chooseSource(
    text,
    candidates.flatMap(({ config }) => config.source_languages),
  );
}

function unsupportedPair(candidates: Translator[], source: string, target: string): Problem {
  const isTarget = candidates.some(({ config }) => matchLanguage(config.target_languages, target));
  const isSource = candidates.some(({ config }) => matchLanguage(config.source_languages, source));
  const what = isTarget && !isSource ? source : isSource && !isTarget ? target : `${source} → ${target}`;
  const pairs = candidates.map(({ config }) => `${config.source_languages.join("|")} → ${config.target_languages}`);
  return new Problem("unsupported_language", `${what} is not supported; expected a pair of ${pairs.join(", ")}`);
}

export interface OfferedLanguage {
  code: string;
  name: string;
  /** What texts in it can be translated into; none if it is a target only. */
  targets: string[];
}

/** All languages of all translators, by code. */
export async function listLanguages(store: ModelStore, scope: RequestScope): Promise<OfferedLanguage[]> {
  const manifests = await store.candidates(scope, "translation");
  const codes = manifests.flatMap(({ config }) => [...config.source_languages, ...config.target_languages]);
  return [...new Set(codes)].sort().map((code) => {
    const knowing = manifests.filter(({ config }) => config.source_languages.includes(code));
    const targets = [...new Set(knowing.flatMap(({ config }) => config.target_languages))].sort();
    return { code, name: nameOf(code), targets };
  });
}

const names = new Intl.DisplayNames(["en"], { type: "language" });

function nameOf(code: string): string {
  return names.of(code) ?? code;
}

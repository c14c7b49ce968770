/**
 * `POST /v2/translate`, `GET /v2/languages`, `GET` and `POST /v2/usage` as DeepL has them
 * (https://developers.deepl.com/docs), so that its clients work with this server. What a small model cannot do is
 * refused; what is only a hint is ignored.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { ledgerOf } from "../billing/directory.ts";
import { refusalProblem } from "../billing/prepaid.ts";
import { priceOf } from "../billing/pricing.ts";
import { today } from "../billing/usage.ts";
import type { App, AppEnv } from "../context.ts";
import { Problem } from "../errors.ts";
import { keyMissing, readApiKey } from "../middleware/auth.ts";
import { jsonAnswer, jsonOrFormBody, maybeDeeplKey, readBody, TAGS } from "../openapi.ts";
import { listLanguages, translateTexts } from "./translate-texts.ts";

const MAX_TEXTS = 50;
/** What DeepL says where there is no limit. */
const NO_LIMIT = 1_000_000_000_000;

const errorSchema = z.object({ message: z.string() }).openapi("DeeplError");
const problem = (description: string) => ({ description, content: { "application/json": { schema: errorSchema } } });
const keyProblems = { 403: problem("The API key is missing or wrong"), 429: problem("Too many requests") };

const flag = z.union([z.boolean(), z.enum(["0", "1", "true", "false"])]);
const hint = (description: string) =>
  z
    .unknown()
    .optional()
    .openapi({ description: `Ignored: ${description}` });

const translateSchema = z
  .object({
    text: z.union([z.string(), z.array(z.string()).min(1).max(MAX_TEXTS)], {
      error: `expected a text, or a list of 1 to ${MAX_TEXTS}`,
    }),
    target_lang: z.string().min(2).max(35),
    source_lang: z.string().min(2).max(35).optional().openapi({ description: "Without it, detected for each text" }),
    formality: z.enum(["default", "more", "less", "prefer_more", "prefer_less"]).default("default").openapi({
      description: "No model knows degrees of formality: `more` and `less` are refused, wishes are ignored",
    }),
    tag_handling: z.string().optional().openapi({ description: "Refused: markup is not supported" }),
    glossary_id: z.string().optional().openapi({ description: "Refused: there are no glossaries" }),
    glossary_ids: z.string().optional().openapi({ description: "Refused likewise" }),
    show_billed_characters: flag.default(false),
    split_sentences: hint("sentences are what the models translate"),
    preserve_formatting: hint("white space is always kept"),
    context: hint("the models read one sentence at a time"),
    model_type: hint("there is one model for a pair of languages"),
  })
  .openapi("DeeplTranslateRequest");

type TranslateRequest = z.output<typeof translateSchema>;

const translateRoute = createRoute({
  method: "post",
  path: "/v2/translate",
  operationId: "deeplTranslate",
  tags: [TAGS.deepl.name],
  security: maybeDeeplKey,
  summary: "Translate text",
  request: jsonOrFormBody(translateSchema, { text: ["A man is riding a bicycle."], target_lang: "DE" }),
  responses: {
    200: jsonAnswer(
      "The translations, in order",
      z
        .object({
          translations: z.array(
            z.object({
              detected_source_language: z.string(),
              text: z.string(),
              billed_characters: z.int().optional(),
            }),
          ),
        })
        .openapi("DeeplTranslateResponse"),
      { translations: [{ detected_source_language: "EN", text: "Ein Mann fährt Fahrrad." }] },
    ),
    400: problem("The request is malformed, or nobody knows these languages or this option"),
    ...keyProblems,
    404: problem("There are no glossaries"),
    409: problem("The same request is in work"),
    413: problem("The text is too long"),
    456: problem("The credit or the free quota is used up, or the key's spending limit is reached"),
    503: problem("The model cannot be loaded; retry later"),
  },
});

const languagesRoute = createRoute({
  method: "get",
  path: "/v2/languages",
  operationId: "deeplLanguages",
  tags: [TAGS.deepl.name],
  summary: "The languages that can be translated from, or into",
  request: { query: z.object({ type: z.enum(["source", "target"]).default("source") }) },
  responses: {
    200: jsonAnswer(
      "The languages, by code",
      z.array(z.object({ language: z.string(), name: z.string(), supports_formality: z.boolean().optional() })),
      [{ language: "EN", name: "English" }],
    ),
    400: problem("The request is malformed"),
    503: problem("R2 holds no model for translation"),
  },
});

const usageDefinition = {
  path: "/v2/usage",
  tags: [TAGS.deepl.name] as string[],
  security: maybeDeeplKey,
  summary: "Characters that the key's account used this month, and may use",
  description: "The limit is what its credit buys; 10¹² where nothing is to be paid",
  responses: {
    200: jsonAnswer("The usage", z.object({ character_count: z.int(), character_limit: z.int() }), {
      character_count: 1_000,
      character_limit: 10_001_000,
    }),
    ...keyProblems,
    503: problem("R2 holds no model for translation"),
  },
};
const getUsageRoute = createRoute({ ...usageDefinition, method: "get", operationId: "deeplGetUsage" });
const postUsageRoute = createRoute({ ...usageDefinition, method: "post", operationId: "deeplPostUsage" });

export function addDeepl(app: App): void {
  app.openapi(translateRoute, async (c) => {
    const request = readBody(c, c.req.valid("json"), c.req.valid("form"));
    refuseOptions(request);
    const { text, source_lang, target_lang, show_billed_characters } = request;
    const texts = typeof text === "string" ? [text] : text;
    const translated = await translateTexts(c, { texts, source: source_lang, target: target_lang });
    const showsBilled = show_billed_characters === true || ["1", "true"].includes(String(show_billed_characters));
    const translations = translated.map(({ language, translations: [best] }, i) => ({
      detected_source_language: language.split("-")[0]!.toUpperCase(),
      text: best!.text,
      ...(showsBilled ? { billed_characters: texts[i]!.length } : {}),
    }));
    return c.json({ translations }, 200);
  });

  app.openapi(languagesRoute, async (c) => {
    const { type } = c.req.valid("query");
    const languages = await listLanguages(c.var.store, c.var.scope);
    const targets = new Set(languages.flatMap((language) => language.targets));
    const offered = languages.filter(({ code, targets: into }) =>
      type === "source" ? into.length > 0 : targets.has(code),
    );
    const described = offered.map(({ code, name }) => ({
      language: code.toUpperCase(),
      name,
      ...(type === "target" ? { supports_formality: false } : {}),
    }));
    return c.json(described, 200);
  });

  app.openapi(getUsageRoute, async (c) => c.json(await readUsage(c), 200));
  app.openapi(postUsageRoute, async (c) => c.json(await readUsage(c), 200));
}

/** @throws Problem for what changes the translation and cannot be done */
function refuseOptions({ formality, target_lang, tag_handling, glossary_id, glossary_ids }: TranslateRequest): void {
  if (formality === "more" || formality === "less") {
    throw new Problem("malformed_request", `'formality' is not supported for given 'target_lang' ${target_lang}`);
  }
  if (tag_handling !== undefined) throw new Problem("malformed_request", "'tag_handling' is not supported");
  if (glossary_id !== undefined || glossary_ids !== undefined) {
    throw new Problem("not_found", "there are no glossaries here");
  }
}

/** @throws Problem of the key */
async function readUsage(c: Context<AppEnv>) {
  const { settings } = c.var.scope;
  if (settings.billing !== "on") return { character_count: 0, character_limit: NO_LIMIT };
  const key = await readApiKey(c);
  if (!key) throw keyMissing();
  const ledger = ledgerOf(c.env, key.account);
  const { refusal } = await ledger.authorize(key, "usage");
  if (refusal) throw refusalProblem(refusal, {});
  const day = today();
  const [rows, overview, manifests] = await Promise.all([
    ledger.usage(`${day.slice(0, 7)}-01`, day),
    ledger.overview(),
    c.var.store.candidates(c.var.scope, "translation"),
  ]);
  const used = rows.reduce((sum, { characters }) => sum + characters, 0);
  // By the dearest model, so that no more is promised than there is.
  const prices = manifests.map(({ id }) => priceOf(settings.prices, "translation", id).perThousandCharacters);
  const price = Math.max(...prices);
  const left = price === 0 ? NO_LIMIT : Math.floor((1000 * (overview?.credit ?? 0)) / price);
  return { character_count: used, character_limit: Math.min(NO_LIMIT, used + left) };
}

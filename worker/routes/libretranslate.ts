/**
 * `POST /translate`, `POST /detect`, `GET /languages`, `GET /frontend/settings` as LibreTranslate has them
 * (https://docs.libretranslate.com), so that its clients work with this server.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../context.ts";
import { Problem } from "../errors.ts";
import { checkTexts } from "../middleware/limits.ts";
import { jsonAnswer, jsonOrFormBody, readBody, TAGS } from "../openapi.ts";
import { detectLanguage } from "../text/detect.ts";
import { listLanguages, type TranslatedText, translateTexts } from "./translate-texts.ts";

/** As many as the beam has room for beside the best one. */
const MAX_ALTERNATIVES = 7;

const errorSchema = z.object({ error: z.string() }).openapi("LibreTranslateError");
const problem = (description: string) => ({ description, content: { "application/json": { schema: errorSchema } } });
const keyProblems = {
  402: problem("The request must be paid for"),
  403: problem("The API key is missing or wrong"),
  409: problem("The same request is in work"),
  429: problem("Too many requests"),
};

const apiKey = z.string().optional().openapi({ description: "A key of this service, where it asks for one" });

const translateSchema = z
  .object({
    q: z.union([z.string(), z.array(z.string()).min(1)], { error: "expected a string or a list of strings" }),
    source: z.string().min(2).max(35).openapi({ description: "A language's code, or `auto`" }),
    target: z.string().min(2).max(35),
    format: z.enum(["text", "html"]).default("text").openapi({ description: "Markup is not supported: `text`" }),
    alternatives: z.coerce
      .number()
      .int()
      .min(0)
      .default(0)
      .openapi({
        description: `How many other translations are wished for; at most ${MAX_ALTERNATIVES} come`,
      }),
    api_key: apiKey,
  })
  .openapi("LibreTranslateRequest");

const detectionSchema = z.object({
  confidence: z.number().openapi({ description: "Percent" }),
  language: z.string(),
});
/** One for a text, a list for a list. */
const perText = <Schema extends z.ZodType>(schema: Schema) => z.union([schema, z.array(schema)]);

const translatedSchema = z
  .object({
    translatedText: perText(z.string()),
    detectedLanguage: perText(detectionSchema).optional().openapi({ description: "With the source `auto`" }),
    alternatives: perText(z.array(z.string())).optional().openapi({ description: "If some were wished for" }),
  })
  .openapi("LibreTranslateResponse");

const translateRoute = createRoute({
  method: "post",
  path: "/translate",
  operationId: "libretranslateTranslate",
  tags: [TAGS.libretranslate.name],
  summary: "Translate text",
  request: jsonOrFormBody(translateSchema, { q: "A man is riding a bicycle.", source: "auto", target: "de" }),
  responses: {
    200: jsonAnswer("The translation, or a list of them", translatedSchema, {
      translatedText: "Ein Mann fährt Fahrrad.",
      detectedLanguage: { confidence: 99, language: "en" },
    }),
    400: problem("The request is malformed or too long, or nobody knows these languages"),
    ...keyProblems,
    503: problem("The model cannot be loaded; retry later"),
  },
});

const detectSchema = z.object({ q: z.string(), api_key: apiKey });

const detectRoute = createRoute({
  method: "post",
  path: "/detect",
  operationId: "libretranslateDetect",
  tags: [TAGS.libretranslate.name],
  summary: "Detect the language of a text",
  description: "Costs nothing. Of the languages of the Latin script it tells English, German, French and Spanish apart",
  request: jsonOrFormBody(detectSchema, { q: "A man is riding a bicycle." }),
  responses: {
    200: jsonAnswer("The likeliest languages, the best first; none if there are no letters", z.array(detectionSchema), [
      { confidence: 99, language: "en" },
    ]),
    400: problem("The request is malformed or too long"),
  },
});

const languagesRoute = createRoute({
  method: "get",
  path: "/languages",
  operationId: "libretranslateLanguages",
  tags: [TAGS.libretranslate.name],
  summary: "The languages, and what each can be translated into",
  responses: {
    200: jsonAnswer(
      "The languages, by code",
      z.array(z.object({ code: z.string(), name: z.string(), targets: z.array(z.string()) })),
      [
        { code: "de", name: "German", targets: [] },
        { code: "en", name: "English", targets: ["de"] },
      ],
    ),
    503: problem("R2 holds no model for translation"),
  },
});

const languageSchema = z.object({ code: z.string(), name: z.string() });

const settingsRoute = createRoute({
  method: "get",
  path: "/frontend/settings",
  operationId: "libretranslateSettings",
  tags: [TAGS.libretranslate.name],
  summary: "What a user interface wants to know",
  responses: {
    200: jsonAnswer(
      "The settings",
      z.object({
        apiKeys: z.boolean(),
        charLimit: z.int(),
        frontendTimeout: z.int(),
        keyRequired: z.boolean(),
        language: z.object({ source: languageSchema, target: languageSchema }),
        suggestions: z.boolean(),
        filesTranslation: z.boolean(),
        supportedFilesFormat: z.array(z.string()),
      }),
      {
        apiKeys: true,
        charLimit: 20_000,
        frontendTimeout: 500,
        keyRequired: false,
        language: { source: { code: "auto", name: "Auto Detect" }, target: { code: "de", name: "German" } },
        suggestions: false,
        filesTranslation: false,
        supportedFilesFormat: [],
      },
    ),
    503: problem("R2 holds no model for translation"),
  },
});

/** Milliseconds that LibreTranslate's own page waits after a key stroke: its default. */
const FRONTEND_TIMEOUT_MS = 500;

export function addLibreTranslate(app: App) {
  app.openapi(translateRoute, async (c) => {
    const body = readBody(c, c.req.valid("json"), c.req.valid("form"));
    const { q, source, target, format, alternatives, api_key } = body;
    if (format === "html") throw new Problem("malformed_request", "format: expected text; html is not supported");
    if (api_key) c.set("apiKey", api_key);
    const isList = typeof q !== "string";
    const isAuto = source === "auto";
    const translated = await translateTexts(c, {
      texts: isList ? q : [q],
      source: isAuto ? undefined : source,
      target,
      alternatives: Math.min(alternatives, MAX_ALTERNATIVES),
    });
    const each = <T>(read: (text: TranslatedText) => T): T | T[] => {
      return isList ? translated.map(read) : read(translated[0]!);
    };
    const answer = {
      translatedText: each(({ translations }) => translations[0]!.text),
      ...(isAuto ? { detectedLanguage: each(describeDetection) } : {}),
      ...(alternatives === 0 ? {} : { alternatives: each(({ translations }) => translations.slice(1).map(textOf)) }),
    };
    return c.json(answer, 200);
  });

  app.openapi(detectRoute, (c) => {
    const { q } = readBody(c, c.req.valid("json"), c.req.valid("form"));
    checkTexts([q], c.var.scope.settings);
    return c.json(
      detectLanguage(q)
        .map(describeDetection)
        .filter(({ confidence }) => confidence > 0),
      200,
    );
  });

  app.openapi(languagesRoute, async (c) => c.json(await listLanguages(c.var.store, c.var.scope), 200));

  app.openapi(settingsRoute, async (c) => {
    const { settings } = c.var.scope;
    const languages = await listLanguages(c.var.store, c.var.scope);
    const [target] = languages.find(({ targets }) => targets.length > 0)!.targets;
    const { code, name } = languages.find((language) => language.code === target)!;
    const body = {
      apiKeys: settings.billing === "on",
      charLimit: settings.maxCharacters,
      frontendTimeout: FRONTEND_TIMEOUT_MS,
      keyRequired: settings.billing === "on" && settings.freeCharactersPerDay === 0,
      language: { source: { code: "auto", name: "Auto Detect" }, target: { code, name } },
      suggestions: false,
      filesTranslation: false,
      supportedFilesFormat: [],
    };
    return c.json(body, 200);
  });
}

function textOf({ text }: { text: string }): string {
  return text;
}

function describeDetection({ language, probability }: { language: string; probability: number }) {
  return { confidence: Math.round(100 * probability), language };
}

/**
 * `POST /v1/translate`: JSON in, JSON or server-sent events out.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../context.ts";
import { Problem, paymentResponses, problemResponse } from "../errors.ts";
import { type Send, sendEvents } from "../events.ts";
import { checkTexts } from "../middleware/limits.ts";
import type { Manifest } from "../model/manifest.ts";
import { bodyProblems, jsonBody, maybeKey, TAGS } from "../openapi.ts";
import { Stopwatch } from "../stopwatch.ts";
import type { ModelStore, RequestScope } from "../store.ts";
import { matchLanguage } from "../text/languages.ts";
import {
  planRows,
  planTranslation,
  type TranslateOptions,
  type Translation,
  translate,
  translateStreaming,
} from "../translate.ts";

const requestSchema = z
  .strictObject({
    text: z
      .union([z.string(), z.array(z.string()).min(1)], { error: "expected a string or a list of strings" })
      .openapi({
        description: "Text of any length up to the limit, or several; sentences, white space and line breaks are kept.",
        example: "A man is riding a bicycle.",
      }),
    source: z.string().min(2).max(35).openapi({ description: "Language of the text, BCP 47", example: "en" }),
    target: z.string().min(2).max(35).openapi({ description: "Language to translate into, BCP 47", example: "de" }),
    model: z
      .string()
      .optional()
      .openapi({ description: "A model's id; without it the first that knows the languages" }),
    beam_size: z
      .int()
      .min(1)
      .max(8)
      .optional()
      .openapi({ description: "1 is greedy; more is better and slower. Default: the model's, and 1 with `stream`" }),
    max_tokens: z.int().min(1).max(4096).optional().openapi({ description: "Most tokens of one translated sentence" }),
    stream: z.boolean().default(false).openapi({ description: "Answer with server-sent events" }),
    alternatives: z.boolean().default(false).openapi({
      description: "Add the beam's other translations of each sentence; there are some if `beam_size` > 1",
    }),
    alignments: z.boolean().default(false).openapi({
      description: "Add which source words each target word was made from, for one more pass of the decoder",
    }),
  })
  .openapi("TranslateRequest");

type TranslateRequest = z.infer<typeof requestSchema>;

const partSchema = z
  .object({
    source: z.string(),
    text: z.string(),
    alternatives: z
      .array(z.object({ text: z.string(), score: z.number() }))
      .optional()
      .openapi({ description: "Best first by the search's own measure; `score` is that of a translation" }),
    alignment: z
      .object({
        source_words: z.array(z.string()),
        target_words: z.array(z.string()).openapi({ description: "Put together they are the part's `text`" }),
        weights: z.array(z.array(z.number())).openapi({
          description:
            "For each target word the weight of each source word, 0 to 1: the cross-attention of the last layer, mean over " +
            "heads and over the word's tokens. What is missing to 1 went to the end of the sentence",
        }),
      })
      .optional(),
  })
  .openapi("TranslationPart");

const translationSchema = z.object({
  text: z.string(),
  score: z.number().nullable().openapi({
    description: "Mean log-probability of the translation's tokens, 0 at best; null if there was nothing to translate",
  }),
  source_tokens: z.int(),
  target_tokens: z.int().openapi({ description: "With the end tokens of the sentences" }),
  segments: z.int().openapi({ description: "Sentences, or parts of long ones, that went through the model" }),
  truncated: z.boolean().openapi({ description: "Whether a sentence reached the limit of tokens before its end" }),
  parts: z.array(partSchema).optional().openapi({
    description:
      "With `alternatives` or `alignments`: the sentences and what stands between them. Their texts put together are `text`",
  }),
}) satisfies z.ZodType<Translation>;

const responseSchema = z
  .object({
    model: z.object({ id: z.string(), version: z.string() }),
    source: z.string(),
    target: z.string(),
    translations: z.array(translationSchema).openapi({ description: "One for each text, in order" }),
    timing: z
      .object({ load_ms: z.number(), tokenize_ms: z.number(), queue_ms: z.number(), generate_ms: z.number() })
      .openapi({
        description:
          "Wall time: loading the model if it was not in memory, tokenizing, waiting for other requests, computing. A deployed Worker's " +
          "clock stands still while it computes, so what took less than about 10 ms counts as 0",
      }),
  })
  .openapi("TranslateResponse");

type TranslateResponse = z.infer<typeof responseSchema>;

const exampleAnswer: TranslateResponse = {
  model: { id: "multi30k-en-de", version: "0f3c5a7e9b1d" },
  source: "en",
  target: "de",
  translations: [
    {
      text: "Ein Mann fährt Fahrrad.",
      score: -0.31,
      source_tokens: 7,
      target_tokens: 6,
      segments: 1,
      truncated: false,
    },
  ],
  timing: { load_ms: 0, tokenize_ms: 0, queue_ms: 0, generate_ms: 2 },
};

/** In the document, but not in the types: the typed client speaks of JSON alone. */
const eventStream: Record<never, never> = { "text/event-stream": { schema: z.string() } };

export const translateRoute = createRoute({
  method: "post",
  path: "/v1/translate",
  operationId: "translate",
  tags: [TAGS.text.name],
  security: maybeKey,
  summary: "Translate text",
  request: jsonBody(requestSchema, { text: "A man is riding a bicycle.", source: "en", target: "de" }),
  responses: {
    200: {
      description:
        "The translations. With `stream: true`, events: `delta` {index, text} to append to a translation, at the end " +
        "`result` (this object) or `error` (a problem); before `result`, if the stream was paid for as it went, " +
        "`payment` (what is a header otherwise: `charged-micro-usd` and `credit-micro-usd`, or `payment-response`)",
      content: {
        "application/json": { schema: responseSchema, example: exampleAnswer },
        ...eventStream,
      },
    },
    ...bodyProblems,
    ...paymentResponses,
    404: problemResponse("There is no such model"),
    422: problemResponse(
      "No model knows this pair of languages, or the text is in another alphabet; or the Idempotency-Key was used before",
    ),
    503: problemResponse("The model cannot be loaded; retry later"),
  },
});

export function addTranslate(app: App) {
  return app.openapi(translateRoute, async (c) => {
    const request = c.req.valid("json");
    const texts = typeof request.text === "string" ? [request.text] : request.text;
    const { scope, store } = c.var;
    const characters = checkTexts(texts, scope.settings);
    const watch = new Stopwatch(["load_ms", "tokenize_ms", "queue_ms", "generate_ms"]);
    const manifest = await chooseModel(store, scope, request);
    await c.var.payment.reserve({ task: "translation", model: manifest.id, characters });
    const lease = await store.acquire(scope, manifest);
    const body = (translations: Translation[]): TranslateResponse => ({
      model: { id: lease.model.manifest.id, version: lease.model.manifest.version },
      source: request.source,
      target: request.target,
      translations,
      timing: watch.laps,
    });
    let streaming = false;
    try {
      watch.lap("load_ms");
      const plan = planTranslation(texts, request.source, lease.model);
      watch.lap("tokenize_ms");
      const options: TranslateOptions = {
        beamSize: request.beam_size ?? (request.stream ? 1 : manifest.config.generation.beam_size),
        ...(request.max_tokens === undefined ? {} : { maxTokens: request.max_tokens }),
        alternatives: request.alternatives,
        alignments: request.alignments,
        signal: c.req.raw.signal,
        times: { encode_ms: 0, decode_ms: 0 },
      };
      await lease.enter(request.stream ? options.beamSize : planRows(plan, options.beamSize));
      watch.lap("queue_ms");
      if (request.stream) {
        streaming = true;
        Object.assign(c.var.timings, watch.laps);
        const paid = c.var.payment.stream();
        const work = async (send: Send, signal: AbortSignal) => {
          try {
            const onDelta = (index: number, text: string, characters: number) => {
              if (text !== "") send("delta", { index, text }, () => paid.delivered(characters));
            };
            const translations = await translateStreaming(plan, lease.model, { ...options, signal }, onDelta);
            watch.lap("generate_ms");
            return { event: "result", data: body(translations) };
          } finally {
            lease.release();
          }
        };
        return sendEvents(c, options.signal, work, paid) as never;
      }
      const translations = await translate(plan, lease.model, options);
      watch.lap("generate_ms");
      Object.assign(c.var.timings, watch.laps, options.times);
      return c.json(body(translations), 200);
    } finally {
      if (!streaming) lease.release();
    }
  });
}

/** @throws Problem unknown_model, unsupported_language, or model_unavailable if R2 holds none */
async function chooseModel(
  store: ModelStore,
  scope: RequestScope,
  { model, source, target }: TranslateRequest,
): Promise<Manifest<"translation">> {
  const candidates = await store.candidates(scope, "translation", model);
  const chosen = candidates.find(
    ({ config }) => matchLanguage(config.source_languages, source) && matchLanguage(config.target_languages, target),
  );
  if (chosen) return chosen;
  const pairs = candidates.map(
    ({ config }) => `${config.source_languages.join("|")} → ${config.target_languages.join("|")}`,
  );
  throw new Problem("unsupported_language", `expected a pair of ${pairs.join(", ")}; got ${source} → ${target}`, {
    extensions: {
      pairs: candidates.map(({ id, config }) => ({
        model: id,
        source: config.source_languages,
        target: config.target_languages,
      })),
    },
  });
}

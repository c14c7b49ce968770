/**
 * `POST /v1/answer`: a question and a text in, the part of the text that answers it out.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { type Answer, chooseAnswer, chooseReader, findSpans } from "../answer.ts";
import type { App } from "../context.ts";
import { paymentResponses, problemResponse } from "../errors.ts";
import { checkTexts } from "../middleware/limits.ts";
import { bodyProblems, jsonAnswer, jsonBody, maybeKey, TAGS } from "../openapi.ts";
import { Stopwatch } from "../stopwatch.ts";

const EXAMPLE = {
  question: "When does the shop close on Saturdays?",
  context: "We are open from nine to six on weekdays. On Saturdays the shop closes at two in the afternoon.",
};

const requestSchema = z
  .strictObject({
    question: z.string().openapi({ description: "In words, as one asks a person", example: EXAMPLE.question }),
    context: z.string().openapi({
      description: "The text in which the answer stands, of any length up to the limit",
      example: EXAMPLE.context,
    }),
    model: z.string().optional().openapi({ description: "A model's id; without it the first that reads the script" }),
    top_k: z
      .int()
      .min(1)
      .max(20)
      .default(3)
      .openapi({ description: "Most parts of the text to tell, the answer and its alternatives together" }),
    threshold: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .openapi({ description: "An answer that is less sure is null; without it what the model's makers chose" }),
  })
  .openapi("AnswerRequest");

const offset = z.int().openapi({ description: "UTF-16 units from the start of the context, as JavaScript counts" });
const confidence = z.number().openapi({
  description: "The word F1 that the model expects of this part and what a person would mark, 0 to 1",
});

const answerSchema = z.object({
  answer: z.string().nullable().openapi({ description: "Exactly as it stands in the context, or null for a `reason`" }),
  start: offset.nullable(),
  end: offset.nullable().openapi({ description: "Behind its last unit: `context.slice(start, end)` is the answer" }),
  confidence,
  reason: z.enum(["below_threshold", "no_text"]).nullable().openapi({
    description: "Why there is no answer: the best is not sure enough, or the question or the context has no word",
  }),
  alternatives: z.array(z.object({ text: z.string(), start: offset, end: offset, confidence })).openapi({
    description: "Other parts, most confident first; without an answer all of them. None shares a word with another",
  }),
}) satisfies z.ZodType<Answer>;

const responseSchema = z
  .object({
    model: z.object({ id: z.string(), version: z.string() }),
    ...answerSchema.shape,
    tokens: z.int(),
    windows: z.int().openapi({
      description:
        "Parts that the context was read in, each overlapping the one before by a quarter. A span's log-odds against " +
        '"no answer" are the highest of the windows that it stands in',
    }),
    timing: z.object({ load_ms: z.number(), queue_ms: z.number(), answer_ms: z.number() }).openapi({
      description:
        "Wall time: loading the model if it was not in memory, waiting for other requests, all the rest. A deployed Worker's " +
        "clock stands still while it computes, so what took less than about 10 ms counts as 0",
    }),
  })
  .openapi("AnswerResponse");

export const answerRoute = createRoute({
  method: "post",
  path: "/v1/answer",
  operationId: "answer",
  tags: [TAGS.text.name],
  security: maybeKey,
  summary: "Answer a question from a text",
  request: jsonBody(requestSchema, EXAMPLE),
  responses: {
    200: jsonAnswer("The answer", responseSchema, {
      model: { id: "reader-en", version: "0f3c5a7e9b1d" },
      answer: "two in the afternoon",
      start: 74,
      end: 94,
      confidence: 0.62,
      reason: null,
      alternatives: [{ text: "nine to six", start: 17, end: 28, confidence: 0.13 }],
      tokens: 32,
      windows: 1,
      timing: { load_ms: 0, queue_ms: 0, answer_ms: 1 },
    }),
    ...bodyProblems,
    ...paymentResponses,
    404: problemResponse("There is no such model"),
    422: problemResponse("No model reads this alphabet; or the Idempotency-Key was used"),
    503: problemResponse("The model cannot be loaded; retry later"),
  },
});

export function addAnswer(app: App) {
  return app.openapi(answerRoute, async (c) => {
    const { question, context, model, top_k, threshold } = c.req.valid("json");
    const { scope, store } = c.var;
    const characters = checkTexts([question, context], scope.settings);
    const watch = new Stopwatch(["load_ms", "queue_ms", "answer_ms"]);
    const candidates = await store.candidates(scope, "question-answering", model);
    const manifest = chooseReader(candidates, { question, context });
    await c.var.payment.reserve({ task: "question-answering", model: manifest.id, characters });
    const lease = await store.acquire(scope, manifest);
    try {
      const { id, version, config } = lease.model.manifest;
      watch.lap("load_ms");
      await lease.enter(1);
      watch.lap("queue_ms");
      const found = await findSpans({ ...lease.model, config }, question, context, {
        count: top_k,
        signal: c.req.raw.signal,
      });
      const answer = chooseAnswer(found, threshold ?? config.no_answer_below);
      watch.lap("answer_ms");
      Object.assign(c.var.timings, watch.laps);
      const { tokens, windows } = found;
      return c.json({ model: { id, version }, ...answer, tokens, windows, timing: watch.laps }, 200);
    } finally {
      lease.release();
    }
  });
}

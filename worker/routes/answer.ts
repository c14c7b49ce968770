/**
 * `POST /v1/answer`: a question and a text in, the part of the text that answers it out; or a question and the name of
 * a knowledge base, and out comes the answer of its best entry, or that it has none.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { type Answer, chooseAnswer, chooseReader, findSpans } from "../answer.ts";
import type { App, AppEnv } from "../context.ts";
import { paymentResponses, problemResponse } from "../errors.ts";
import { answerFromKnowledge, type KnowledgeQuestion, type KnowledgeSearch } from "../knowledge/answer.ts";
import { baseIdSchema } from "../knowledge/base.ts";
import { knowledgeObjectOf } from "../knowledge/knowledge-object.ts";
import { refusalProblem, vectorModelOf } from "../knowledge/management.ts";
import { checkTexts } from "../middleware/limits.ts";
import { isManifestFor } from "../model/manifest.ts";
import { bodyProblems, jsonAnswer, jsonBody, maybeKey, TAGS, TIMING } from "../openapi.ts";
import { Stopwatch } from "../stopwatch.ts";

const EXAMPLE = {
  question: "Who built the bridge?",
  context: "The bridge over the river was built in 1894 by the engineer Ada Holm. It was closed to cars in 2011.",
};

/** What every request has, whatever its question is asked of. */
const common = {
  question: z.string().openapi({
    description: "In words, as one asks a person; of one longer than a few dozen words only the beginning is read",
    example: EXAMPLE.question,
  }),
  model: z.string().optional().openapi({
    description: "The id of a model that reads; without it the first that reads the script",
  }),
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
};

const turnSchema = z.strictObject({ role: z.enum(["user", "assistant"]), content: z.string().max(10_000) });

const requestSchema = z
  .strictObject({
    ...common,
    context: z.string().optional().openapi({
      description: "The text in which the answer stands, of any length up to the limit",
      example: EXAMPLE.context,
    }),
    knowledge_base: baseIdSchema
      .optional()
      .openapi({ description: "Instead of a context: where to look for the answer" }),
    history: z.array(turnSchema).max(50).optional().openapi({
      description:
        "Of a conversation, oldest first: a question that leans on the one before it is looked up together with that",
    }),
  })
  .refine(({ context, knowledge_base }) => (context === undefined) !== (knowledge_base === undefined), {
    error: "expected either a context or a knowledge_base",
  })
  .refine(({ context, history }) => context === undefined || history === undefined, {
    path: ["history"],
    error: "expected a knowledge_base beside it",
  })
  .openapi("AnswerRequest");

type ContextRequest = Omit<z.infer<typeof requestSchema>, "knowledge_base" | "history"> & { context: string };

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
    timing: z
      .object({ load_ms: z.number(), queue_ms: z.number(), answer_ms: z.number() })
      .openapi({ description: TIMING }),
  })
  .openapi("AnswerResponse");

const sourceSchema = z.object({
  entry: z.string(),
  kind: z.enum(["pair", "document"]),
  title: z.string().nullable().openapi({ description: "The pair's question that fits best, or title and headings" }),
  source: z.string().nullable(),
  passage: z.string().optional().openapi({ description: "Of a document: what the answer was taken from" }),
});

const knowledgeResponseSchema = z
  .object({
    knowledge_base: z.string(),
    answer: z.string().nullable().openapi({ description: "Null where a person should answer" }),
    confidence: z.number().openapi({ description: "Of the best entry, 0 to 1, whether it is given or not" }),
    source: sourceSchema.nullable(),
    handoff: z.boolean().openapi({ description: "Whether it was left to a person; the base's webhook is told" }),
    reason: z.enum(["below_threshold", "no_entries", "no_text"]).nullable(),
    searched: z.string().openapi({ description: "The question, behind the one before it if it leans on that" }),
    alternatives: z.array(z.object({ answer: z.string(), confidence: z.number(), source: sourceSchema })),
    timing: z.object({ load_ms: z.number(), queue_ms: z.number(), answer_ms: z.number() }),
  })
  .openapi("KnowledgeAnswerResponse");

export const answerRoute = createRoute({
  method: "post",
  path: "/v1/answer",
  operationId: "answer",
  tags: [TAGS.text.name],
  security: maybeKey,
  summary: "Answer a question from a text or a knowledge base",
  request: jsonBody(requestSchema, EXAMPLE),
  responses: {
    200: jsonAnswer(
      "The answer: from a context, or from a knowledge base",
      z.union([responseSchema, knowledgeResponseSchema]),
      {
        model: { id: "reader-en", version: "0f3c5a7e9b1d" },
        answer: "Ada Holm",
        start: 60,
        end: 68,
        confidence: 0.62,
        reason: null,
        alternatives: [{ text: "1894", start: 39, end: 43, confidence: 0.13 }],
        tokens: 32,
        windows: 1,
        timing: { load_ms: 0, queue_ms: 0, answer_ms: 1 },
      },
    ),
    ...bodyProblems,
    ...paymentResponses,
    404: problemResponse("There is no such model or knowledge base"),
    422: problemResponse("No model reads this alphabet; or the Idempotency-Key was used"),
    503: problemResponse("The model cannot be loaded; retry later"),
  },
});

export function addAnswer(app: App) {
  return app.openapi(answerRoute, async (c) => {
    const { context, knowledge_base, history = [], ...request } = c.req.valid("json");
    if (context !== undefined) return c.json(await answerFromContext(c, { ...request, context }), 200);
    const { question, model, top_k: topK, threshold } = request;
    return c.json(await askKnowledge(c, { question, history, base: knowledge_base!, topK, threshold, model }), 200);
  });
}

async function answerFromContext(
  c: Context<AppEnv>,
  { question, context, model, top_k, threshold }: ContextRequest,
): Promise<z.infer<typeof responseSchema>> {
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
    return { model: { id, version }, ...answer, tokens, windows, timing: watch.laps };
  } finally {
    lease.release();
  }
}

interface Asked extends Omit<KnowledgeQuestion, "signal"> {
  base: string;
  model: string | undefined;
}

async function askKnowledge(
  c: Context<AppEnv>,
  { model, ...asked }: Asked,
): Promise<z.infer<typeof knowledgeResponseSchema>> {
  const { scope, store } = c.var;
  const texts = [asked.question, ...asked.history.map(({ content }) => content)];
  const characters = checkTexts(texts, scope.settings);
  const watch = new Stopwatch(["load_ms", "queue_ms", "answer_ms"]);
  const [embedding] = await store.candidates(scope, "embedding");
  // A base of pairs needs none, so it may be missing unless it was asked for.
  const readers =
    model === undefined ? await store.list(scope) : await store.candidates(scope, "question-answering", model);
  const reading = readers.find((manifest) => isManifestFor("question-answering", manifest));
  await c.var.payment.reserve({ task: "question-answering", model: embedding!.id, characters });
  const lease = await store.acquire(scope, embedding!);
  const readerLease = reading && (await store.acquire(scope, reading).catch(release(lease)));
  try {
    watch.lap("load_ms");
    await lease.enter(1);
    await readerLease?.enter(1);
    watch.lap("queue_ms");
    const models = { embedder: lease.model, reader: readerLease?.model };
    const object = knowledgeObjectOf(c.env, asked.base);
    const { weights } = vectorModelOf(lease.model.manifest);
    const search: KnowledgeSearch = async (query, limit) => {
      const result = await object.search(query, weights, limit);
      if ("refused" in result) throw refusalProblem(asked.base, result, scope.settings.maxKnowledgePassages);
      return { found: result.found, threshold: result.base.threshold };
    };
    const answer = await answerFromKnowledge(search, models, { ...asked, signal: c.req.raw.signal });
    const { question, history } = asked;
    const { reason, confidence, alternatives } = answer;
    if (reason !== null) await object.handOver({ question, history, reason, confidence, alternatives });
    watch.lap("answer_ms");
    Object.assign(c.var.timings, watch.laps);
    return { knowledge_base: asked.base, ...answer, timing: watch.laps };
  } finally {
    lease.release();
    readerLease?.release();
  }
}

/** What is held already is given back when the next thing cannot be had. */
function release({ release }: { release: () => void }) {
  return (error: unknown): never => {
    release();
    throw error;
  };
}

/**
 * `POST /v1/classify`: texts in, labels with probabilities out.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { type Classification, chooseModel, classifyTexts } from "../classify.ts";
import type { App } from "../context.ts";
import { paymentResponses, problemResponse } from "../errors.ts";
import { checkTexts } from "../middleware/limits.ts";
import { bodyProblems, jsonAnswer, jsonBody, maybeKey, TAGS, TIMING } from "../openapi.ts";
import { planWindows } from "../plan-windows.ts";
import { Stopwatch } from "../stopwatch.ts";
import { cleanText } from "../text/clean.ts";

const oneOrMore = (noun: string) =>
  z.union([z.string(), z.array(z.string()).min(1)], { error: `expected a ${noun} or a list of them` });

const requestSchema = z
  .strictObject({
    text: oneOrMore("string").openapi({
      description: "Text of any length up to the limit, or several",
      example: "My card was charged twice and nobody answers my mails.",
    }),
    task: oneOrMore("task's name")
      .optional()
      .openapi({ description: "What to ask; without it everything that the model knows", example: "sentiment" }),
    model: z.string().optional().openapi({
      description: "A model's id; without it the one with the most tasks that knows these and reads the text's script",
    }),
    top_k: z.int().min(1).max(1000).default(5).openapi({ description: "Most labels to list for a task" }),
    threshold: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .openapi({ description: "If the best label is less probable than this, `label` is null" }),
    explain: z
      .boolean()
      .default(false)
      .openapi({ description: "Add the weight of each word, at the price of one more pass for each" }),
  })
  .openapi("ClassifyRequest");

type ClassifyRequest = z.infer<typeof requestSchema>;

const explanationSchema = z.object({
  label: z.string().openapi({ description: "What the weights are for: the most probable label" }),
  words: z
    .array(z.object({ text: z.string(), weight: z.number() }))
    .openapi({ description: "How far the label's log-odds fall without the word. Put together they are the text" }),
  words_per_weight: z.int().openapi({
    description: "1, or how many neighbours were left out together where one by one would have taken too long",
  }),
});

const classificationSchema = z.object({
  tasks: z.record(
    z.string(),
    z.object({
      label: z.string().nullable().openapi({ description: "The most probable label, or null for a `reason`" }),
      reason: z.enum(["out_of_scope", "below_threshold", "no_text"]).nullable(),
      labels: z
        .array(z.object({ label: z.string(), probability: z.number() }))
        .openapi({ description: "The `top_k` most probable labels, calibrated" }),
      explanation: explanationSchema.optional(),
    }),
  ),
  tokens: z.int(),
  windows: z.int().openapi({
    description:
      "Parts that the text was read in: whole sentences, about equally long. The probabilities are the normalized " +
      "geometric mean of theirs, weighted by tokens",
  }),
}) satisfies z.ZodType<Classification>;

const responseSchema = z
  .object({
    model: z.object({ id: z.string(), version: z.string() }),
    classifications: z.array(classificationSchema).openapi({ description: "One for each text, in order" }),
    timing: z
      .object({ load_ms: z.number(), queue_ms: z.number(), classify_ms: z.number() })
      .openapi({ description: TIMING }),
  })
  .openapi("ClassifyResponse");

export const classifyRoute = createRoute({
  method: "post",
  path: "/v1/classify",
  operationId: "classify",
  tags: [TAGS.text.name],
  security: maybeKey,
  summary: "Classify text",
  request: jsonBody(requestSchema, { text: "My card was charged twice and nobody answers my mails.", top_k: 2 }),
  responses: {
    200: jsonAnswer("The labels", responseSchema, {
      model: { id: "multitask-en", version: "0f3c5a7e9b1d" },
      classifications: [
        {
          tasks: {
            sentiment: {
              label: "negative",
              reason: null,
              labels: [
                { label: "negative", probability: 0.97 },
                { label: "positive", probability: 0.03 },
              ],
            },
          },
          tokens: 12,
          windows: 1,
        },
      ],
      timing: { load_ms: 0, queue_ms: 0, classify_ms: 1 },
    }),
    ...bodyProblems,
    ...paymentResponses,
    404: problemResponse("There is no such model"),
    422: problemResponse(
      "No model knows the task, or the text is in another alphabet; or the Idempotency-Key was used",
    ),
    503: problemResponse("The model cannot be loaded; retry later"),
  },
});

export function addClassify(app: App) {
  return app.openapi(classifyRoute, async (c) => {
    const request = c.req.valid("json");
    const given = typeof request.text === "string" ? [request.text] : request.text;
    const { scope, store } = c.var;
    const characters = checkTexts(given, scope.settings);
    const watch = new Stopwatch(["load_ms", "queue_ms", "classify_ms"]);
    const texts = given.map(cleanText);
    const tasks = tasksOf(request);
    const candidates = await store.candidates(scope, "classification", request.model);
    const manifest = chooseModel(candidates, tasks ?? [], texts);
    await c.var.payment.reserve({ task: "classification", model: manifest.id, characters });
    const lease = await store.acquire(scope, manifest);
    try {
      const { id, version, config } = lease.model.manifest;
      watch.lap("load_ms");
      await lease.enter(1);
      watch.lap("queue_ms");
      const plan = planWindows(texts, lease.model);
      const classifications = await classifyTexts(plan, lease.model, {
        tasks: tasks ?? config.heads.map(({ name }) => name),
        topK: request.top_k,
        threshold: request.threshold,
        explain: request.explain,
        signal: c.req.raw.signal,
      });
      watch.lap("classify_ms");
      Object.assign(c.var.timings, watch.laps);
      return c.json({ model: { id, version }, classifications, timing: watch.laps }, 200);
    } finally {
      lease.release();
    }
  });
}

/** The tasks that a request names, each once. */
function tasksOf({ task }: ClassifyRequest): string[] | undefined {
  return typeof task === "string" ? [task] : task && [...new Set(task)];
}

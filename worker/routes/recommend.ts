/**
 * `POST /v1/recommend`: what somebody had, oldest first, in; what comes next, out of a catalogue, out.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../context.ts";
import { MAX_RECOMMENDATIONS } from "../engine/recommender.ts";
import type { Settings } from "../env.ts";
import { Problem, paymentResponses, problemResponse } from "../errors.ts";
import { bodyProblems, jsonAnswer, jsonBody, maybeKey, TAGS, TIMING } from "../openapi.ts";
import { type Recommendations, recommend } from "../recommend.ts";
import { Stopwatch } from "../stopwatch.ts";

const idSchema = z
  .union([z.string().min(1), z.int()], { error: "expected an id: a string, or a whole number" })
  .openapi({ description: "As the catalogue has it; a number is read as its digits" });

const requestSchema = z
  .strictObject({
    history: z.array(idSchema).openapi({
      description:
        "What the user had, oldest first; empty for a new one. The latest are read, as many as the model's `max_seq_len`",
      example: ["4", "11", "12"],
    }),
    exclude_seen: z.boolean().default(true).openapi({ description: "Leave out what is in the history" }),
    top_k: z.int().min(1).max(MAX_RECOMMENDATIONS).default(10).openapi({ description: "Most items to list" }),
    filter: z
      .strictObject({
        only: z
          .array(idSchema)
          .optional()
          .openapi({ description: "Nothing but these: what is in stock, or of a brand" }),
        except: z.array(idSchema).optional().openapi({ description: "None of these" }),
      })
      .default({}),
    model: z.string().optional().openapi({ description: "A model's id; without it the first one for recommendation" }),
  })
  .openapi("RecommendRequest");

type RecommendRequest = z.infer<typeof requestSchema>;

const recommendationSchema = z.object({
  id: z.string(),
  probability: z.number().nullable().openapi({
    description: "How likely it comes next, among all that may come out; null of what is only popular",
  }),
  because: z.array(z.object({ id: z.string(), share: z.number() })).openapi({
    description:
      "Because you liked …: at most three items of the history, those that are nearest to it in the model's space, a " +
      "little less for each step back; `share` is of all that the history says",
  }),
});

const responseSchema = z
  .object({
    model: z.object({ id: z.string(), version: z.string() }),
    recommendations: z.array(recommendationSchema).openapi({ description: "Best first" }),
    based_on: z.enum(["history", "popularity"]).openapi({
      description: "Popularity where the model knows no item of the history: a new user",
    }),
    history_items: z.int().openapi({ description: "Items of the history that were read" }),
    unknown: z
      .object({ history: z.array(z.string()), filter: z.array(z.string()) })
      .openapi({ description: "Ids that the catalogue does not have; they were skipped" }),
    timing: z
      .object({ load_ms: z.number(), queue_ms: z.number(), recommend_ms: z.number() })
      .openapi({ description: TIMING }),
  })
  .openapi("RecommendResponse") satisfies z.ZodType<Recommendations>;

export const recommendRoute = createRoute({
  method: "post",
  path: "/v1/recommend",
  operationId: "recommend",
  tags: [TAGS.text.name],
  security: maybeKey,
  summary: "Recommend items",
  request: jsonBody(requestSchema, { history: ["4", "11", "12"], top_k: 2 }),
  responses: {
    200: jsonAnswer("The items", responseSchema, {
      model: { id: "beauty-recommend", version: "0f3c5a7e9b1d" },
      recommendations: [
        { id: "10", probability: 0.021, because: [{ id: "11", share: 0.72 }] },
        { id: "9", probability: 0.018, because: [{ id: "11", share: 0.51 }] },
      ],
      based_on: "history",
      history_items: 3,
      unknown: { history: [], filter: [] },
      timing: { load_ms: 0, queue_ms: 0, recommend_ms: 1 },
    }),
    ...bodyProblems,
    ...paymentResponses,
    404: problemResponse("There is no such model"),
    422: problemResponse("The Idempotency-Key was used for another request"),
    503: problemResponse("The model cannot be loaded; retry later"),
  },
});

export function addRecommend(app: App) {
  return app.openapi(recommendRoute, async (c) => {
    const { history, filter, ...request } = readIds(c.req.valid("json"));
    const { scope, store } = c.var;
    const characters = checkIds([...history, ...(filter.only ?? []), ...(filter.except ?? [])], scope.settings);
    const watch = new Stopwatch(["load_ms", "queue_ms", "recommend_ms"]);
    const [manifest] = await store.candidates(scope, "recommendation", request.model);
    await c.var.payment.reserve({ task: "recommendation", model: manifest!.id, characters });
    const lease = await store.acquire(scope, manifest!);
    try {
      const { id, version } = lease.model.manifest;
      watch.lap("load_ms");
      await lease.enter(1);
      watch.lap("queue_ms");
      const { top_k: topK, exclude_seen: excludeSeen } = request;
      const answer = recommend(history, lease.model, { topK, excludeSeen, filter });
      watch.lap("recommend_ms");
      Object.assign(c.var.timings, watch.laps);
      return c.json({ model: { id, version }, ...answer, timing: watch.laps }, 200);
    } finally {
      lease.release();
    }
  });
}

/** The request with its numbers as ids. */
function readIds({ history, filter, ...request }: RecommendRequest) {
  return {
    ...request,
    history: history.map(String),
    filter: { only: filter.only?.map(String), except: filter.except?.map(String) },
  };
}

/** @returns characters of all ids together @throws Problem too_long if there are more than the settings allow */
function checkIds(ids: string[], { maxCharacters }: Settings): number {
  const characters = ids.reduce((sum, id) => sum + id.length, 0);
  if (characters <= maxCharacters) return characters;
  throw new Problem(
    "too_long",
    `history and filter: expected at most ${maxCharacters} characters of ids in all, got ${characters}`,
    { extensions: { max_characters: maxCharacters } },
  );
}

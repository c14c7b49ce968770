/**
 * `/v1/hooks`: the operator's side of the hooks. Secrets are answered once, when they are made.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { App, AppEnv } from "../context.ts";
import { Problem, problemResponse } from "../errors.ts";
import { directoryOf } from "../hooks/directory.ts";
import { dryRun } from "../hooks/dry-run.ts";
import { type AttemptRow, EVENT_STATUSES, type EventRow, type EventSummary } from "../hooks/event-store.ts";
import {
  createSchema,
  type Hook,
  liveSecrets,
  patchSchema,
  ruleSchema,
  sourceSchema,
  textSchema,
} from "../hooks/hook.ts";
import { hookObjectOf } from "../hooks/hook-object.ts";
import { createHook, describeSecrets, updateHook } from "../hooks/management.ts";
import { describeAnswer } from "../hooks/payload.ts";
import { requireAdmin } from "../middleware/admin.ts";
import { adminProblems, bodyProblems, jsonAnswer, jsonBody, needsAdmin, pageQuery, TAGS } from "../openapi.ts";

const time = z.iso.datetime();

const hookSchema = z
  .object({
    id: z.string(),
    url: z.string().openapi({ description: "Where the sender posts its events" }),
    name: z.string().optional(),
    source: sourceSchema,
    text: textSchema,
    model: z.string().optional(),
    task: z.string(),
    rules: z.array(ruleSchema),
    pass_headers: z.array(z.string()),
    retention_days: z.int(),
    created: time,
    secrets: z
      .array(z.object({ expires: time.nullable() }))
      .openapi({ description: "The sender's that are valid, newest first; what they are nobody is told again" }),
  })
  .openapi("Hook");

const secretsSchema = z.object({
  secret: z.string().optional().openapi({ description: "The sender's. Shown this once" }),
  destinations: z.array(z.object({ url: z.string(), signing_secret: z.string() })).openapi({
    description: "With which each destination verifies its deliveries, as Standard Webhooks says. Shown this once",
  }),
});

const changedSchema = z.object({ hook: hookSchema, ...secretsSchema.shape });

const labelSchema = z.object({ label: z.string(), probability: z.number() });

const eventSchema = z
  .object({
    id: z.string().openapi({ description: "Also the `webhook-id` of its delivery" }),
    sender_id: z.string().nullable(),
    type: z.string().nullable(),
    received: time,
    status: z.enum(EVENT_STATUSES),
    reason: z.string().nullable().openapi({ description: "Why it is dead, stored, or still waiting" }),
    classification: z
      .object({
        model: z.object({ id: z.string(), version: z.string() }),
        task: z.string(),
        label: z.string().nullable(),
        probability: z.number().nullable(),
        labels: z.array(labelSchema),
      })
      .nullable(),
    rule: z.int().nullable(),
    destination: z.string().nullable(),
    attempts: z.int(),
    next_attempt: time.nullable(),
  })
  .openapi("HookEvent");

const attemptSchema = z.object({
  round: z.int().openapi({ description: "1, and one more for each replay" }),
  attempt: z.int(),
  started: time,
  duration_ms: z.number().nullable().openapi({ description: "null: nobody told how it went" }),
  status: z.int().nullable(),
  error: z.string().nullable(),
});

/** What a hook would do; nothing is done. */
export const dryRunSchema = z.object({
  text: z.string(),
  classification: eventSchema.shape.classification,
  rule: z.int().nullable(),
  action: z.enum(["deliver", "store", "drop"]),
  destination: z.string().nullable(),
  refusal: z.string().nullable().openapi({ description: "Why nothing may be sent to the destination" }),
  body: z.string().nullable().openapi({ description: "Of the delivery" }),
});

const hookId = z.object({ id: z.string() });
const eventId = z.object({ id: z.string(), event: z.string() });
const nextCursor = z.string().nullable();

const guarded = { tags: [TAGS.hooks.name], security: needsAdmin };
const malformed = { 400: problemResponse("The request is malformed") };
const problems = { ...adminProblems, 404: problemResponse("There is no such hook or event") };

const exampleSettings: z.input<typeof createSchema> = {
  name: "reviews",
  source: { kind: "standard" },
  text: ["/data/title", "/data/body"],
  task: "sentiment",
  rules: [{ label: "negative", min_probability: 0.7, action: "deliver", destination: "https://example.com/angry" }],
};
const exampleHook: z.infer<typeof hookSchema> = {
  id: "hook_0d2f6c1b8a4e4f0e9c3b7a5d1e2f3a4b",
  url: "https://edge-slm.example.com/hooks/hook_0d2f6c1b8a4e4f0e9c3b7a5d1e2f3a4b",
  name: "reviews",
  source: { kind: "standard" },
  text: ["/data/title", "/data/body"],
  task: "sentiment",
  rules: [{ label: "negative", min_probability: 0.7, action: "deliver", destination: "https://example.com/angry" }],
  pass_headers: [],
  retention_days: 30,
  created: "2026-11-24T12:00:00.000Z",
  secrets: [{ expires: null }],
};
const exampleDestinations = [{ url: "https://example.com/angry", signing_secret: "whsec_…" }];
export const exampleClassification = {
  model: { id: "multitask-en", version: "0f3c5a7e9b1d" },
  task: "sentiment",
  label: "negative",
  probability: 0.91,
  labels: [
    { label: "negative", probability: 0.91 },
    { label: "positive", probability: 0.09 },
  ],
};
const exampleEvent: z.infer<typeof eventSchema> = {
  id: "evt_7c0b9a3e5d1f4b6a8e2c0d4f6a8b0c2e",
  sender_id: "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
  type: "review.created",
  received: "2026-11-24T12:00:00.000Z",
  status: "delivered",
  reason: null,
  classification: exampleClassification,
  rule: 0,
  destination: "https://example.com/angry",
  attempts: 1,
  next_attempt: null,
};
const examplePayload = { type: "review.created", data: { title: "Never again", body: "It broke after a day." } };

const createHookRoute = createRoute({
  ...guarded,
  method: "post",
  path: "/v1/hooks",
  operationId: "createHook",
  summary: "Make a hook",
  request: jsonBody(createSchema, exampleSettings),
  responses: {
    201: jsonAnswer("The hook and its secrets", changedSchema, {
      hook: exampleHook,
      secret: "…",
      destinations: exampleDestinations,
    }),
    ...bodyProblems,
    ...adminProblems,
    404: problemResponse("There is no such model"),
    422: problemResponse("The hook cannot work like this"),
    503: problemResponse("The Worker has no HOOKS_KEY, or R2 holds no model"),
  },
});

const listRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/hooks",
  operationId: "listHooks",
  summary: "The hooks, oldest first",
  request: { query: pageQuery },
  responses: {
    200: jsonAnswer("The hooks", z.object({ hooks: z.array(hookSchema), next_cursor: nextCursor }), {
      hooks: [exampleHook],
      next_cursor: null,
    }),
    ...malformed,
    ...adminProblems,
  },
});

const readRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/hooks/{id}",
  operationId: "getHook",
  summary: "A hook, and how it is doing",
  request: { params: hookId },
  responses: {
    200: jsonAnswer(
      "The hook",
      z.object({
        hook: hookSchema,
        events: z.record(z.enum(EVENT_STATUSES), z.int()),
        destinations: z
          .array(
            z.object({
              url: z.string(),
              failures: z.int().openapi({ description: "In a row" }),
              open_until: time.nullable().openapi({ description: "Until then nothing is sent there" }),
              gone: z.boolean().openapi({ description: "It answered 410" }),
            }),
          )
          .openapi({ description: "Those that fail" }),
      }),
      {
        hook: exampleHook,
        events: { received: 0, delivering: 0, delivered: 12, stored: 3, dropped: 0, dead: 0 },
        destinations: [],
      },
    ),
    ...problems,
  },
});

const patchRoute = createRoute({
  ...guarded,
  method: "patch",
  path: "/v1/hooks/{id}",
  operationId: "updateHook",
  summary: "Change a hook, or its secrets; destinations that were given up are tried again",
  request: { params: hookId, ...jsonBody(patchSchema, { retention_days: 14 }) },
  responses: {
    200: jsonAnswer("The hook, and new secrets", changedSchema, {
      hook: { ...exampleHook, retention_days: 14 },
      destinations: [],
    }),
    ...bodyProblems,
    ...problems,
    409: problemResponse("Somebody else has changed it meanwhile"),
    422: problemResponse("The hook cannot work like this"),
    503: problemResponse("The Worker has no HOOKS_KEY, or R2 holds no model"),
  },
});

const deleteRoute = createRoute({
  ...guarded,
  method: "delete",
  path: "/v1/hooks/{id}",
  operationId: "deleteHook",
  summary: "Delete a hook and all its events, delivered or not",
  request: { params: hookId },
  responses: { 204: { description: "It is gone" }, ...problems },
});

const dryRunRoute = createRoute({
  ...guarded,
  method: "post",
  path: "/v1/hooks/{id}/dry-run",
  operationId: "dryRunHook",
  summary: "What the hook would do with a payload",
  request: {
    params: hookId,
    ...jsonBody(z.strictObject({ payload: z.unknown().openapi({ description: "The sender's body, parsed" }) }), {
      payload: examplePayload,
    }),
  },
  responses: {
    200: jsonAnswer("What would happen; nothing does", dryRunSchema, {
      text: "Never again\nIt broke after a day.",
      classification: exampleClassification,
      rule: 0,
      action: "deliver",
      destination: "https://example.com/angry",
      refusal: null,
      body: "{…}",
    }),
    ...bodyProblems,
    ...problems,
    422: problemResponse("The text is in another alphabet"),
    503: problemResponse("The model cannot be loaded"),
  },
});

const eventsRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/hooks/{id}/events",
  operationId: "listHookEvents",
  summary: "A hook's events, newest first; with status=dead the dead letters",
  request: {
    params: hookId,
    query: z.object({
      ...pageQuery.shape,
      status: z.enum(EVENT_STATUSES).optional(),
      label: z.string().optional(),
      type: z.string().optional().openapi({ description: "The sender's kind of event" }),
    }),
  },
  responses: {
    200: jsonAnswer("The events", z.object({ events: z.array(eventSchema), next_cursor: nextCursor }), {
      events: [exampleEvent],
      next_cursor: null,
    }),
    ...malformed,
    ...problems,
  },
});

const eventRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/hooks/{id}/events/{event}",
  operationId: "getHookEvent",
  summary: "An event with its payload and the attempts to deliver it",
  request: { params: eventId },
  responses: {
    200: jsonAnswer(
      "The event",
      z.object({ event: eventSchema, payload: z.string(), attempts: z.array(attemptSchema) }),
      {
        event: exampleEvent,
        payload: JSON.stringify(examplePayload),
        attempts: [
          {
            round: 1,
            attempt: 1,
            started: "2026-11-24T12:00:01.000Z",
            duration_ms: 84,
            status: 204,
            error: null,
          },
        ],
      },
    ),
    ...problems,
  },
});

const replayRoute = createRoute({
  ...guarded,
  method: "post",
  path: "/v1/hooks/{id}/events/{event}/replay",
  operationId: "replayHookEvent",
  summary: "Process an event again, by today's rules, under the same webhook-id",
  request: { params: eventId },
  responses: {
    202: jsonAnswer("It is on its way", z.object({ event: z.string() }), { event: exampleEvent.id }),
    ...problems,
  },
});

export function addHooks(app: App): void {
  app.use("/v1/hooks", requireAdmin);
  app.use("/v1/hooks/*", requireAdmin);

  app.openapi(createHookRoute, async (c) => {
    const { hook, secret } = await createHook(c.env, c.var, c.req.valid("json"));
    const shown = await describeSecrets(hook, c.var.scope.settings.hooksKey);
    const url = hook.source.kind === "none" ? `${urlOf(c, hook)}/${secret}` : urlOf(c, hook);
    return c.json({ hook: { ...describeHook(c, hook), url }, secret, ...shown }, 201);
  });

  app.openapi(listRoute, async (c) => {
    const { cursor = "0", limit } = c.req.valid("query");
    const entries = await directoryOf(c.env).list(Number(cursor), limit);
    const hooks = await Promise.all(
      entries.map(({ id }) => hookObjectOf(c.env, id).read() as Promise<Hook | undefined>),
    );
    const described = hooks.filter((hook) => hook !== undefined).map((hook) => describeHook(c, hook));
    const next_cursor = entries.length === limit ? String(entries.at(-1)!.seq) : null;
    return c.json({ hooks: described, next_cursor }, 200);
  });

  app.openapi(readRoute, async (c) => {
    const { id } = c.req.valid("param");
    const hook = await findHook(c, id);
    const { counts, destinations } = await hookObjectOf(c.env, id).status();
    const described = destinations.map(({ url, failures, open_until_ms, gone }) => {
      return {
        url,
        failures,
        open_until: open_until_ms > Date.now() ? isoTime(open_until_ms) : null,
        gone: gone === 1,
      };
    });
    return c.json({ hook: describeHook(c, hook), events: counts, destinations: described }, 200);
  });

  app.openapi(patchRoute, async (c) => {
    const before = await findHook(c, c.req.valid("param").id);
    const patch = c.req.valid("json");
    const { hook, secret } = await updateHook(c.env, c.var, before, patch);
    const isShown = patch.rules !== undefined || patch.rotate_signing_secret !== undefined;
    const shown = isShown ? await describeSecrets(hook, c.var.scope.settings.hooksKey) : { destinations: [] };
    return c.json({ hook: describeHook(c, hook), secret, ...shown }, 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const { id } = c.req.valid("param");
    await findHook(c, id);
    await hookObjectOf(c.env, id).remove();
    await directoryOf(c.env).remove(id);
    return c.body(null, 204);
  });

  app.openapi(dryRunRoute, async (c) => {
    const hook = await findHook(c, c.req.valid("param").id);
    return c.json(await dryRun(hook, c.req.valid("json").payload, c.var.store, c.var.scope), 200);
  });

  app.openapi(eventsRoute, async (c) => {
    const { id } = c.req.valid("param");
    const { cursor, ...filter } = c.req.valid("query");
    await findHook(c, id);
    const rows = (await hookObjectOf(c.env, id).list({
      ...filter,
      beforeSeq: cursor === undefined ? undefined : Number(cursor),
    })) as EventSummary[];
    const next_cursor = rows.length === filter.limit ? String(rows.at(-1)!.seq) : null;
    return c.json({ events: rows.map(describeEvent), next_cursor }, 200);
  });

  app.openapi(eventRoute, async (c) => {
    const { id, event } = c.req.valid("param");
    await findHook(c, id);
    const found = (await hookObjectOf(c.env, id).find(event)) as { row: EventRow; attempts: AttemptRow[] } | undefined;
    if (!found) throw unknownEvent(event);
    const attempts = found.attempts.map(({ started_ms, ...rest }) => ({ ...rest, started: isoTime(started_ms) }));
    return c.json({ event: describeEvent(found.row), payload: found.row.payload, attempts }, 200);
  });

  app.openapi(replayRoute, async (c) => {
    const { id, event } = c.req.valid("param");
    await findHook(c, id);
    if (!(await hookObjectOf(c.env, id).replay(event))) throw unknownEvent(event);
    return c.json({ event }, 202);
  });
}

/** @throws Problem unknown_hook */
async function findHook(c: Context<AppEnv>, id: string): Promise<Hook> {
  const hook = (await hookObjectOf(c.env, id).read()) as Hook | undefined;
  if (!hook) throw new Problem("unknown_hook", `expected the id of a hook; got ${JSON.stringify(id)}`);
  return hook;
}

function unknownEvent(id: string): Problem {
  return new Problem("unknown_event", `expected the id of an event of this hook; got ${JSON.stringify(id)}`);
}

function urlOf(c: Context<AppEnv>, hook: Hook): string {
  return new URL(`/hooks/${hook.id}`, c.req.url).href;
}

function describeHook(c: Context<AppEnv>, hook: Hook): z.infer<typeof hookSchema> {
  const { id, name, source, text, model, task, rules, pass_headers, retention_days, createdMs } = hook;
  const secrets = liveSecrets(hook.secrets, Date.now()).map(({ expiresMs }) => {
    return { expires: expiresMs === null ? null : isoTime(expiresMs) };
  });
  const said = { id, url: urlOf(c, hook), name, source, text, model, task, rules, pass_headers, retention_days };
  return { ...said, created: isoTime(createdMs), secrets };
}

function describeEvent(row: EventSummary): z.infer<typeof eventSchema> {
  const { id, sender_id, type, status, reason, rule, destination, attempts } = row;
  return {
    id,
    sender_id,
    type,
    received: isoTime(row.received_ms),
    status,
    reason,
    classification: describeAnswer(row.answer),
    rule,
    destination,
    attempts,
    next_attempt: status === "delivering" ? isoTime(row.due_ms) : null,
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

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
const page = {
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, "expected a next_cursor")
    .optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
};
const nextCursor = z.string().nullable();

const json = <Schema extends z.ZodType>(description: string, schema: Schema) => ({
  description,
  content: { "application/json": { schema } },
});
const body = <Schema extends z.ZodType>(schema: Schema) => ({
  body: { required: true, content: { "application/json": { schema } } },
});
const adminProblems = {
  401: problemResponse("The admin key is missing or wrong"),
  403: problemResponse("The Worker has no admin key"),
};
const problems = { ...adminProblems, 404: problemResponse("There is no such hook or event") };

const createHookRoute = createRoute({
  method: "post",
  path: "/v1/hooks",
  summary: "Make a hook",
  request: body(createSchema),
  responses: {
    201: json("The hook and its secrets", changedSchema),
    400: problemResponse("The request is malformed"),
    ...adminProblems,
    422: problemResponse("The hook cannot work like this"),
    503: problemResponse("The Worker has no HOOKS_KEY, or R2 holds no model"),
  },
});

const listRoute = createRoute({
  method: "get",
  path: "/v1/hooks",
  summary: "The hooks, oldest first",
  request: { query: z.object(page) },
  responses: {
    200: json("The hooks", z.object({ hooks: z.array(hookSchema), next_cursor: nextCursor })),
    ...adminProblems,
  },
});

const readRoute = createRoute({
  method: "get",
  path: "/v1/hooks/{id}",
  summary: "A hook, and how it is doing",
  request: { params: hookId },
  responses: {
    200: json(
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
    ),
    ...problems,
  },
});

const patchRoute = createRoute({
  method: "patch",
  path: "/v1/hooks/{id}",
  summary: "Change a hook, or its secrets; destinations that were given up are tried again",
  request: { params: hookId, ...body(patchSchema) },
  responses: {
    200: json("The hook, and new secrets", changedSchema),
    400: problemResponse("The request is malformed"),
    ...problems,
    409: problemResponse("Somebody else has changed it meanwhile"),
    422: problemResponse("The hook cannot work like this"),
  },
});

const deleteRoute = createRoute({
  method: "delete",
  path: "/v1/hooks/{id}",
  summary: "Delete a hook and all its events, delivered or not",
  request: { params: hookId },
  responses: { 204: { description: "It is gone" }, ...problems },
});

const dryRunRoute = createRoute({
  method: "post",
  path: "/v1/hooks/{id}/dry-run",
  summary: "What the hook would do with a payload",
  request: {
    params: hookId,
    ...body(z.strictObject({ payload: z.unknown().openapi({ description: "The sender's body, parsed" }) })),
  },
  responses: {
    200: json("What would happen; nothing does", dryRunSchema),
    400: problemResponse("The request is malformed"),
    ...problems,
    422: problemResponse("The text is in another alphabet"),
    503: problemResponse("The model cannot be loaded"),
  },
});

const eventsRoute = createRoute({
  method: "get",
  path: "/v1/hooks/{id}/events",
  summary: "A hook's events, newest first; with status=dead the dead letters",
  request: {
    params: hookId,
    query: z.object({
      ...page,
      status: z.enum(EVENT_STATUSES).optional(),
      label: z.string().optional(),
      type: z.string().optional().openapi({ description: "The sender's kind of event" }),
    }),
  },
  responses: {
    200: json("The events", z.object({ events: z.array(eventSchema), next_cursor: nextCursor })),
    400: problemResponse("The request is malformed"),
    ...problems,
  },
});

const eventRoute = createRoute({
  method: "get",
  path: "/v1/hooks/{id}/events/{event}",
  summary: "An event with its payload and the attempts to deliver it",
  request: { params: eventId },
  responses: {
    200: json("The event", z.object({ event: eventSchema, payload: z.string(), attempts: z.array(attemptSchema) })),
    ...problems,
  },
});

const replayRoute = createRoute({
  method: "post",
  path: "/v1/hooks/{id}/events/{event}/replay",
  summary: "Process an event again, by today's rules, under the same webhook-id",
  request: { params: eventId },
  responses: { 202: json("It is on its way", z.object({ event: z.string() })), ...problems },
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

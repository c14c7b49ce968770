/**
 * `/v1/knowledge`: the operator's knowledge bases, made, filled, listed and deleted. Questions go to `/v1/answer`.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { bodyLimit } from "hono/body-limit";
import type { App } from "../context.ts";
import { Problem, problemResponse } from "../errors.ts";
import { type Base, baseIdSchema, baseSettingsSchema } from "../knowledge/base.ts";
import { knowledgeDirectoryOf } from "../knowledge/directory.ts";
import type { entrySchema } from "../knowledge/entry.ts";
import { IMPORT_TYPES, type ImportType } from "../knowledge/import.ts";
import { knowledgeObjectOf, type StoredEntry } from "../knowledge/knowledge-object.ts";
import { importEntries, putBase, unknownBase } from "../knowledge/management.ts";
import { requireAdmin } from "../middleware/admin.ts";
import { adminProblems, bodyProblems, jsonAnswer, jsonBody, needsAdmin, pageQuery, TAGS } from "../openapi.ts";

const time = z.iso.datetime();

const baseSchema = z
  .object({
    id: z.string(),
    ...baseSettingsSchema.shape,
    created: time,
    entries: z.int(),
    passages: z.int().openapi({ description: "What is searched: the questions of pairs, the parts of documents" }),
    model: z.string().nullable().openapi({ description: "That made the vectors; null as long as there are none" }),
  })
  .openapi("KnowledgeBase");

const storedSchema = z
  .object({
    id: z.string(),
    question: z.array(z.string()).optional(),
    answer: z.string().optional(),
    title: z.string().optional(),
    text: z.string().optional(),
    source: z.string().nullable(),
    updated: time,
  })
  .openapi("StoredKnowledgeEntry");

const importSchema = z
  .object({
    added: z.int(),
    updated: z.int().openapi({ description: "Entries that had the same id before" }),
    refused: z.array(z.object({ place: z.string(), id: z.string().optional(), reason: z.string() })).openapi({
      description: "What was left out, and why; everything else is in, or nothing is and this is an error",
    }),
    entries: z.int().openapi({ description: "Of the base, now" }),
    passages: z.int(),
  })
  .openapi("KnowledgeImport");

const baseParams = z.object({ id: baseIdSchema });
const entryParams = z.object({ id: baseIdSchema, entry: z.string() });
const nextCursor = z.string().nullable();

const guarded = { tags: [TAGS.knowledge.name], security: needsAdmin };
const malformed = { 400: problemResponse("The request is malformed") };
const problems = { ...malformed, ...adminProblems, 404: problemResponse("There is no such knowledge base or entry") };

const exampleBase: z.infer<typeof baseSchema> = {
  id: "shop",
  name: "The shop's questions",
  created: "2026-11-30T12:00:00.000Z",
  entries: 2,
  passages: 3,
  model: "embed-en",
};
const exampleEntry: z.input<typeof entrySchema> = {
  id: "opening-hours",
  question: ["When are you open?", "What are your opening hours?"],
  answer: "From nine to six on weekdays, until two on Saturdays.",
  source: "https://example.com/hours",
};
const exampleStored: z.infer<typeof storedSchema> = {
  id: "opening-hours",
  question: ["When are you open?", "What are your opening hours?"],
  answer: "From nine to six on weekdays, until two on Saturdays.",
  source: "https://example.com/hours",
  updated: "2026-11-30T12:00:00.000Z",
};

const listRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/knowledge",
  operationId: "listKnowledgeBases",
  summary: "The knowledge bases, oldest first",
  request: { query: pageQuery },
  responses: {
    200: jsonAnswer(
      "The knowledge bases",
      z.object({ knowledge_bases: z.array(baseSchema), next_cursor: nextCursor }),
      { knowledge_bases: [exampleBase], next_cursor: null },
    ),
    ...malformed,
    ...adminProblems,
  },
});

const putRoute = createRoute({
  ...guarded,
  method: "put",
  path: "/v1/knowledge/{id}",
  operationId: "putKnowledgeBase",
  summary: "Make a knowledge base, or change its settings",
  description: "Its entries stay. What a setting was before is forgotten: one that is left out has no value",
  request: { params: baseParams, ...jsonBody(baseSettingsSchema, { name: "The shop's questions" }) },
  responses: {
    200: jsonAnswer(
      "The knowledge base",
      z.object({
        knowledge_base: baseSchema,
        signing_secret: z.string().optional().openapi({
          description: "With which the webhook verifies what it gets, as Standard Webhooks says",
        }),
      }),
      { knowledge_base: exampleBase },
    ),
    ...bodyProblems,
    ...adminProblems,
    422: problemResponse("Nothing may be sent to the webhook"),
    503: problemResponse("The Worker has no HOOKS_KEY, which a webhook needs"),
  },
});

const getRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/knowledge/{id}",
  operationId: "getKnowledgeBase",
  summary: "A knowledge base",
  request: { params: baseParams },
  responses: { 200: jsonAnswer("The knowledge base", baseSchema, exampleBase), ...problems },
});

const deleteRoute = createRoute({
  ...guarded,
  method: "delete",
  path: "/v1/knowledge/{id}",
  operationId: "deleteKnowledgeBase",
  summary: "Delete a knowledge base and all that is in it",
  request: { params: baseParams },
  responses: { 204: { description: "It is gone" }, ...problems },
});

const importRoute = createRoute({
  ...guarded,
  method: "put",
  path: "/v1/knowledge/{id}/entries",
  operationId: "importKnowledge",
  summary: "Add entries, or replace those with the same id",
  description:
    "As JSON; as JSON lines, an entry a line (`application/x-ndjson`); as CSV with a header line out of id, question, " +
    "answer, title, text, source; or as Markdown, which is cut at its headings: one that ends with a question mark " +
    "and what stands below it are a question and its answer, what stands below any other is a document. What is wrong " +
    "with an entry is told in `refused`; the others are taken all together or not at all. Sent again, it changes nothing",
  request: {
    params: baseParams,
    query: z.object({
      source: z.string().max(2_000).optional().openapi({ description: "Of the entries that name none" }),
    }),
    body: {
      content: {
        "application/json": {
          schema: z
            .strictObject({ entries: z.array(z.record(z.string(), z.unknown())) })
            .openapi({ description: "Entries as of the schema KnowledgeEntry" }),
          example: { entries: [exampleEntry] },
        },
        "application/x-ndjson": { schema: z.string() },
        "text/csv": { schema: z.string() },
        "text/markdown": { schema: z.string() },
      },
    },
  },
  responses: {
    200: jsonAnswer("What became of them", importSchema, {
      added: 1,
      updated: 0,
      refused: [],
      entries: 1,
      passages: 2,
    }),
    400: problemResponse("The body is not what its type says"),
    ...adminProblems,
    404: problemResponse("There is no such knowledge base"),
    409: problemResponse("The vectors of the base are of another version of the model"),
    413: problemResponse("The body is too long, or the base is full"),
    415: problemResponse("The body is of none of these types"),
    503: problemResponse("R2 holds no model for embedding, or it cannot be loaded"),
  },
});

const listEntriesRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/knowledge/{id}/entries",
  operationId: "listKnowledgeEntries",
  summary: "The entries, oldest first",
  request: { params: baseParams, query: pageQuery },
  responses: {
    200: jsonAnswer("The entries", z.object({ entries: z.array(storedSchema), next_cursor: nextCursor }), {
      entries: [exampleStored],
      next_cursor: null,
    }),
    ...problems,
  },
});

const getEntryRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/knowledge/{id}/entries/{entry}",
  operationId: "getKnowledgeEntry",
  summary: "An entry",
  request: { params: entryParams },
  responses: { 200: jsonAnswer("The entry", storedSchema, exampleStored), ...problems },
});

const deleteEntryRoute = createRoute({
  ...guarded,
  method: "delete",
  path: "/v1/knowledge/{id}/entries/{entry}",
  operationId: "deleteKnowledgeEntry",
  summary: "Delete an entry",
  request: { params: entryParams },
  responses: { 204: { description: "It is gone" }, ...problems },
});

export function addKnowledge(app: App): void {
  app.use("/v1/knowledge", requireAdmin);
  app.use("/v1/knowledge/*", requireAdmin);
  app.use("/v1/knowledge/*", (c, next) => {
    const { maxImportBytes } = c.var.scope.settings;
    const onError = () => {
      throw new Problem("too_long", `expected a body of at most ${maxImportBytes} bytes; send several requests`, {
        extensions: { max_bytes: maxImportBytes },
      });
    };
    return bodyLimit({ maxSize: maxImportBytes, onError })(c, next);
  });

  app.openapi(listRoute, async (c) => {
    const { cursor, limit } = c.req.valid("query");
    const listed = await knowledgeDirectoryOf(c.env).list(Number(cursor ?? 0), limit);
    const bases = await Promise.all(listed.map(({ id }) => knowledgeObjectOf(c.env, id).status()));
    const knowledge_bases = bases.filter((status) => status !== undefined).map(describeBase);
    const next_cursor = listed.length === limit ? String(listed.at(-1)!.seq) : null;
    return c.json({ knowledge_bases, next_cursor }, 200);
  });

  app.openapi(putRoute, async (c) => {
    const { id } = c.req.valid("param");
    const { secret } = await putBase(c.env, c.var, id, c.req.valid("json"));
    const knowledge_base = describeBase((await knowledgeObjectOf(c.env, id).status())!);
    return c.json({ knowledge_base, ...(secret === undefined ? {} : { signing_secret: secret }) }, 200);
  });

  app.openapi(getRoute, async (c) => {
    const { id } = c.req.valid("param");
    const status = await knowledgeObjectOf(c.env, id).status();
    if (!status) throw unknownBase(id);
    return c.json(describeBase(status), 200);
  });

  app.openapi(deleteRoute, async (c) => {
    const { id } = c.req.valid("param");
    const object = knowledgeObjectOf(c.env, id);
    if (!(await object.read())) throw unknownBase(id);
    await object.remove();
    await knowledgeDirectoryOf(c.env).remove(id);
    return c.body(null, 204);
  });

  app.openapi(importRoute, async (c) => {
    const { id } = c.req.valid("param");
    const { source } = c.req.valid("query");
    const type = importTypeOf(c.req.header("content-type"));
    const result = await importEntries(c.env, c.var, id, type, await c.req.text(), source, c.req.raw.signal);
    return c.json(result, 200);
  });

  app.openapi(listEntriesRoute, async (c) => {
    const { id } = c.req.valid("param");
    const { cursor, limit } = c.req.valid("query");
    const object = knowledgeObjectOf(c.env, id);
    if (!(await object.read())) throw unknownBase(id);
    const listed = await object.list(Number(cursor ?? 0), limit);
    const next_cursor = listed.length === limit ? String(listed.at(-1)!.seq) : null;
    return c.json({ entries: listed.map(({ entry }) => describeEntry(entry)), next_cursor }, 200);
  });

  app.openapi(getEntryRoute, async (c) => {
    const { id, entry: name } = c.req.valid("param");
    const object = knowledgeObjectOf(c.env, id);
    if (!(await object.read())) throw unknownBase(id);
    const entry = await object.entry(name);
    if (!entry) throw unknownEntry(id, name);
    return c.json(describeEntry(entry), 200);
  });

  app.openapi(deleteEntryRoute, async (c) => {
    const { id, entry } = c.req.valid("param");
    const object = knowledgeObjectOf(c.env, id);
    if (!(await object.read())) throw unknownBase(id);
    if (!(await object.delete(entry))) throw unknownEntry(id, entry);
    return c.body(null, 204);
  });
}

/** `text/plain` is none: nobody could say what is in it. */
function importTypeOf(header: string | undefined): ImportType {
  const [given = ""] = (header ?? "").toLowerCase().split(/\s*;/);
  const known = Object.entries(IMPORT_TYPES).find(([, type]) => type === given)?.[0] as ImportType | undefined;
  if (known !== undefined) return known;
  throw new Problem(
    "unsupported_media_type",
    `expected the header content-type: one of ${Object.values(IMPORT_TYPES).join(", ")}; got ${given || "none"}`,
  );
}

function unknownEntry(id: string, entry: string): Problem {
  return new Problem(
    "unknown_entry",
    `knowledge base ${id}: expected an entry that there is, got ${JSON.stringify(entry)}`,
  );
}

type Status = { base: Base; entries: number; passages: number; model: { id: string } | undefined };

function describeBase({ base, entries, passages, model }: Status): z.infer<typeof baseSchema> {
  const { id, createdMs, sealedSeed: _, ...settings } = base;
  return { id, ...settings, created: new Date(createdMs).toISOString(), entries, passages, model: model?.id ?? null };
}

function describeEntry({ id, kind, heads, body, source, updatedMs }: StoredEntry): z.infer<typeof storedSchema> {
  const updated = new Date(updatedMs).toISOString();
  if (kind === "pair") return { id, question: heads, answer: body, source, updated };
  const [title] = heads;
  return { id, ...(title === undefined ? {} : { title }), text: body, source, updated };
}

/**
 * What the routes' definitions share, so that the document says the same of all of them: tags, who may call, bodies and
 * answers with examples that the compiler holds against their schemas. routes/document.ts serves the document.
 */
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { Problem, problemResponse } from "./errors.ts";

/** The sections of the document, in its order. */
export const TAGS = {
  text: { name: "Text", description: "What the models do" },
  knowledge: { name: "Knowledge bases", description: "The operator's: what questions are answered from" },
  service: { name: "Service", description: "What is offered, and whether it runs" },
  account: { name: "Account", description: "What a customer's key may know of its account" },
  libretranslate: {
    name: "LibreTranslate",
    description: "For clients of LibreTranslate: point them at this server. Errors are `{ error }`, as they expect",
  },
  deepl: {
    name: "DeepL",
    description: "For clients of DeepL: set their server URL to this server. Errors are `{ message }`, as they expect",
  },
  hooks: { name: "Webhooks", description: "The operator's hooks: events in, classified, sent on" },
  operator: { name: "Operator", description: "Accounts, keys, credit and books" },
} as const;

/** Names of the security schemes: a customer's key, the operator's key, and as DeepL's clients send a key. */
export const SECURITY = { apiKey: "apiKey", adminKey: "adminKey", deeplKey: "deeplKey" } as const;

type Requirement = Record<string, string[]>;

/** Paid for by a key, by x402 or not at all, as the server is set up. */
export const maybeKey: Requirement[] = [{ [SECURITY.apiKey]: [] }, {}];
export const maybeDeeplKey: Requirement[] = [{ [SECURITY.deeplKey]: [] }, {}];
export const needsKey: Requirement[] = [{ [SECURITY.apiKey]: [] }];
export const needsAdmin: Requirement[] = [{ [SECURITY.adminKey]: [] }];

/** @param example a request that works on a server with the shipped models */
export function jsonBody<Schema extends z.ZodType>(schema: Schema, example: z.input<Schema>) {
  return { body: { required: true, content: { "application/json": { schema, example } } } };
}

/** The same, or as a form. The handler gets it through `readBody`. */
export function jsonOrFormBody<Schema extends z.ZodType>(schema: Schema, example: z.input<Schema>) {
  const content = { "application/json": { schema, example }, "application/x-www-form-urlencoded": { schema } };
  return { body: { content } };
}

/**
 * The body in the form that it came in.
 * @throws Problem unsupported_media_type if none came
 */
export function readBody<Body>(c: Context, json: Body, form: Body): Body {
  const type = c.req.header("content-type");
  if (type === undefined) throw new Problem("unsupported_media_type", "expected a body, as JSON or as a form");
  return /json/i.test(type) ? json : form;
}

export function jsonAnswer<Schema extends z.ZodType>(description: string, schema: Schema, example: z.output<Schema>) {
  return { description, content: { "application/json": { schema, example } } };
}

/** What every route that reads a JSON body may answer. */
export const bodyProblems = {
  400: problemResponse("The request is malformed"),
  413: problemResponse("The body is too long"),
  415: problemResponse("The body is not JSON"),
};

/** What `timing` of an answer is. */
export const TIMING =
  "Wall time: loading the model if it was not in memory, waiting for other requests, all the rest. A deployed Worker's " +
  "clock stands still while it computes, so what took less than about 10 ms counts as 0";

/** What every route that asks for the admin key may answer. */
export const adminProblems = {
  401: problemResponse("The admin key is missing or wrong"),
  403: problemResponse("The Worker has no admin key"),
};

/** A page of a list: what comes after `next_cursor` of the one before. */
export const pageQuery = z.object({
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, "expected a next_cursor")
    .optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
});

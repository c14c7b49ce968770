/**
 * What a hook is: where its events come from, what of them is classified, and where the rules send them. The schemas
 * are the API's; a stored hook is the same with secrets beside it that only `secrets.ts` can read.
 */
import { z } from "@hono/zod-openapi";
import { parsePointer, parseTemplate } from "./text.ts";

export const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~\w-]{1,64}$/, "expected the name of an HTTP header")
  .toLowerCase();

const jsonPointer = z
  .string()
  .max(200)
  .refine((text) => parsePointer(text) !== undefined, "expected a JSON Pointer (RFC 6901) such as /issue/title")
  .openapi({ example: "/issue/title" });

const idPointer = jsonPointer
  .optional()
  .openapi({ description: "Where the body has the event's id; without it events are the same if their bodies are" });

export const sourceSchema = z
  .discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("standard") }).openapi({ description: "https://www.standardwebhooks.com" }),
    z.strictObject({ kind: z.literal("github") }),
    z.strictObject({ kind: z.literal("stripe") }),
    z.strictObject({
      kind: z.literal("custom-hmac"),
      header: headerName.openapi({ description: "Which header has the signature", example: "x-signature" }),
      algorithm: z.enum(["sha1", "sha256", "sha512"]).default("sha256"),
      encoding: z.enum(["hex", "base64"]).default("hex"),
      prefix: z
        .string()
        .max(32)
        .default("")
        .openapi({ description: "What stands before the signature", example: "v0=" }),
      signed_content: z
        .string()
        .max(200)
        .default("{body}")
        .refine((text) => text.split("{body}").length === 2, "expected {body} in it, once")
        .openapi({ description: "What is signed, of {body} and {timestamp}", example: "v0:{timestamp}:{body}" }),
      timestamp_header: headerName
        .optional()
        .openapi({ description: "Which header has the time: seconds or milliseconds since 1970, or ISO 8601" }),
      tolerance_seconds: z.int().min(1).max(86_400).default(300),
      id_pointer: idPointer,
    }),
    z
      .strictObject({ kind: z.literal("none"), id_pointer: idPointer })
      .openapi({ description: "No signature; the secret is the last part of the intake's path" }),
  ])
  .superRefine((source, context) => {
    if (source.kind !== "custom-hmac") return;
    if (source.signed_content.includes("{timestamp}") === (source.timestamp_header !== undefined)) return;
    // A time that is not signed proves nothing.
    context.addIssue({
      code: "custom",
      path: ["timestamp_header"],
      message: "expected timestamp_header and {timestamp} in signed_content, both or neither",
    });
  });

export type Source = z.infer<typeof sourceSchema>;

export const textSchema = z
  .union([
    z.array(jsonPointer).min(1).max(16),
    z
      .string()
      .max(2000)
      .refine((text) => parseTemplate(text) !== undefined, "expected JSON Pointers in braces, such as {/issue/title}"),
  ])
  .openapi({
    description: "JSON Pointers whose texts are put below each other, or a template with pointers in braces",
    example: ["/issue/title", "/issue/body"],
  });

const condition = {
  label: z
    .string()
    .optional()
    .openapi({ description: "The most probable label; without it the rule takes every event" }),
  min_probability: z.number().min(0).max(1).default(0),
};

export const ruleSchema = z.discriminatedUnion("action", [
  z.strictObject({ ...condition, action: z.literal("deliver"), destination: z.url().max(2000) }),
  z.strictObject({ ...condition, action: z.literal("store") }),
  z.strictObject({ ...condition, action: z.literal("drop") }),
]);

export type Rule = z.infer<typeof ruleSchema>;

/** They belong to one connection, or are ours to say. */
const UNPASSABLE =
  /^(host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|content-.*|authorization|cookie|proxy-.*|webhook-.*|cf-.*|x-forwarded-.*|user-agent|accept-encoding)$/;

const passHeader = headerName
  .refine((name) => !UNPASSABLE.test(name), "this header cannot be passed on")
  .openapi({ example: "x-github-event" });

/** What an operator says of a hook, and may change but for the source. */
export const hookSettings = {
  name: z.string().max(100).optional(),
  text: textSchema,
  model: z.string().optional().openapi({ description: "A model's id; without it the one that knows the task" }),
  task: z.string().openapi({ description: "Which question of the model is asked", example: "topic" }),
  rules: z
    .array(ruleSchema)
    .max(50)
    .openapi({ description: "The first one that fits; if none does, the event is stored" }),
  pass_headers: z.array(passHeader).max(20).openapi({ description: "The sender's headers that a delivery repeats" }),
  retention_days: z.int().min(4).max(90).openapi({
    description: "How long events are kept, and duplicates known. Senders retry for three days",
  }),
};

export const senderSecret = z.string().min(8).max(500);

export const createSchema = z
  .strictObject({
    ...hookSettings,
    source: sourceSchema,
    secret: senderSecret
      .optional()
      .openapi({ description: "The sender's; without it one is made, but for Stripe, which makes its own" }),
    pass_headers: hookSettings.pass_headers.default([]),
    retention_days: hookSettings.retention_days.default(30),
  })
  .openapi("CreateHook");

export const patchSchema = z
  .strictObject({
    ...z.object(hookSettings).partial().shape,
    rotate_secret: z
      .strictObject({ secret: senderSecret.optional(), keep_seconds: z.int().min(0).max(604_800).default(86_400) })
      .optional()
      .openapi({ description: "A new secret; the present one stays valid for `keep_seconds`" }),
    rotate_signing_secret: z
      .strictObject({ keep_seconds: z.int().min(0).max(604_800).default(86_400) })
      .optional()
      .openapi({ description: "New secrets for the destinations; deliveries are signed with both for `keep_seconds`" }),
  })
  .openapi("PatchHook");

export type CreateHook = z.infer<typeof createSchema>;
export type PatchHook = z.infer<typeof patchSchema>;

/** Encrypted; newest first, two at most. */
export interface StoredSecret {
  sealed: string;
  expiresMs: number | null;
}

/** A hook as its object keeps it. */
export interface Hook extends Omit<CreateHook, "secret"> {
  id: string;
  createdMs: number;
  /** Grows with every change, so that an isolate knows that its copy is old. */
  version: number;
  /** The sender's. Of a hook without signatures only the digest is kept, in its place. */
  secrets: StoredSecret[];
  /** From these each destination's signing secret is derived. */
  signingSeeds: StoredSecret[];
}

/** @returns those that have not expired */
export function liveSecrets(secrets: readonly StoredSecret[], nowMs: number): StoredSecret[] {
  return secrets.filter(({ expiresMs }) => expiresMs === null || expiresMs > nowMs);
}

/** The new secret, and the one before it for a while. */
export function rotate(secrets: readonly StoredSecret[], sealed: string, keepSeconds: number, nowMs: number) {
  const [current] = liveSecrets(secrets, nowMs);
  const fresh = { sealed, expiresMs: null };
  if (!current || keepSeconds === 0) return [fresh];
  return [fresh, { ...current, expiresMs: nowMs + keepSeconds * 1000 }];
}

export function destinationsOf(rules: readonly Rule[]): string[] {
  return [...new Set(rules.flatMap((rule) => (rule.action === "deliver" ? [rule.destination] : [])))];
}

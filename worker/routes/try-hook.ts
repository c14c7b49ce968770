/**
 * `POST /v1/try-hook`: what a hook that nobody made yet would do with an event: signature, text, label, rule. Nothing is
 * kept and nothing is sent. Costs what classifying the text does.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { chooseModel } from "../classify.ts";
import type { App } from "../context.ts";
import { Problem, paymentResponses, problemResponse } from "../errors.ts";
import { dryRun, dryRunText } from "../hooks/dry-run.ts";
import { headerName, hookSettings, senderSecret, sourceSchema } from "../hooks/hook.ts";
import { readDocument } from "../hooks/intake.ts";
import { type SignedRequest, standardKey, verifySignature } from "../hooks/signatures.ts";
import { bodyProblems, jsonAnswer, jsonBody, maybeKey, TAGS } from "../openapi.ts";
import { cleanText } from "../text/clean.ts";
import { dryRunSchema, exampleClassification } from "./hooks.ts";

const headerValue = z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, "expected the value of an HTTP header");

const requestSchema = z
  .strictObject({
    source: sourceSchema.refine(({ kind }) => kind !== "none", "expected a sender that signs"),
    secret: senderSecret.openapi({
      description: "The sender's; it is used for this one check",
      example: "whsec_c2VjcmV0",
    }),
    headers: z.record(headerName, headerValue).openapi({ description: "The event's, as the sender sent them" }),
    body: z.string().openapi({ description: "The event's, as the sender sent it" }),
    text: hookSettings.text,
    model: hookSettings.model,
    task: hookSettings.task,
    rules: hookSettings.rules,
  })
  .openapi("TryHook");

const answerSchema = dryRunSchema.extend({
  signature: z.object({ valid: z.boolean(), reason: z.string().nullable() }).openapi({
    description: "A hook refuses an event whose signature is not valid; the rest says what else it would do",
  }),
});

const tryHookRoute = createRoute({
  method: "post",
  path: "/v1/try-hook",
  operationId: "tryHook",
  tags: [TAGS.text.name],
  security: maybeKey,
  summary: "Try a hook without making one",
  request: jsonBody(requestSchema, {
    source: { kind: "standard" },
    secret: "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw==",
    headers: {
      "webhook-id": "msg_1",
      "webhook-timestamp": "1767225600",
      "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    },
    body: '{"data":{"title":"Never again","body":"It broke after a day."}}',
    text: ["/data/title", "/data/body"],
    task: "sentiment",
    rules: [{ label: "negative", action: "deliver", destination: "https://example.com/angry" }],
  }),
  responses: {
    200: jsonAnswer("What would happen; nothing does", answerSchema, {
      signature: { valid: false, reason: "webhook-timestamp: expected one of the last 300 s, got one from 2026-01-01" },
      text: "Never again\nIt broke after a day.",
      classification: exampleClassification,
      rule: 0,
      action: "deliver",
      destination: "https://example.com/angry",
      refusal: null,
      body: "{…}",
    }),
    ...bodyProblems,
    ...paymentResponses,
    404: problemResponse("There is no such model"),
    422: problemResponse("No model knows the task, or the text is in another alphabet"),
    503: problemResponse("The model cannot be loaded; retry later"),
  },
});

export function addTryHook(app: App): void {
  app.openapi(tryHookRoute, async (c) => {
    const { secret, headers, body, ...hook } = c.req.valid("json");
    const { scope, store } = c.var;
    const event = { headers: new Headers(headers), body: new TextEncoder().encode(body), token: undefined };
    const { value } = readDocument(event);
    const signature = await checkSignature(hook.source, secret, event);
    const text = dryRunText(hook, value, scope);
    if (text.trim() !== "") {
      const candidates = await store.candidates(scope, "classification", hook.model);
      const { id } = chooseModel(candidates, [hook.task], [cleanText(text)]);
      await c.var.payment.reserve({ task: "classification", model: id, characters: text.length });
    }
    return c.json({ signature, ...(await dryRun({ ...hook, id: "hook_try" }, value, store, scope)) }, 200);
  });
}

/** @throws Problem malformed_request if the secret is none of such a sender */
async function checkSignature(source: z.infer<typeof sourceSchema>, secret: string, event: SignedRequest) {
  if (source.kind === "standard") checkStandardSecret(secret);
  try {
    await verifySignature(source, [secret], event, Date.now());
    return { valid: true, reason: null };
  } catch (error) {
    if (error instanceof Problem && error.kind === "invalid_signature") return { valid: false, reason: error.message };
    throw error;
  }
}

function checkStandardSecret(secret: string): void {
  try {
    standardKey(secret);
  } catch {
    throw new Problem("malformed_request", "secret: expected whsec_ and base64, as Standard Webhooks writes it");
  }
}

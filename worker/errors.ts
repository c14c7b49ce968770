/**
 * The named errors of the API and their HTTP form, problem+json (RFC 9457). Everything that fails inside a request
 * ends here, so a caller sees one shape; what is not a `Problem` is a fault of ours and says nothing of its inside.
 */
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { logError } from "./log.ts";

/** Name → status and title. The name makes up the `type` and is what a caller's code compares. */
const KINDS = {
  malformed_request: [400, "The request is malformed"],
  unauthorized: [401, "The key is missing or wrong"],
  invalid_signature: [401, "The signature is missing or wrong"],
  payment_required: [402, "The request must be paid"],
  insufficient_credit: [402, "The account has too little credit"],
  admin_disabled: [403, "The operator's routes are closed"],
  spending_limit: [403, "The key's spending limit is reached"],
  key_forbidden: [403, "The key may not do this"],
  not_found: [404, "There is no such route"],
  unknown_model: [404, "There is no such model"],
  unknown_hook: [404, "There is no such hook"],
  unknown_event: [404, "There is no such event"],
  unknown_knowledge_base: [404, "There is no such knowledge base"],
  unknown_entry: [404, "There is no such entry"],
  unknown_account: [404, "There is no such account"],
  method_not_allowed: [405, "The route has no such method"],
  conflict: [409, "Somebody else has changed it meanwhile"],
  account_exists: [409, "There is such an account"],
  other_model: [409, "The vectors are of another model"],
  request_in_progress: [409, "The same request is in work"],
  payment_conflict: [409, "The payment was used for another request"],
  knowledge_base_full: [413, "The knowledge base is full"],
  too_long: [413, "The text is too long"],
  unsupported_media_type: [415, "The body is not JSON"],
  unsupported_language: [422, "The model does not know this language"],
  invalid_webhook: [422, "Nothing may be sent there"],
  invalid_hook: [422, "The hook cannot work like this"],
  unsupported_task: [422, "The model does not know this task"],
  idempotency_mismatch: [422, "The Idempotency-Key was used for another request"],
  rate_limited: [429, "Too many requests"],
  internal_error: [500, "The server failed"],
  hooks_disabled: [503, "Hooks are not set up"],
  model_unavailable: [503, "The model cannot be loaded"],
  overloaded: [503, "The server is busy"],
  not_configured: [503, "The server is not configured"],
  took_too_long: [503, "The request took too long"],
  facilitator_unavailable: [503, "Payments cannot be checked now"],
} as const;

export type ProblemKind = keyof typeof KINDS;

export const problemSchema = z
  .object({
    type: z.string().openapi({ example: "urn:edge-slm:problem:unsupported_language" }),
    title: z.string(),
    status: z.int(),
    detail: z.string().openapi({ description: "What was expected, what came, and what to do." }),
  })
  .loose()
  .openapi("Problem");

export type ProblemBody = z.infer<typeof problemSchema>;

/** A problem in a route's definition. */
export function problemResponse(description: string) {
  return { description, content: { "application/problem+json": { schema: problemSchema } } };
}

/** What a route that is paid for may answer besides. */
export const paymentResponses = {
  401: problemResponse("The API key is missing or wrong"),
  402: problemResponse("The request must be paid; the header `payment-required` says how by x402"),
  403: problemResponse("The key may not do this, or its spending limit is reached"),
  409: problemResponse("The same request is in work, or its payment was used for another one"),
  429: problemResponse("Too many requests"),
};

/** An error that the caller is told about. */
export class Problem extends Error {
  readonly kind: ProblemKind;
  /** Further members of the body, for the caller's code: what is allowed, what was known. */
  readonly extensions: Record<string, unknown>;
  readonly headers: Record<string, string>;

  constructor(
    kind: ProblemKind,
    detail: string,
    options: { extensions?: Record<string, unknown>; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, { cause: options.cause });
    this.name = "Problem";
    this.kind = kind;
    this.extensions = options.extensions ?? {};
    this.headers = options.headers ?? {};
  }

  get status() {
    return KINDS[this.kind][0];
  }

  get body(): ProblemBody {
    const [status, title] = KINDS[this.kind];
    return { type: `urn:edge-slm:problem:${this.kind}`, title, status, detail: this.message, ...this.extensions };
  }
}

/** No error: the request was answered before, and this is the answer. Thrown so that no work follows. */
export class StoredAnswer extends Error {
  readonly response: Response;

  constructor(response: Response) {
    super("answered before");
    this.response = response;
  }
}

/** The model exists but cannot be served now: R2 lacks a file, or its bytes are not what the manifest says. */
export function modelUnavailable(detail: string, cause?: unknown): Problem {
  return new Problem("model_unavailable", detail, { headers: { "retry-after": "30" }, cause });
}

/** Nothing is wrong, but there is no room now. */
export function overloaded(detail: string): Problem {
  return new Problem("overloaded", detail, { headers: { "retry-after": "1" } });
}

/** Whatever was thrown, as a Problem. Logs what is a fault of ours, with its cause. */
export function toProblem(error: unknown, request_id?: string): Problem {
  if (error instanceof Problem) {
    if (error.status >= 500) logError(error.message, { request_id, problem: error.kind }, error.cause);
    return error;
  }
  if (error instanceof HTTPException) {
    if (error.status === 415) {
      return new Problem("unsupported_media_type", "expected the header content-type: application/json");
    }
    if (error.status === 400) return new Problem("malformed_request", `expected a JSON body; ${error.message}`);
  }
  logError("unexpected error", { request_id }, error);
  return new Problem("internal_error", "unexpected error; the server's log has it");
}

export type ProblemRenderer = (problem: Problem, c: Context) => Response;

export function renderProblem(problem: Problem, c: Context): Response {
  return c.body(JSON.stringify(problem.body), problem.status, {
    ...problem.headers,
    "content-type": "application/problem+json",
  });
}

/** Hook for request validation: every wrong field with its JSON pointer. */
export function rejectInvalid(result: { success: boolean; error?: unknown }): void {
  if (result.success) return;
  const issues = result.error instanceof z.ZodError ? result.error.issues : [];
  const errors = issues.map((issue) => ({
    // RFC 6901
    pointer: `#${issue.path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")}`,
    detail: issue.message,
  }));
  const summary = errors.map((e) => `${e.pointer}: ${e.detail}`).join("; ");
  throw new Problem("malformed_request", summary, { extensions: { errors } });
}

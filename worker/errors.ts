/**
 * The named errors of the API and their HTTP form, problem+json (RFC 9457). Everything that fails inside a request
 * ends here, so a caller sees one shape; what is not a `Problem` is a fault of ours and says nothing of its inside.
 */
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";

/** Name → status and title. The name makes up the `type` and is what a caller's code compares. */
const KINDS = {
  malformed_request: [400, "The request is malformed"],
  unauthorized: [401, "The key is missing or wrong"],
  admin_disabled: [403, "The operator's routes are closed"],
  not_found: [404, "There is no such route"],
  unknown_model: [404, "There is no such model"],
  method_not_allowed: [405, "The route has no such method"],
  too_long: [413, "The text is too long"],
  unsupported_media_type: [415, "The body is not JSON"],
  unsupported_language: [422, "The model does not know this language"],
  unsupported_task: [422, "The model does not know this task"],
  internal_error: [500, "The server failed"],
  model_unavailable: [503, "The model cannot be loaded"],
  overloaded: [503, "The server is busy"],
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

/** The model exists but cannot be served now: R2 lacks a file, or its bytes are not what the manifest says. */
export function modelUnavailable(detail: string, cause?: unknown): Problem {
  return new Problem("model_unavailable", detail, { headers: { "retry-after": "30" }, cause });
}

/** Nothing is wrong, but there is no room now. */
export function overloaded(detail: string): Problem {
  return new Problem("overloaded", detail, { headers: { "retry-after": "1" } });
}

/** Whatever was thrown, as a Problem. Logs what is a fault of ours, with its cause. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) {
    if (error.status >= 500) console.error(error.message, error.cause ?? "");
    return error;
  }
  if (error instanceof HTTPException) {
    if (error.status === 415) {
      return new Problem("unsupported_media_type", "expected the header content-type: application/json");
    }
    if (error.status === 400) return new Problem("malformed_request", `expected a JSON body; ${error.message}`);
  }
  console.error(error);
  return new Problem("internal_error", "unexpected error; the server's log has it");
}

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

/**
 * Routes that speak as another service does, for its clients: LibreTranslate's, DeepL's and OpenAI's. Here are their paths and
 * the form that their clients expect errors in; the work behind them, its limits and its price are as everywhere.
 */
import type { App } from "../context.ts";
import type { Problem, ProblemKind, ProblemRenderer } from "../errors.ts";

/** LibreTranslate answers `{ error }`, 400 for what it cannot translate and 403 for a key (libretranslate/app.py). */
const renderLibreTranslate: ProblemRenderer = (problem) => {
  const status = { 401: 403, 413: 400, 415: 400, 422: 400 }[problem.status as number] ?? problem.status;
  return answer(problem, status, { error: problem.message });
};

/** DeepL answers `{ message }`, 403 for a key and 456 for a used-up quota (https://developers.deepl.com/docs/best-practices/error-handling). */
const DEEPL_STATUS: Partial<Record<ProblemKind, number>> = {
  unauthorized: 403,
  payment_required: 456,
  insufficient_credit: 456,
  spending_limit: 456,
  unsupported_media_type: 400,
  unsupported_language: 400,
  idempotency_mismatch: 400,
};
const renderDeepl: ProblemRenderer = (problem) =>
  answer(problem, DEEPL_STATUS[problem.kind] ?? problem.status, { message: problem.message });

/** OpenAI answers `{ error }` (https://platform.openai.com/docs/guides/error-codes). */
const OPENAI_TYPES: Partial<Record<number, string>> = {
  401: "authentication_error",
  402: "insufficient_quota",
  403: "permission_error",
  429: "rate_limit_error",
};
const renderOpenai: ProblemRenderer = (problem) => {
  const type = OPENAI_TYPES[problem.status] ?? (problem.status < 500 ? "invalid_request_error" : "server_error");
  const error = { message: problem.message, type, param: parameterOf(problem), code: problem.kind };
  return answer(problem, problem.status, { error });
};

/** The first field that is wrong, if one is. */
function parameterOf({ extensions, message }: Problem): string | null {
  const [first] = (extensions.errors ?? []) as { pointer: string }[];
  return first?.pointer.split("/")[1] ?? /^([a-z_]+): /.exec(message)?.[1] ?? null;
}

function answer({ headers }: Problem, status: number, body: object): Response {
  return Response.json(body, { status, headers });
}

export const DIALECTS = {
  libretranslate: {
    paths: ["/translate", "/languages", "/detect", "/frontend/settings"],
    renderProblem: renderLibreTranslate,
  },
  deepl: { paths: ["/v2/*"], renderProblem: renderDeepl },
  openai: { paths: ["/v1/embeddings"], renderProblem: renderOpenai },
};

export function addDialects(app: App): void {
  for (const { paths, renderProblem } of Object.values(DIALECTS)) {
    for (const path of paths) {
      app.use(path, (c, next) => {
        c.set("renderProblem", renderProblem);
        return next();
      });
    }
  }
}

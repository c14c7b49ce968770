/**
 * Routes that speak as another service does, for its clients: LibreTranslate's and DeepL's. Here are their paths and
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

function answer({ headers }: Problem, status: number, body: object): Response {
  return Response.json(body, { status, headers });
}

export const DIALECTS = {
  libretranslate: {
    paths: ["/translate", "/languages", "/detect", "/frontend/settings"],
    renderProblem: renderLibreTranslate,
  },
  deepl: { paths: ["/v2/*"], renderProblem: renderDeepl },
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

/**
 * The Hono app: gives each request its scope, wires middleware and routes, renders every error as problem+json.
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Hono, MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import type { App, AppEnv } from "./context.ts";
import { Problem, rejectInvalid, renderProblem, StoredAnswer, toProblem } from "./errors.ts";
import { Metrics } from "./metrics.ts";
import { addDialects } from "./middleware/dialects.ts";
import { addLimits } from "./middleware/limits.ts";
import { addObservation } from "./middleware/observe.ts";
import { addPayment } from "./middleware/payment.ts";
import { addAccount } from "./routes/account.ts";
import { addAdminAccounts } from "./routes/admin-accounts.ts";
import { addAnswer } from "./routes/answer.ts";
import { addClassify } from "./routes/classify.ts";
import { addDeepl } from "./routes/deepl.ts";
import { addDocument } from "./routes/document.ts";
import { addEmbeddings } from "./routes/embeddings.ts";
import { addHealth } from "./routes/health.ts";
import { addHooks } from "./routes/hooks.ts";
import { addIntake } from "./routes/intake.ts";
import { addKnowledge } from "./routes/knowledge.ts";
import { addLibreTranslate } from "./routes/libretranslate.ts";
import { addMetrics } from "./routes/metrics.ts";
import { addModels } from "./routes/models.ts";
import { addPrices } from "./routes/prices.ts";
import { addRecommend } from "./routes/recommend.ts";
import { addStripe } from "./routes/stripe.ts";
import { addTranslate } from "./routes/translate.ts";
import { addTryHook } from "./routes/try-hook.ts";
import { readScope } from "./scope.ts";
import { ModelStore } from "./store.ts";

const EXPOSED_HEADERS = [
  "retry-after",
  "allow",
  "ratelimit",
  "ratelimit-policy",
  "payment-required",
  "payment-response",
  "charged-micro-usd",
  "credit-micro-usd",
  "idempotency-replayed",
  "x-request-id",
  "server-timing",
];

/** The schema of the routes that one of the functions below adds. */
type RoutesOf<Add extends (app: App) => unknown> = ReturnType<Add> extends Hono<infer _, infer Routes> ? Routes : never;

/** What customers use, as types: for hono's client, `hc<AppType>(url)` (examples/client.ts). */
export type AppType = Hono<
  AppEnv,
  RoutesOf<typeof addHealth> &
    RoutesOf<typeof addModels> &
    RoutesOf<typeof addTranslate> &
    RoutesOf<typeof addClassify> &
    RoutesOf<typeof addEmbeddings> &
    RoutesOf<typeof addAnswer> &
    RoutesOf<typeof addRecommend> &
    RoutesOf<typeof addPrices> &
    RoutesOf<typeof addAccount>
>;

/** @param store the models of the isolate; tests bring their own */
export function createApp(store = new ModelStore()): App {
  const app: App = new OpenAPIHono<AppEnv>({ defaultHook: rejectInvalid });
  app.onError((error, c) => {
    if (error instanceof StoredAnswer) return error.response;
    // Nobody reads it; 499 is what nginx logs for a client that left.
    if (c.req.raw.signal.aborted) return new Response(null, { status: 499 });
    return (c.var.renderProblem ?? renderProblem)(toProblem(error, c.var.requestId), c);
  });
  app.notFound((c) => {
    throw new Problem("not_found", `expected one of ${routesOf(app).join(", ")}; got ${c.req.method} ${c.req.path}`);
  });
  // Anyone's web page may call the API: it knows no cookies, so nobody's rights can be borrowed.
  app.use(allowPages());
  const metrics = new Metrics();
  addObservation(app, metrics);
  app.use(async (c, next) => {
    c.set("store", store);
    c.set(
      "scope",
      readScope(c.env, (work) => c.executionCtx.waitUntil(work)),
    );
    // A request whose client leaves is run to its end all the same, or it would never release what it holds.
    const work = next();
    c.executionCtx.waitUntil(work.catch(() => {}));
    await work;
  });
  addDialects(app);
  addLimits(app);
  addPayment(app);
  addHealth(app);
  addModels(app);
  addTranslate(app);
  addClassify(app);
  addEmbeddings(app);
  addAnswer(app);
  addKnowledge(app);
  addRecommend(app);
  addLibreTranslate(app);
  addDeepl(app);
  addHooks(app);
  addIntake(app);
  addTryHook(app);
  addPrices(app);
  addAccount(app);
  addAdminAccounts(app);
  addStripe(app);
  addMetrics(app, metrics);
  addDocument(app);
  refuseOtherMethods(app);
  return app;
}

/** CORS; an answer gets its headers when it is there, for hono builds an answer twice that had some before. */
function allowPages(): MiddlewareHandler {
  const preflight = cors({ origin: "*" });
  const exposed = EXPOSED_HEADERS.join(",");
  return async (c, next) => {
    if (c.req.method === "OPTIONS") return preflight(c, next);
    await next();
    c.res.headers.set("access-control-allow-origin", "*");
    c.res.headers.set("access-control-expose-headers", exposed);
  };
}

function routesOf(app: App): string[] {
  const routes = app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`);
  return [...new Set(routes)];
}

/** A known path with another method is 405, not 404. */
function refuseOtherMethods(app: App): void {
  const methods = new Map<string, Set<string>>();
  for (const { method, path } of app.routes) {
    if (method !== "ALL") methods.set(path, (methods.get(path) ?? new Set()).add(method));
  }
  for (const [path, allowed] of methods) {
    const allow = [...allowed].join(", ");
    app.all(path, (c) => {
      throw new Problem("method_not_allowed", `${path}: expected ${allow}, got ${c.req.method}`, {
        headers: { allow },
      });
    });
  }
}

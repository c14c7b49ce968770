/**
 * What an owner sees of a request: an id that goes in and out, how long its parts took, a line in the log, and counters.
 */
import { requestId } from "hono/request-id";
import { matchedRoutes } from "hono/route";
import type { App } from "../context.ts";
import { Problem } from "../errors.ts";
import { logInfo } from "../log.ts";
import type { Metrics } from "../metrics.ts";

/** A caller may make up others, and each would be counted apart. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

export function addObservation(app: App, metrics: Metrics): void {
  app.use(requestId());
  app.use(async (c, next) => {
    const startMs = performance.now();
    c.set("timings", {});
    await next();
    const ms = performance.now() - startMs;
    c.res.headers.set("x-request-id", c.var.requestId);
    c.res.headers.set("server-timing", serverTiming({ ...c.var.timings, total_ms: ms }));
    // The last one is the route's own, before it stand the middleware's.
    const route = matchedRoutes(c).at(-1)?.path ?? "*";
    const isKnown = !route.endsWith("*");
    const problem = c.error && (c.error instanceof Problem ? c.error.kind : "internal_error");
    const order = c.var.payment?.order;
    const seen = {
      method: METHODS.has(c.req.method) ? c.req.method : "other",
      route: isKnown ? route : "none",
      status: c.res.status,
      problem,
      model: order?.model,
      characters: order?.characters,
    };
    metrics.observe({ ...seen, seconds: ms / 1000 });
    if (c.var.scope?.settings.logRequests) {
      logInfo("request", { request_id: c.var.requestId, ...seen, ms: Math.round(10 * ms) / 10 });
    }
  });
}

/** https://www.w3.org/TR/server-timing/; parts are named as in the answer's `timing`, without their unit. */
function serverTiming(parts: Record<string, number>): string {
  return Object.entries(parts)
    .map(([name, ms]) => `${name.replace(/_ms$/, "")};dur=${Math.round(10 * ms) / 10}`)
    .join(", ");
}

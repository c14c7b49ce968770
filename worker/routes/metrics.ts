/** `GET /metrics`: this isolate's counters, for the operator, or with METRICS = "public" for anyone. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../context.ts";
import { problemResponse } from "../errors.ts";
import type { Metrics } from "../metrics.ts";
import { requireAdmin } from "../middleware/admin.ts";
import { needsAdmin, TAGS } from "../openapi.ts";

const metricsRoute = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "metrics",
  tags: [TAGS.operator.name],
  security: needsAdmin,
  summary: "Counters of the isolate that answers, for Prometheus",
  description: "At the edge there are many isolates, and this is of one of them; self-hosted there is one",
  responses: {
    200: { description: "The counters, text format 0.0.4", content: { "text/plain": { schema: z.string() } } },
    401: problemResponse("The operator's key is missing or wrong"),
    403: problemResponse("The operator's routes are closed"),
  },
});

export function addMetrics(app: App, metrics: Metrics): void {
  app.use("/metrics", (c, next) => (c.var.scope.settings.publicMetrics ? next() : requireAdmin(c, next)));
  app.openapi(metricsRoute, (c) =>
    c.text(metrics.render(c.var.store.loaded()), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }),
  );
}

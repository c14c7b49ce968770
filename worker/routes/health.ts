/**
 * `GET /health`: whether the Worker runs, and what this isolate has in memory. Reads no R2, so that it stays cheap
 * and says nothing of the store; `GET /v1/models` does.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../context.ts";
import { jsonAnswer, TAGS } from "../openapi.ts";

const healthSchema = z.object({
  status: z.literal("ok"),
  kernels: z.enum(["relaxed", "simd"]),
  loaded_models: z.array(z.object({ id: z.string(), version: z.string(), memory_bytes: z.int() })),
});

const healthRoute = createRoute({
  method: "get",
  path: "/health",
  operationId: "health",
  tags: [TAGS.service.name],
  summary: "Whether the Worker runs",
  responses: {
    200: jsonAnswer("It does", healthSchema, {
      status: "ok",
      kernels: "relaxed",
      loaded_models: [{ id: "multi30k-en-de", version: "0f3c5a7e9b1d", memory_bytes: 2_228_224 }],
    }),
  },
});

export function addHealth(app: App) {
  return app.openapi(healthRoute, (c) => {
    const { store, scope } = c.var;
    const loaded = store.loaded().map(({ id, version, memoryBytes }) => ({ id, version, memory_bytes: memoryBytes }));
    return c.json({ status: "ok" as const, kernels: scope.settings.kernelBuild, loaded_models: loaded }, 200);
  });
}

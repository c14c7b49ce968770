/**
 * `GET /health`: whether the Worker runs, and what this isolate has in memory. Reads no R2, so that it stays cheap
 * and says nothing of the store; `GET /v1/models` does.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../context.ts";

const healthRoute = createRoute({
  method: "get",
  path: "/health",
  summary: "Whether the Worker runs",
  responses: {
    200: {
      description: "It does",
      content: {
        "application/json": {
          schema: z.object({
            status: z.literal("ok"),
            kernels: z.enum(["relaxed", "simd"]),
            loaded_models: z.array(z.object({ id: z.string(), version: z.string(), memory_bytes: z.int() })),
          }),
        },
      },
    },
  },
});

export function addHealth(app: App): void {
  app.openapi(healthRoute, (c) => {
    const { store, scope } = c.var;
    const loaded = store.loaded().map(({ id, version, memoryBytes }) => ({ id, version, memory_bytes: memoryBytes }));
    return c.json({ status: "ok" as const, kernels: scope.settings.kernelBuild, loaded_models: loaded }, 200);
  });
}

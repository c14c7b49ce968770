import { createExecutionContext } from "cloudflare:test";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import type { AppEnv } from "../../worker/context.ts";
import { readSettings } from "../../worker/env.ts";
import { renderProblem, toProblem } from "../../worker/errors.ts";
import { requireAdmin } from "../../worker/middleware/admin.ts";
import { bucket, problemOf } from "./harness.ts";

function ask(authorization: string | undefined, adminKey: string | undefined): Promise<Response> {
  const app = new Hono<AppEnv>();
  app.onError((error, c) => renderProblem(toProblem(error), c));
  app.use(async (c, next) => {
    c.set("scope", { settings: readSettings({ MODELS: bucket, ADMIN_KEY: adminKey }) } as AppEnv["Variables"]["scope"]);
    await next();
  });
  app.get("/", requireAdmin, (c) => c.text("in"));
  const headers = authorization === undefined ? undefined : { authorization };
  return Promise.resolve(app.request("/", { headers }, {}, createExecutionContext()));
}

describe("requireAdmin", () => {
  it.each(["Bearer secret-key", "bearer secret-key"])("lets %j in", async (authorization) => {
    const response = await ask(authorization, "secret-key");
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("in");
  });

  it.each([undefined, "", "Bearer", "Bearer ", "Basic secret-key", "secret-key", "Bearer secret-ke", "Bearer x"])(
    "answers %j with 401 and says what it wants",
    async (authorization) => {
      const response = await ask(authorization, "secret-key");
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      expect((await problemOf(response)).type).toBe("urn:edge-slm:problem:unauthorized");
    },
  );

  it.each([undefined, "", " "])("lets nobody in while ADMIN_KEY is %j, and says how to set it", async (key) => {
    for (const authorization of [undefined, "Bearer ", "Bearer undefined"]) {
      const response = await ask(authorization, key);
      expect(response.status).toBe(403);
      const { type, detail } = await problemOf(response);
      expect(type).toBe("urn:edge-slm:problem:admin_disabled");
      expect(detail).toMatch(/wrangler secret put ADMIN_KEY.*\.dev\.vars/);
    }
  });
});

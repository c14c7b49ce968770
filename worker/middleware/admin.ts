/**
 * Guards the routes of the operator: `Authorization: Bearer <ADMIN_KEY>` (RFC 6750). Without a key nobody is let in.
 */
import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "../context.ts";
import { Problem } from "../errors.ts";

/** @throws Problem unauthorized, or admin_disabled if the Worker has no ADMIN_KEY */
export const requireAdmin: MiddlewareHandler<AppEnv> = async (c, next) => {
  const { adminKey } = c.var.scope.settings;
  if (adminKey === undefined) {
    throw new Problem(
      "admin_disabled",
      "the Worker has no ADMIN_KEY; set one with `wrangler secret put ADMIN_KEY`, or ADMIN_KEY=… in .dev.vars locally",
    );
  }
  const given = /^Bearer +(\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  if (given === undefined || !(await isSame(given, adminKey))) {
    throw new Problem("unauthorized", "expected the header authorization: Bearer <ADMIN_KEY>", {
      headers: { "www-authenticate": "Bearer" },
    });
  }
  await next();
};

/** Compares digests: they are of one length, and what time a comparison takes says nothing of the texts. */
async function isSame(a: string, b: string): Promise<boolean> {
  const digest = (text: string) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const [digestA, digestB] = await Promise.all([digest(a), digest(b)]);
  return crypto.subtle.timingSafeEqual(digestA, digestB);
}

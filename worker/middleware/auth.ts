/**
 * Who asks: the API key of `Authorization: Bearer` (RFC 6750), or as the clients of other services send one. Whether it
 * is good, its account's ledger knows.
 */
import type { Context, MiddlewareHandler } from "hono";
import { ledgerOf } from "../billing/directory.ts";
import { type KeyReference, readKey, type Scope } from "../billing/keys.ts";
import { keyHeaders, refusalProblem } from "../billing/prepaid.ts";
import type { AppEnv } from "../context.ts";
import { Problem } from "../errors.ts";

/**
 * @returns undefined if the request brings no authorization
 * @throws Problem unauthorized if it brings another than a key's
 */
export async function readApiKey(c: Context<AppEnv>): Promise<KeyReference | undefined> {
  const header = c.req.header("authorization");
  if (header === undefined && c.var.apiKey === undefined) return undefined;
  const text = c.var.apiKey ?? /^(?:Bearer|DeepL-Auth-Key) +(\S+) *$/i.exec(header!)?.[1];
  const key = text === undefined ? undefined : await readKey(text);
  if (key) return key;
  throw keyMissing();
}

export function keyMissing(): Problem {
  return new Problem("unauthorized", "expected the header authorization: Bearer esk_…, an API key of this service", {
    headers: { "www-authenticate": "Bearer" },
  });
}

/** Lets keys in that have the scope, and tells the route whose they are. */
export function requireScope(scope: Scope): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const key = await readApiKey(c);
    if (!key) throw keyMissing();
    const { rate, refusal } = await ledgerOf(c.env, key.account).authorize(key, scope);
    const headers = keyHeaders(rate);
    if (refusal) throw refusalProblem(refusal, headers);
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    c.set("account", key.account);
    await next();
  };
}

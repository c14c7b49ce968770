/**
 * The way in: checks a request against a hook, reads the event out of it, and has the hook's object write it down.
 *
 * The isolate keeps a copy of each hook that it sees, so that a forged request costs the object nothing. The copy may be
 * old; the object refuses an event that was checked against another version than its own, and the check begins anew.
 */
import type { Env } from "../env.ts";
import { Problem } from "../errors.ts";
import type { IncomingEvent } from "./event-store.ts";
import type { Hook } from "./hook.ts";
import { hookObjectOf } from "./hook-object.ts";
import { requireHooksKey, unseal } from "./secrets.ts";
import { type SignedRequest, verifySignature } from "./signatures.ts";
import { lookUp } from "./text.ts";

const MAX_COPIES = 500;
/** If no signature fits there may be a new secret, and the hook is read again; if there was none, not before this. */
const REREAD_MS = 1000;

interface Copy {
  hook: Hook;
  /** In the clear; of a hook without signatures digests. */
  secrets: { text: string; expiresMs: number | null }[];
}

export type Received = { status: "accepted" | "duplicate"; event: string } | { status: "pong" };

export class Intake {
  readonly #copies = new Map<string, Copy>();
  /** When a hook was read because of a signature, in vain. */
  readonly #rereadMs = new Map<string, number>();

  /** @throws Problem unknown_hook, invalid_signature, malformed_request, hooks_disabled */
  async receive(env: Env, hooksKey: string | undefined, id: string, request: SignedRequest): Promise<Received> {
    let copy = this.#copies.get(id) ?? (await this.#read(env, hooksKey, id));
    for (;;) {
      try {
        await check(copy, request);
      } catch (error) {
        if (Date.now() < (this.#rereadMs.get(id) ?? 0) + REREAD_MS) throw error;
        const { version } = copy.hook;
        copy = await this.#read(env, hooksKey, id);
        if (copy.hook.version === version) {
          if (this.#rereadMs.size >= MAX_COPIES) this.#rereadMs.clear();
          this.#rereadMs.set(id, Date.now());
          throw error;
        }
        await check(copy, request);
      }
      const document = readDocument(request);
      if (isPing(copy.hook, request.headers, document.value)) return { status: "pong" };
      const event = await readEvent(copy.hook, request, document);
      const accepted = await hookObjectOf(env, id).accept(copy.hook.version, event);
      if ("event" in accepted) return accepted;
      copy = await this.#read(env, hooksKey, id);
    }
  }

  async #read(env: Env, hooksKey: string | undefined, id: string): Promise<Copy> {
    const hook = (await hookObjectOf(env, id).read()) as Hook | undefined;
    if (!hook) {
      this.#copies.delete(id);
      throw new Problem("unknown_hook", `expected the id of a hook; got ${JSON.stringify(id)}`);
    }
    const key = requireHooksKey(hooksKey);
    const secrets = await Promise.all(
      hook.secrets.map(async ({ sealed, expiresMs }) => {
        return { text: hook.source.kind === "none" ? sealed : await unseal(sealed, id, key), expiresMs };
      }),
    );
    if (this.#copies.size >= MAX_COPIES) this.#copies.clear();
    const copy = { hook, secrets };
    this.#copies.set(id, copy);
    return copy;
  }
}

function check({ hook, secrets }: Copy, request: SignedRequest): Promise<void> {
  const nowMs = Date.now();
  const live = secrets.filter(({ expiresMs }) => expiresMs === null || expiresMs > nowMs).map(({ text }) => text);
  return verifySignature(hook.source, live, request, nowMs);
}

/** A body that was read: its text, and what it says. */
export interface EventDocument {
  payload: string;
  isJson: boolean;
  value: unknown;
}

/** @throws Problem malformed_request if it is not what its media type says */
export function readDocument({ headers, body }: Pick<SignedRequest, "headers" | "body">): EventDocument {
  const mediaType = (headers.get("content-type") ?? "application/json").split(";")[0]!.trim().toLowerCase();
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw new Problem("malformed_request", "expected a body in UTF-8");
  }
  if (mediaType.startsWith("text/")) return { payload: text, isJson: false, value: text };
  // GitHub sends forms unless it is told otherwise.
  const json = mediaType === "application/x-www-form-urlencoded" ? new URLSearchParams(text).get("payload") : text;
  if (json === null) throw new Problem("malformed_request", "expected the form's field payload");
  try {
    return { payload: json, isJson: true, value: JSON.parse(json) as unknown };
  } catch (error) {
    throw new Problem("malformed_request", `expected a body in JSON; ${(error as Error).message}`);
  }
}

/** GitHub's first request. The header is not signed, so the body has to look like one, too. */
function isPing({ source }: Hook, headers: Headers, value: unknown): boolean {
  return (
    source.kind === "github" && headers.get("x-github-event") === "ping" && typeof lookUp(value, "/zen") === "string"
  );
}

async function readEvent(
  { source, pass_headers }: Hook,
  { headers, body }: SignedRequest,
  { payload, isJson, value }: EventDocument,
): Promise<IncomingEvent> {
  const textAt = (pointer: string) => {
    const found = lookUp(value, pointer);
    return typeof found === "string" || typeof found === "number" ? String(found) : null;
  };
  const { senderId, type } = ((): Pick<IncomingEvent, "senderId" | "type"> => {
    switch (source.kind) {
      case "standard":
        return { senderId: headers.get("webhook-id"), type: textAt("/type") };
      case "stripe":
        return { senderId: textAt("/id"), type: textAt("/type") };
      case "github":
        return { senderId: headers.get("x-github-delivery"), type: headers.get("x-github-event") };
      default:
        return { senderId: source.id_pointer === undefined ? null : textAt(source.id_pointer), type: null };
    }
  })();
  // GitHub does not sign its id, which so proves nothing: the same body under a new one is still the same event.
  const isKnownById = source.kind !== "github" && senderId !== null;
  const dedupeKey = isKnownById ? `id:${senderId}` : `body:${await hash(body)}`;
  const passed = pass_headers.map((name) => [name, headers.get(name)] as const).filter(([, text]) => text !== null);
  return { dedupeKey, senderId, type, payload, isJson, headers: Object.fromEntries(passed) as Record<string, string> };
}

async function hash(body: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", body)).toHex();
}

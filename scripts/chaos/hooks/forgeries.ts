/**
 * Forged requests: what a sender has rightly signed, changed in one place, or sent too late. All have to be refused, and
 * none may be kept.
 */
import { signRequest } from "../../hooks/senders.ts";
import type { Row } from "../table.ts";
import { type Headers, post } from "./http.ts";
import { type ChaosHook, makeEvent, makeHook } from "./scenery.ts";
import type { HooksWorker } from "./worker.ts";

export interface ForgeryOptions {
  mutations: number;
}

interface Forgery {
  path: string;
  headers: Headers;
  body: Buffer;
}

/** Changes a request, or gives undefined where it cannot. */
type Mutation = (request: Forgery, hook: ChaosHook) => Forgery | undefined | Promise<Forgery | undefined>;

const SIGNATURE_HEADERS = ["webhook-signature", "x-hub-signature-256", "stripe-signature", "x-signature"];
const HOUR_MS = 3600 * 1000;
const SENDING_AT_ONCE = 20;

const any = (n: number) => Math.floor(Math.random() * n);

function withSignature(request: Forgery, change: (signature: string) => string): Forgery | undefined {
  const name = SIGNATURE_HEADERS.find((header) => request.headers[header] !== undefined);
  if (!name) return undefined;
  const value = change(request.headers[name]!);
  return value === request.headers[name] ? undefined : { ...request, headers: { ...request.headers, [name]: value } };
}

function withBody(request: Forgery, change: (body: Buffer) => Buffer): Forgery | undefined {
  const body = change(request.body);
  return body.equals(request.body) ? undefined : { ...request, body };
}

/** Without one of the headers that begin so. */
function without(request: Forgery, pattern: RegExp): Forgery | undefined {
  const name = Object.keys(request.headers).find((header) => pattern.test(header));
  if (!name) return undefined;
  const { [name]: _, ...headers } = request.headers;
  return { ...request, headers };
}

async function signedAt(request: Forgery, hook: ChaosHook, atMs: number): Promise<Forgery | undefined> {
  // GitHub signs no time.
  if (hook.kind === "github" || hook.kind === "none") return undefined;
  return { ...request, headers: await signRequest(hook.kind, hook.secret, request.body.toString(), { atMs }) };
}

async function signedOver(request: Forgery, hook: ChaosHook, body: string): Promise<Forgery | undefined> {
  if (hook.kind === "none") return undefined;
  return { ...request, headers: await signRequest(hook.kind, hook.secret, body), body: Buffer.from(body) };
}

export const MUTATIONS: Record<string, Mutation> = {
  "a byte of the body changed": (request, { kind }) =>
    kind === "none"
      ? undefined
      : withBody(request, (body) => {
          const changed = Buffer.from(body);
          changed[any(body.length)]! ^= 1 << any(8);
          return changed;
        }),
  "the body cut off": (request) => withBody(request, (body) => body.subarray(0, any(body.length))),
  "the body written anew": (request, { kind }) =>
    kind === "none"
      ? undefined
      : withBody(request, (body) => Buffer.from(JSON.stringify(JSON.parse(body.toString()), null, 1))),
  "a line break after the body": (request, { kind }) =>
    kind === "none" ? undefined : withBody(request, (body) => Buffer.concat([body, Buffer.from("\n")])),
  "the body in UTF-16": (request) => withBody(request, (body) => Buffer.from(`\uFEFF${body.toString()}`, "utf16le")),
  "a character of the signature changed": (request) =>
    withSignature(request, (text) => {
      const digits = [...text.matchAll(/[\da-f]/g)].map(({ index }) => index).slice(-32);
      const at = digits[any(digits.length)]!;
      return text.slice(0, at) + (text[at] === "0" ? "1" : "0") + text.slice(at + 1);
    }),
  "the signature cut off": (request) => withSignature(request, (text) => text.slice(0, -1 - any(30))),
  "the signature longer": (request) => withSignature(request, (text) => `${text}0`),
  "the signature empty": (request) => withSignature(request, () => ""),
  "the signature in upper case": (request) =>
    withSignature(request, (text) => text.replace(/[\da-f]{40,}/g, (hex) => hex.toUpperCase())),
  "the signature in another base": (request) =>
    withSignature(request, (text) =>
      text
        .replace(/[\da-f]{40,}/g, (hex) => Buffer.from(hex, "hex").toString("base64"))
        .replace(/^v1,(.*)$/, (_, base64: string) => `v1,${Buffer.from(base64, "base64").toString("hex")}`),
    ),
  "the signature without padding": (request) => withSignature(request, (text) => text.replace(/=+$/, "")),
  "the signature under another version": (request) =>
    withSignature(request, (text) =>
      text.replace(/^v1,|^sha256=|v1=|^v0=/, (name) => (name === "v1," ? "v2," : "v9=")),
    ),
  "no signature": (request) => without(request, /signature/),
  "no time": (request) => without(request, /^webhook-timestamp$|^x-timestamp$/),
  "no id": (request) => without(request, /^webhook-id$/),
  "another id": (request) =>
    request.headers["webhook-id"] === undefined
      ? undefined
      : { ...request, headers: { ...request.headers, "webhook-id": `msg_${any(1e9)}` } },
  "another time": (request) => {
    const name = ["webhook-timestamp", "x-timestamp"].find((header) => request.headers[header] !== undefined);
    if (!name)
      return withSignature(request, (text) => text.replace(/^t=(\d+)/, (_, t: string) => `t=${Number(t) + 1}`));
    return {
      ...request,
      headers: { ...request.headers, [name]: String(Number(request.headers[name]) + 1 + any(100)) },
    };
  },
  "replayed an hour later": (request, hook) => signedAt(request, hook, Date.now() - HOUR_MS),
  "signed for the future": (request, hook) => signedAt(request, hook, Date.now() + HOUR_MS),
  "signed with another secret": async (request, hook) =>
    hook.kind === "none"
      ? undefined
      : {
          ...request,
          headers: await signRequest(
            hook.kind,
            `whsec_${Buffer.from(`secret ${any(1e9)} secret`).toString("base64")}`,
            request.body.toString(),
          ),
        },
  "signed, but not JSON": (request, hook) => signedOver(request, hook, request.body.toString().slice(0, -1)),
  "another secret in the path": (request, { kind }) =>
    kind === "none"
      ? { ...request, path: request.path.replace(/.$/, (last) => (last === "x" ? "y" : "x")) }
      : undefined,
  "a secret in the path": (request, { kind }) =>
    kind === "none" ? undefined : { ...request, path: `${request.path}/${any(1e9)}` },
  "no secret in the path": (request, { kind }) =>
    kind === "none" ? { ...request, path: request.path.replace(/\/[^/]*$/, "") } : undefined,
};

/** @returns a forged request for the hook, and what was done to it */
export async function makeForgery(hook: ChaosHook): Promise<{ name: string; request: Forgery }> {
  const names = Object.keys(MUTATIONS);
  for (;;) {
    const { id, body } = makeEvent(hook.kind);
    const headers = await signRequest(hook.kind, hook.secret, body, { id });
    const name = names[any(names.length)]!;
    const request = await MUTATIONS[name]!({ path: hook.path, headers, body: Buffer.from(body) }, hook);
    if (request) return { name, request };
  }
}

export async function forge(
  worker: HooksWorker,
  { mutations }: ForgeryOptions,
  log: (line: string) => void,
): Promise<Row[]> {
  const hooks: ChaosHook[] = [];
  for (const kind of ["standard", "github", "stripe", "custom-hmac", "none"] as const) {
    hooks.push(await makeHook(worker, kind, new Map()));
  }
  const statuses = new Map<string, number>();
  let made = 0;
  let wrong = 0;
  const send = async () => {
    while (made < mutations) {
      const hook = hooks[made++ % hooks.length]!;
      const { name, request } = await makeForgery(hook);
      const { status, text } = await post(worker.url + request.path, request.headers, request.body);
      statuses.set(String(status), (statuses.get(String(status)) ?? 0) + 1);
      if (status === 400 || status === 401) continue;
      wrong++;
      log(`${hook.kind}, ${name}: answered ${status}: ${text}`);
    }
  };
  await Promise.all(Array.from({ length: SENDING_AT_ONCE }, send));
  const counts = await Promise.all(
    hooks.map(
      async ({ id }) => (await worker.admin<{ events: Record<string, number> }>("GET", `/v1/hooks/${id}`)).events,
    ),
  );
  const stored = counts.flatMap((count) => Object.values(count)).reduce((sum, count) => sum + count, 0);
  const shown = [...statuses].map(([status, count]) => `${count} × ${status}`).join(", ");
  return [
    {
      what: `${mutations} forged, replayed, stale, cut off and re-encoded requests`,
      bar: "all 401 or 400, none stored",
      measured: `${shown}; ${stored} stored`,
      isMet: wrong === 0 && stored === 0,
    },
  ];
}

/**
 * Signatures of webhooks: checks a sender's, by the sender's own rules, and makes ours.
 *
 * All of them are HMACs over the raw body. They are compared as text, in the one encoding that the sender uses, so a
 * signature in another guise (upper case, base64url, without padding) is none. Sources:
 * - https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 * - https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
 * - https://docs.stripe.com/webhooks#verify-manually
 */
import { Problem } from "../errors.ts";
import type { Source } from "./hook.ts";
import { digestOf } from "./secrets.ts";

const encoder = new TextEncoder();

/** Of Standard Webhooks and of Stripe. */
const TOLERANCE_SECONDS = 300;

/** What a request's headers claim. */
interface Claim {
  algorithm: "SHA-1" | "SHA-256" | "SHA-512";
  encoding: "hex" | "base64";
  /** Before and after the body. */
  signed: readonly [string, string];
  /** The signatures that the request offers; one has to be right. */
  signatures: string[];
}

export interface SignedRequest {
  headers: Headers;
  body: Uint8Array;
  /** The part of the path behind the hook's id, if there is one. */
  token: string | undefined;
}

/**
 * @param secrets the sender's, of which one has to fit; digests where the source is `none`
 * @throws Problem invalid_signature
 */
export async function verifySignature(
  source: Source,
  secrets: readonly string[],
  request: SignedRequest,
  nowMs: number,
): Promise<void> {
  if (secrets.length === 0) refuse("the hook has no secret yet; PATCH it with rotate_secret");
  if (source.kind === "none") {
    const digest = await digestOf(request.token ?? "");
    if (!secrets.some((secret) => isSame(secret, digest))) refuse("expected the secret as the path's last part");
    return;
  }
  if (request.token !== undefined) refuse("expected a signature, got a secret in the path");
  const claim = readClaim(source, request.headers, nowMs);
  for (const secret of secrets) {
    const expected = await sign(claim, keyOf(source.kind, secret), request.body);
    if (claim.signatures.some((signature) => isSame(signature, expected))) return;
  }
  refuse("no signature fits the body");
}

function refuse(detail: string): never {
  throw new Problem("invalid_signature", detail);
}

/** What time it takes depends on the lengths alone. */
function isSame(a: string, b: string): boolean {
  const [bytesA, bytesB] = [encoder.encode(a), encoder.encode(b)];
  return bytesA.length === bytesB.length && crypto.subtle.timingSafeEqual(bytesA, bytesB);
}

function readClaim(source: Exclude<Source, { kind: "none" }>, headers: Headers, nowMs: number): Claim {
  const read = (name: string) => headers.get(name) ?? refuse(`expected the header ${name}`);
  switch (source.kind) {
    case "standard": {
      const id = read("webhook-id");
      const timestamp = read("webhook-timestamp");
      const signatures = read("webhook-signature")
        .split(" ")
        .filter((signature) => signature.startsWith("v1,"))
        .map((signature) => signature.slice("v1,".length));
      checkAge(parseSeconds(timestamp, "webhook-timestamp"), TOLERANCE_SECONDS, nowMs);
      return { algorithm: "SHA-256", encoding: "base64", signed: [`${id}.${timestamp}.`, ""], signatures };
    }
    case "github": {
      const signatures = withPrefix(read("x-hub-signature-256"), "sha256=");
      return { algorithm: "SHA-256", encoding: "hex", signed: ["", ""], signatures };
    }
    case "stripe": {
      const parts = read("stripe-signature").split(",");
      const valuesOf = (name: string) => parts.flatMap((part) => withPrefix(part, `${name}=`));
      const [timestamp, ...more] = valuesOf("t");
      if (timestamp === undefined || more.length > 0) refuse("stripe-signature: expected t=<seconds>, once");
      checkAge(parseSeconds(timestamp, "stripe-signature"), TOLERANCE_SECONDS, nowMs);
      return { algorithm: "SHA-256", encoding: "hex", signed: [`${timestamp}.`, ""], signatures: valuesOf("v1") };
    }
    case "custom-hmac": {
      const { timestamp_header, signed_content, algorithm, encoding, prefix } = source;
      const timestamp = timestamp_header === undefined ? "" : read(timestamp_header);
      if (timestamp_header !== undefined) {
        checkAge(parseTime(timestamp, timestamp_header), source.tolerance_seconds, nowMs);
      }
      const [before = "", after = ""] = signed_content.split("{body}");
      const fill = (text: string) => text.replaceAll("{timestamp}", timestamp);
      return {
        algorithm: ({ sha1: "SHA-1", sha256: "SHA-256", sha512: "SHA-512" } as const)[algorithm],
        encoding,
        signed: [fill(before), fill(after)],
        signatures: withPrefix(read(source.header), prefix),
      };
    }
  }
}

/** What follows the prefix, or nothing if it is not there. */
function withPrefix(text: string, prefix: string): string[] {
  return text.startsWith(prefix) ? [text.slice(prefix.length)] : [];
}

/** @returns seconds since 1970 */
function parseSeconds(text: string, name: string): number {
  if (!/^\d{1,11}$/.test(text)) refuse(`${name}: expected seconds since 1970`);
  return Number(text);
}

/** The same of the forms that senders use: seconds, milliseconds, ISO 8601. */
function parseTime(text: string, name: string): number {
  if (/^\d{12,14}$/.test(text)) return Number(text) / 1000;
  if (!/^\d{4}-\d\d-\d\dT/.test(text)) return parseSeconds(text, name);
  const timeMs = Date.parse(text);
  return Number.isNaN(timeMs) ? refuse(`${name}: expected a time`) : timeMs / 1000;
}

function checkAge(seconds: number, toleranceSeconds: number, nowMs: number): void {
  const ageSeconds = nowMs / 1000 - seconds;
  if (Math.abs(ageSeconds) <= toleranceSeconds) return;
  const where = ageSeconds > 0 ? "old" : "in the future";
  refuse(`the timestamp is ${Math.round(Math.abs(ageSeconds))} s ${where}, expected at most ${toleranceSeconds}`);
}

/** Standard Webhooks writes keys in base64; the others take a secret's bytes as they are. */
function keyOf(kind: Source["kind"], secret: string): Uint8Array {
  return kind === "standard" ? standardKey(secret) : encoder.encode(secret);
}

/** @throws SyntaxError if it is not base64 */
export function standardKey(secret: string): Uint8Array {
  return Uint8Array.fromBase64(secret.replace(/^whsec_/, ""));
}

async function sign({ algorithm, encoding, signed }: Claim, key: Uint8Array, body: Uint8Array): Promise<string> {
  const hmac = { name: "HMAC", hash: algorithm };
  const imported = await crypto.subtle.importKey("raw", key, hmac, false, ["sign"]);
  const [before, after] = [encoder.encode(signed[0]), encoder.encode(signed[1])];
  const content = new Uint8Array(before.length + body.length + after.length);
  content.set(before);
  content.set(body, before.length);
  content.set(after, before.length + body.length);
  const mac = new Uint8Array(await crypto.subtle.sign(hmac, imported, content));
  return encoding === "hex" ? mac.toHex() : mac.toBase64();
}

/**
 * The headers of a delivery (Standard Webhooks).
 * @param secrets `whsec_…`; with several the receiver may know either
 */
export async function signDelivery(
  id: string,
  body: string,
  secrets: readonly string[],
  nowMs: number,
): Promise<Record<string, string>> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const claim: Claim = {
    algorithm: "SHA-256",
    encoding: "base64",
    signed: [`${id}.${timestamp}.`, ""],
    signatures: [],
  };
  const bytes = encoder.encode(body);
  const signatures = await Promise.all(secrets.map((secret) => sign(claim, standardKey(secret), bytes)));
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": signatures.map((signature) => `v1,${signature}`).join(" "),
  };
}

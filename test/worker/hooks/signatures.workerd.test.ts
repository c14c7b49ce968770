import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { type Source, sourceSchema } from "../../../worker/hooks/hook.ts";
import { digestOf } from "../../../worker/hooks/secrets.ts";
import { signDelivery, verifySignature } from "../../../worker/hooks/signatures.ts";
import { githubRequest, type Signed, standardRequest, stripeRequest } from "./harness.ts";

const nowMs = Date.parse("2026-11-24T12:00:00Z");
const encoder = new TextEncoder();

/** @returns undefined, or why it was refused */
async function verify(
  source: Source,
  secrets: string[],
  { headers, body }: { headers: Record<string, string>; body: string },
  atMs = nowMs,
  token?: string,
): Promise<string | undefined> {
  try {
    await verifySignature(source, secrets, { headers: new Headers(headers), body: encoder.encode(body), token }, atMs);
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ kind: "invalid_signature" });
    return (error as Error).message;
  }
}

const standard: Source = { kind: "standard" };
const github: Source = { kind: "github" };
const stripe: Source = { kind: "stripe" };

describe("the examples that senders publish", () => {
  it("Standard Webhooks: the vector of the reference libraries", async () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const headers = {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };
    const request = { headers, body: '{"test": 2432232314}' };
    const atMs = 1_614_265_330_000;
    expect(await verify(standard, [secret], request, atMs)).toBeUndefined();
    expect(await verify(standard, [secret.slice(6)], request, atMs)).toBeUndefined();
    expect(await signDelivery("msg_p5jXN8AQM9LWM0D4loKWxJek", request.body, [secret], atMs)).toEqual(headers);
    // The libraries' other cases: several signatures, of which one fits; times that are too old and too new.
    const wrong = "Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    const several = `v1,${wrong} v2,${wrong} ${headers["webhook-signature"]} v1,${wrong}`;
    expect(
      await verify(standard, [secret], { ...request, headers: { ...headers, "webhook-signature": several } }, atMs),
    ).toBeUndefined();
    expect(await verify(standard, [secret], request, atMs + 300_000)).toBeUndefined();
    expect(await verify(standard, [secret], request, atMs + 301_000)).toContain("301 s old");
    expect(await verify(standard, [secret], request, atMs - 301_000)).toContain("301 s in the future");
  });

  it("GitHub: the values of its documentation", async () => {
    const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    const request = { headers: { "x-hub-signature-256": signature }, body: "Hello, World!" };
    expect(await verify(github, ["It's a Secret to Everybody"], request)).toBeUndefined();
    expect(await verify(github, ["It's a Secret to Nobody"], request)).toContain("no signature fits");
  });

  it("Stripe: what its library signs, whose header its documentation describes", async () => {
    const body = JSON.stringify({ id: "evt_test_webhook", object: "event" }, null, 2);
    const seconds = nowMs / 1000;
    const request = await stripeRequest("whsec_test_secret", body, seconds);
    const header = request.headers["stripe-signature"]!;
    expect(header).toMatch(/^t=\d+,v1=[\da-f]{64}$/);
    const withHeader = (text: string): Signed => ({ body, headers: { "stripe-signature": text } });
    expect(await verify(stripe, ["whsec_test_secret"], request)).toBeUndefined();
    // While a secret is being changed there are several, and test events carry a v0 as well.
    const other = "6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39";
    for (const more of [`v1=${other},v0=${other}`, `v0=${other}`]) {
      expect(await verify(stripe, ["whsec_test_secret"], withHeader(`${header},${more}`))).toBeUndefined();
      expect(await verify(stripe, ["whsec_test_secret"], withHeader(header.replace(",", `,${more},`)))).toBeUndefined();
    }
    expect(await verify(stripe, ["whsec_test_secret"], withHeader(header.replace("v1=", "v0=")))).toContain(
      "no signature",
    );
    expect(await verify(stripe, ["whsec_test_secret"], withHeader(`t=${seconds},${header}`))).toContain(
      "t=<seconds>, once",
    );
    expect(await verify(stripe, ["whsec_test_secret"], request, nowMs + 301_000)).toContain("301 s old");
  });
});

describe("custom-hmac", () => {
  const parse = (source: object) => sourceSchema.parse({ kind: "custom-hmac", ...source });
  const hmac = async (hash: string, secret: string, text: string) => {
    const algorithm = { name: "HMAC", hash };
    const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign(algorithm, key, encoder.encode(text)));
  };
  const body = '{"ticket":1}';

  it("verifies as Shopify does: base64 over the body", async () => {
    const source = parse({ header: "X-Shopify-Hmac-Sha256", encoding: "base64" });
    const headers = { "x-shopify-hmac-sha256": (await hmac("SHA-256", "s3cret", body)).toBase64() };
    expect(await verify(source, ["s3cret"], { headers, body })).toBeUndefined();
    expect(await verify(source, ["s3cret"], { headers, body: `${body} ` })).toContain("no signature fits");
  });

  it("verifies as Zendesk does: base64 over an ISO time and the body", async () => {
    const source = parse({
      header: "x-zendesk-webhook-signature",
      encoding: "base64",
      signed_content: "{timestamp}{body}",
      timestamp_header: "x-zendesk-webhook-signature-timestamp",
    });
    const sign = async (time: string) => ({
      body,
      headers: {
        "x-zendesk-webhook-signature": (await hmac("SHA-256", "s3cret", time + body)).toBase64(),
        "x-zendesk-webhook-signature-timestamp": time,
      },
    });
    expect(await verify(source, ["s3cret"], await sign("2026-11-24T12:01:00Z"))).toBeUndefined();
    expect(await verify(source, ["s3cret"], await sign("2026-11-24T11:00:00Z"))).toContain("3600 s old");
    expect(await verify(source, ["s3cret"], await sign("yesterday"))).toContain("expected seconds");
  });

  it("verifies as Slack does, and with SHA-1 and SHA-512", async () => {
    const seconds = String(nowMs / 1000);
    const slack = {
      header: "x-signature",
      prefix: "v0=",
      signed_content: "v0:{timestamp}:{body}",
      timestamp_header: "x-time",
    };
    for (const [algorithm, hash] of [
      ["sha256", "SHA-256"],
      ["sha1", "SHA-1"],
      ["sha512", "SHA-512"],
    ] as const) {
      const mac = (await hmac(hash, "s3cret", `v0:${seconds}:${body}`)).toHex();
      const request = { headers: { "x-signature": `v0=${mac}`, "x-time": seconds }, body };
      expect(await verify(parse({ ...slack, algorithm }), ["s3cret"], request)).toBeUndefined();
      const bare = { ...request, headers: { ...request.headers, "x-signature": mac } };
      expect(await verify(parse({ ...slack, algorithm }), ["s3cret"], bare)).toContain("no signature fits");
    }
  });

  it("takes no time that is not signed", () => {
    expect(sourceSchema.safeParse({ kind: "custom-hmac", header: "a", timestamp_header: "b" }).success).toBe(false);
    expect(
      sourceSchema.safeParse({ kind: "custom-hmac", header: "a", signed_content: "{timestamp}{body}" }).success,
    ).toBe(false);
    expect(sourceSchema.safeParse({ kind: "custom-hmac", header: "a", signed_content: "{timestamp}" }).success).toBe(
      false,
    );
  });
});

describe("secrets", () => {
  it("may be two, while one replaces the other", async () => {
    const body = "{}";
    const request = await githubRequest("old", body);
    expect(await verify(github, ["new", "old"], request)).toBeUndefined();
    expect(await verify(github, ["new"], request)).toContain("no signature fits");
    expect(await verify(github, [], request)).toContain("no secret yet");
  });

  it("stands in the path where nothing is signed, and only there", async () => {
    const digests = [await digestOf("the-secret")];
    const request = { headers: {}, body: "{}" };
    expect(await verify({ kind: "none" }, digests, request, nowMs, "the-secret")).toBeUndefined();
    expect(await verify({ kind: "none" }, digests, request, nowMs, "another")).toContain("last part");
    expect(await verify({ kind: "none" }, digests, request)).toContain("last part");
    expect(await verify(github, ["s"], await githubRequest("s", "{}"), nowMs, "s")).toContain(
      "got a secret in the path",
    );
  });
});

describe("what we send", () => {
  it("is verified by the library of Standard Webhooks, with either of two secrets", async () => {
    const secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
    const body = '{"a":"ü"}';
    const headers = await signDelivery("evt_1", body, secrets, Date.now());
    for (const secret of secrets) expect(new Webhook(secret).verify(body, headers)).toEqual({ a: "ü" });
    expect(() => new Webhook("whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB").verify(body, headers)).toThrow();
  });

  it("and the other way round", async () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const request = standardRequest(secret, '{"a":"ü"}', "msg_1", new Date(nowMs));
    expect(await verify(standard, [secret], request)).toBeUndefined();
  });
});

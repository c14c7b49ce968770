import { beforeAll, describe, expect, it } from "vitest";
import golden from "../../fixtures/tiny-classifier/golden.json";
import { makeClient, problemOf, putClassifier } from "../harness.ts";
import { githubRequest, newPlace, type Signed, standardRequest, stripeRequest } from "./harness.ts";

const { text, labels } = golden.find((entry) => entry.labels[1] === "delivery")!;
const topic = labels[2]!;
const SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw==";
const payload = JSON.stringify({ type: "ticket.created", data: { text } });

beforeAll(async () => {
  await putClassifier("tiny");
});

interface Tried {
  signature: { valid: boolean; reason: string | null };
  text: string;
  classification: { label: string; probability: number } | null;
  rule: number | null;
  action: string;
  destination: string | null;
  body: string | null;
}

function tryHook(event: Signed, settings: object = {}, client = makeClient()): Promise<Response> {
  return client.request("/v1/try-hook", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      source: { kind: "standard" },
      secret: SECRET,
      text: ["/data/text"],
      task: "topic",
      rules: [],
      ...event,
      ...settings,
    }),
  });
}

async function tried(event: Signed, settings: object = {}): Promise<Tried> {
  const response = await tryHook(event, settings);
  expect(response.status).toBe(200);
  return (await response.json()) as Tried;
}

describe("POST /v1/try-hook", () => {
  it("shows signature, text, label and rule, and sends nothing", async () => {
    const place = newPlace();
    const rules = [{ label: topic, action: "deliver", destination: place.url }, { action: "drop" }];
    const found = await tried(standardRequest(SECRET, payload), { rules });
    expect(found).toMatchObject({ signature: { valid: true, reason: null }, text, rule: 0, action: "deliver" });
    expect(found.classification).toMatchObject({ label: topic, task: "topic" });
    expect(JSON.parse(found.body!)).toMatchObject({ data: { payload: JSON.parse(payload) } });
    expect(await place.deliveries()).toEqual([]);
    const empty = await tried(standardRequest(SECRET, "{}"), { rules });
    expect(empty).toMatchObject({ text: "", classification: null, rule: 1, action: "drop" });
  });

  it("checks signatures as the intake does", async () => {
    const github = await githubRequest("hunter22", payload);
    const source = { kind: "github" };
    expect(await tried(github, { source, secret: "hunter22" })).toMatchObject({ signature: { valid: true } });
    const wrong = await tried(github, { source, secret: "hunter23" });
    expect(wrong).toMatchObject({ signature: { valid: false, reason: "no signature fits the body" }, text });
    const stripe = await stripeRequest("whsec_of_stripe", payload);
    const options = { source: { kind: "stripe" }, secret: "whsec_of_stripe" };
    expect((await tried(stripe, options)).signature.valid).toBe(true);
    const changed = await tried({ ...stripe, body: `${payload} ` }, options);
    expect(changed.signature.valid).toBe(false);
    const old = standardRequest(SECRET, payload, "msg_old", new Date(Date.now() - 3600_000));
    expect((await tried(old)).signature.reason).toMatch(/^the timestamp is 360\d s old/);
  });

  it("says what is wrong with a request", async () => {
    const event = standardRequest(SECRET, payload);
    for (const [settings, detail] of [
      [{ secret: "whsec_no base64 at all!" }, "secret: expected whsec_ and base64"],
      [{ body: "not json" }, "expected a body in JSON"],
      [{ source: { kind: "none" } }, "expected a sender that signs"],
      [{ headers: { "bad header": "x" } }, "#/headers/bad header"],
      [{ headers: { ...event.headers, "x-a": "line\nbreak" } }, "expected the value of an HTTP header"],
    ] as const) {
      const response = await tryHook(event, settings);
      expect(response.status).toBe(400);
      expect((await problemOf(response)).detail).toContain(detail);
    }
    expect((await tryHook(event, { task: "astrology" })).status).toBe(422);
    const russian = standardRequest(SECRET, JSON.stringify({ data: { text: "Привет, мир" } }));
    expect((await tryHook(russian)).status).toBe(422);
  });

  it("costs what a classification does", async () => {
    const response = await tryHook(standardRequest(SECRET, payload), {}, makeClient({ BILLING: "on" }));
    expect(response.status).toBe(401);
  });
});

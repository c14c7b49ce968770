import { SELF } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import golden from "../../fixtures/tiny-classifier/golden.json";
import { problemOf, putClassifier } from "../harness.ts";
import {
  admin,
  type CreatedHook,
  createHook,
  eventWith,
  githubRequest,
  listEvents,
  post,
  readEvent,
  readJson,
  type Signed,
  standardRequest,
  stripeRequest,
} from "./harness.ts";

const { text } = golden.find((entry) => entry.labels[1] === "delivery")!;

beforeAll(async () => {
  await putClassifier("tiny");
});

const countOf = async ({ hook }: CreatedHook) => (await listEvents(hook.id)).events.length;

describe("POST /hooks/:id", () => {
  it("answers 202 for what is new, 200 for what it has", async () => {
    const created = await createHook();
    const request = standardRequest(created.secret, JSON.stringify({ type: "a", data: { text } }), "msg_1");
    const first = await post(created.hook.url, request);
    expect([first.status, await first.json()]).toEqual([
      202,
      { status: "accepted", event: expect.stringMatching(/^evt_/) },
    ]);
    const second = await post(created.hook.url, request);
    expect(second.status).toBe(200);
    expect(await second.json()).toMatchObject({ status: "duplicate" });
    // Sent again, with a new time and signature, as senders do.
    const later = standardRequest(created.secret, request.body, "msg_1", new Date(Date.now() + 2000));
    expect((await post(created.hook.url, later)).status).toBe(200);
    expect(await countOf(created)).toBe(1);
  });

  it("takes events that come at the same time once", async () => {
    const created = await createHook();
    const request = standardRequest(created.secret, JSON.stringify({ data: { text } }));
    const statuses = (await Promise.all(Array.from({ length: 8 }, () => post(created.hook.url, request)))).map(
      (r) => r.status,
    );
    expect(statuses.sort()).toEqual([200, 200, 200, 200, 200, 200, 200, 202]);
  });

  it("knows Stripe's events by their id, and retries of them", async () => {
    const created = await createHook({
      source: { kind: "stripe" },
      secret: "whsec_test",
      text: ["/data/object/description"],
    });
    const body = (id: string) => JSON.stringify({ id, type: "charge.failed", data: { object: { description: text } } });
    const seconds = Math.floor(Date.now() / 1000);
    const send = async (id: string, at: number) =>
      (await post(created.hook.url, await stripeRequest("whsec_test", body(id), at))).status;
    expect([await send("evt_1", seconds), await send("evt_1", seconds + 1), await send("evt_2", seconds)]).toEqual([
      202, 200, 202,
    ]);
    expect((await listEvents(created.hook.id)).events.map((event) => [event.sender_id, event.type])).toEqual([
      ["evt_2", "charge.failed"],
      ["evt_1", "charge.failed"],
    ]);
  });

  it("takes GitHub's forms, and answers its ping", async () => {
    const created = await createHook({
      source: { kind: "github" },
      text: ["/issue/title"],
      pass_headers: ["x-github-event"],
    });
    const ping = await githubRequest(
      created.secret,
      JSON.stringify({ zen: "Design for failure.", hook_id: 1 }),
      "ping",
    );
    const pong = await post(created.hook.url, ping);
    expect([pong.status, await pong.json()]).toEqual([200, { status: "pong" }]);
    expect(await countOf(created)).toBe(0);
    const form = new URLSearchParams({ payload: JSON.stringify({ issue: { title: text } }) }).toString();
    const request = await githubRequest(created.secret, form);
    const type = { "content-type": "application/x-www-form-urlencoded" };
    const response = await post(created.hook.url, { ...request, headers: { ...request.headers, ...type } });
    expect(response.status).toBe(202);
    const { event } = await readJson<{ event: string }>(response);
    const view = await eventWith(created.hook.id, event, "stored");
    expect(view).toMatchObject({ type: "issues", reason: "no_rule", classification: { task: "topic" } });
    expect((await readEvent(created.hook.id, event)).payload).toBe(JSON.stringify({ issue: { title: text } }));
    // Whoever makes a ping of somebody's event does not make it go away.
    const disguised = await githubRequest(created.secret, JSON.stringify({ issue: { title: "another" } }), "ping");
    expect((await post(created.hook.url, disguised)).status).toBe(202);
  });

  it("takes test events that have nothing to classify", async () => {
    const created = await createHook({ rules: [{ label: "topic 1", action: "drop" }] });
    const response = await post(
      created.hook.url,
      standardRequest(created.secret, '{"type":"webhook.test","data":{"success":true}}'),
    );
    expect(response.status).toBe(202);
    const { event } = await readJson<{ event: string }>(response);
    expect(await eventWith(created.hook.id, event, "stored")).toMatchObject({
      reason: "no_text",
      classification: null,
    });
  });

  it("has the secret in the path where nothing is signed", async () => {
    const created = await createHook({ source: { kind: "none", id_pointer: "/id" }, text: [""] });
    expect(created.hook.url).toMatch(/\/hooks\/hook_\w+\/[\w-]{43}$/);
    const send = async (url: string, body: string, type = "application/json") =>
      (await post(url, { headers: { "content-type": type }, body })).status;
    expect(await send(created.hook.url, '{"id":1}')).toBe(202);
    expect(await send(created.hook.url, '{"id":1,"again":true}')).toBe(200);
    expect(await send(created.hook.url, "plain words", "text/plain; charset=utf-8")).toBe(202);
    expect(await send(created.hook.url, "plain words", "text/plain")).toBe(200);
    expect(await send(created.hook.url.replace(/\/[^/]*$/, ""), '{"id":2}')).toBe(401);
    expect(await send(`${created.hook.url}x`, '{"id":2}')).toBe(401);
    expect(await countOf(created)).toBe(2);
  });

  it.each([
    ["no JSON", "{", "application/json"],
    ["nothing", "", "application/json"],
    ["no UTF-8", new Uint8Array([0x22, 0xff, 0x22]), "application/json"],
    ["a form without a payload", "a=b", "application/x-www-form-urlencoded"],
    ["a form with a wrong payload", "payload=b", "application/x-www-form-urlencoded"],
  ])("400 for %s", async (_, body, type) => {
    const created = await createHook({ source: { kind: "none" } });
    const response = await post(created.hook.url, { headers: { "content-type": type }, body });
    expect(response.status).toBe(400);
    expect((await problemOf(response)).type).toBe("urn:edge-slm:problem:malformed_request");
    expect(await countOf(created)).toBe(0);
  });

  it("404 for a hook that is not there, 405 for another method, 413 for too much", async () => {
    expect((await post("http://worker/hooks/hook_invented", { headers: {}, body: "{}" })).status).toBe(404);
    const created = await createHook();
    expect((await SELF.fetch(created.hook.url)).status).toBe(405);
    const large = standardRequest(created.secret, JSON.stringify({ data: { text: "x".repeat(1_000_000) } }));
    const response = await post(created.hook.url, large);
    expect(response.status).toBe(413);
    expect(await problemOf(response)).toMatchObject({ max_bytes: 1_000_000 });
  });

  it("takes a large event whole", async () => {
    const created = await createHook();
    const body = JSON.stringify({ data: { text: `${text} `.repeat(8000).slice(0, 990_000) } });
    const response = await post(created.hook.url, standardRequest(created.secret, body));
    expect(response.status).toBe(202);
    const { event } = await readJson<{ event: string }>(response);
    expect((await readEvent(created.hook.id, event)).payload).toBe(body);
  });
});

describe("a request that nobody signed like this", () => {
  const now = () => Math.floor(Date.now() / 1000);

  it.each<[string, (signed: Signed) => Signed]>([
    ["another body", ({ headers, body }) => ({ headers, body: `${body} ` })],
    ["another id", ({ headers, body }) => ({ headers: { ...headers, "webhook-id": "msg_2" }, body })],
    [
      "another time",
      ({ headers, body }) => ({ headers: { ...headers, "webhook-timestamp": String(now() + 1) }, body }),
    ],
    ["no signature", ({ headers: { "webhook-signature": _, ...headers }, body }) => ({ headers, body })],
    [
      "a signature in base64url",
      ({ headers, body }) => ({
        headers: {
          ...headers,
          "webhook-signature": headers["webhook-signature"]!.replaceAll("+", "-")
            .replaceAll("/", "_")
            .replaceAll("=", ""),
        },
        body,
      }),
    ],
    [
      "a signature in hex",
      ({ headers, body }) => ({
        headers: {
          ...headers,
          "webhook-signature": `v1,${Uint8Array.fromBase64(headers["webhook-signature"]!.slice(3)).toHex()}`,
        },
        body,
      }),
    ],
  ])("401 for %s, and nothing is kept", async (_, change) => {
    const created = await createHook();
    const request = standardRequest(created.secret, JSON.stringify({ data: { text } }), "msg_1");
    const response = await post(created.hook.url, change(request));
    expect(response.status).toBe(401);
    expect((await problemOf(response)).type).toBe("urn:edge-slm:problem:invalid_signature");
    expect(await countOf(created)).toBe(0);
  });
});

describe("GET /v1/hooks/:id/events", () => {
  it("filters, and goes on from a cursor", async () => {
    const created = await createHook({ rules: [] });
    for (let i = 0; i < 5; i++) {
      await post(created.hook.url, standardRequest(created.secret, `{"type":"${i % 2 ? "odd" : "even"}"}`, `msg_${i}`));
    }
    const ids = async (query: string) => {
      const { events, next_cursor } = await listEvents(created.hook.id, query);
      return { ids: events.map(({ sender_id }) => sender_id), next_cursor };
    };
    expect((await ids("")).ids).toEqual(["msg_4", "msg_3", "msg_2", "msg_1", "msg_0"]);
    expect((await ids("?type=odd")).ids).toEqual(["msg_3", "msg_1"]);
    expect((await ids("?status=dead")).ids).toEqual([]);
    const first = await ids("?limit=2&type=even");
    expect(first.ids).toEqual(["msg_4", "msg_2"]);
    expect(await ids(`?limit=2&type=even&cursor=${first.next_cursor}`)).toEqual({ ids: ["msg_0"], next_cursor: null });
    for (const query of ["?status=lost", "?limit=0", "?limit=101", "?cursor=x"]) {
      expect((await admin("GET", `/v1/hooks/${created.hook.id}/events${query}`)).status).toBe(400);
    }
    expect((await admin("GET", `/v1/hooks/${created.hook.id}/events/evt_none`)).status).toBe(404);
  });
});

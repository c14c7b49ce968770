import { runInDurableObject, SELF } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import golden from "../../fixtures/tiny-classifier/golden.json";
import { makeClient, problemOf, putClassifier } from "../harness.ts";
import {
  ADMIN_KEY,
  admin,
  type CreatedHook,
  createHook,
  githubRequest,
  type HookView,
  newPlace,
  objectOf,
  post,
  readJson,
  standardRequest,
  stripeRequest,
} from "./harness.ts";

const { text, labels } = golden.find((entry) => entry.labels[1] === "delivery")!;
const topic = labels[2]!;

beforeAll(async () => {
  await putClassifier("tiny");
});

const valid = { source: { kind: "standard" }, text: ["/data/text"], task: "topic", rules: [] };

describe("the operator's routes", () => {
  it.each([
    ["POST", "/v1/hooks"],
    ["GET", "/v1/hooks"],
    ["GET", "/v1/hooks/hook_x"],
    ["PATCH", "/v1/hooks/hook_x"],
    ["DELETE", "/v1/hooks/hook_x"],
    ["POST", "/v1/hooks/hook_x/dry-run"],
    ["GET", "/v1/hooks/hook_x/events"],
    ["GET", "/v1/hooks/hook_x/events/evt_x"],
    ["POST", "/v1/hooks/hook_x/events/evt_x/replay"],
  ])("%s %s asks for the admin key", async (method, path) => {
    const headers = { authorization: "Bearer wrong", "content-type": "application/json" };
    const init = method === "GET" || method === "DELETE" ? { method, headers } : { method, headers, body: "{}" };
    expect((await SELF.fetch(`http://worker${path}`, init)).status).toBe(401);
  });

  it.each(["GET", "DELETE"])("%s of an unknown hook is 404", async (method) => {
    const response = await admin(method, "/v1/hooks/hook_invented");
    expect(response.status).toBe(404);
    expect((await problemOf(response)).type).toBe("urn:edge-slm:problem:unknown_hook");
  });

  it("leaves nothing in the object of an invented hook", async () => {
    await admin("GET", "/v1/hooks/hook_invented");
    const tables = await runInDurableObject(objectOf("hook_invented"), (_, state) =>
      state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name IN ('events', 'attempts')").toArray(),
    );
    expect(tables).toEqual([]);
  });

  it("503 without a HOOKS_KEY, saying how to set it", async () => {
    const response = await makeClient({ ADMIN_KEY, HOOKS_KEY: "" }).request("/v1/hooks", {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
      body: JSON.stringify(valid),
    });
    expect(response.status).toBe(503);
    expect((await problemOf(response)).detail).toMatch(/wrangler secret put HOOKS_KEY.*\.dev\.vars/);
  });
});

describe("making a hook", () => {
  it("shows the secrets once, and keeps them encrypted", async () => {
    const place = newPlace();
    const { hook, secret, destinations } = await createHook({
      name: "Tickets",
      rules: [{ label: topic, min_probability: 0.1, action: "deliver", destination: place.url }],
      pass_headers: ["X-Trace"],
    });
    expect(secret).toMatch(/^whsec_[\w+/]{43}=$/);
    expect(destinations).toEqual([{ url: place.url, signing_secret: expect.stringMatching(/^whsec_[\w+/]{43}=$/) }]);
    const { hook: read, events } = await readJson<{ hook: HookView; events: object }>(
      admin("GET", `/v1/hooks/${hook.id}`),
    );
    expect(read).toEqual(hook);
    expect(events).toMatchObject({ received: 0, dead: 0 });
    expect(read).toMatchObject({
      name: "Tickets",
      pass_headers: ["x-trace"],
      retention_days: 30,
      secrets: [{ expires: null }],
    });
    const shown = JSON.stringify(read);
    const stored = await runInDurableObject(objectOf(hook.id), (_, state) =>
      JSON.stringify(state.storage.kv.get("hook")),
    );
    for (const hidden of [secret, secret.slice(6), destinations[0]!.signing_secret.slice(6)]) {
      expect(shown).not.toContain(hidden);
      expect(stored).not.toContain(hidden);
    }
  });

  it("takes a secret that the sender made, and gives each destination one of its own", async () => {
    const [a, b] = [newPlace(), newPlace()];
    const { secret, destinations } = await createHook({
      source: { kind: "github" },
      secret: "from-github",
      rules: [
        { label: topic, action: "deliver", destination: a.url },
        { action: "deliver", destination: b.url },
      ],
    });
    expect(secret).toBe("from-github");
    expect(new Set(destinations.map(({ signing_secret }) => signing_secret)).size).toBe(2);
  });

  it("lists hooks in pages", async () => {
    const made = [await createHook(), await createHook(), await createHook()].map(({ hook }) => hook.id);
    const found: string[] = [];
    let cursor: string | null = "0";
    while (cursor !== null) {
      const page: { hooks: HookView[]; next_cursor: string | null } = await readJson(
        admin("GET", `/v1/hooks?limit=2&cursor=${cursor}`),
      );
      found.push(...page.hooks.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(found.filter((id) => made.includes(id))).toEqual(made);
    expect(new Set(found).size).toBe(found.length);
  });

  it.each([
    ["no task", { task: undefined }, 400, "#/task"],
    ["a wrong pointer", { text: ["issue/title"] }, 400, "JSON Pointer"],
    ["a template without a pointer", { text: "title" }, 400, "#/text"],
    ["an unknown kind", { source: { kind: "gitlab" } }, 400, "#/source"],
    ["a misspelt member", { rule: [] }, 400, "rule"],
    ["a header that is ours", { pass_headers: ["Webhook-Id"] }, 400, "cannot be passed on"],
    ["a key that is no base64", { secret: "whsec_???????????" }, 422, "base64"],
    ["a key that is too short", { secret: "whsec_c2hvcnQ=" }, 422, "16 bytes"],
    ["an unknown task", { task: "weather" }, 422, "sentiment, intent, topic"],
    ["an unknown label", { rules: [{ label: "sunny", action: "drop" }] }, 422, "rules/0/label"],
    ["an unknown model", { model: "nothing" }, 404, "tiny"],
    [
      "a private destination",
      { rules: [{ action: "deliver", destination: "https://10.0.0.1/" }] },
      422,
      "rules/0/destination",
    ],
    ["a secret for a path that is too short", { source: { kind: "none" }, secret: "12345678" }, 422, "at least 20"],
  ])("refuses %s", async (_, change, status, detail) => {
    const response = await admin("POST", "/v1/hooks", { ...valid, ...change });
    expect(response.status).toBe(status);
    expect((await problemOf(response)).detail).toContain(detail);
  });
});

describe("changing a hook", () => {
  const body = JSON.stringify({ data: { text } });
  const status = async (created: CreatedHook, secret: string) =>
    (await post(created.hook.url, standardRequest(secret, body))).status;

  it("rotates the sender's secret: two at a time, then one", async () => {
    const created = await createHook();
    expect(await status(created, created.secret)).toBe(202);
    const patch = (rotate_secret: object) => admin("PATCH", `/v1/hooks/${created.hook.id}`, { rotate_secret });
    const { secret: second, hook } = await readJson<CreatedHook>(patch({}));
    expect(hook.secrets).toEqual([{ expires: null }, { expires: expect.any(String) }]);
    expect(await status(created, second)).toBe(202);
    expect(await status(created, created.secret)).toBe(202);
    const { secret: third } = await readJson<CreatedHook>(patch({ keep_seconds: 0 }));
    expect(await status(created, third)).toBe(202);
    // The isolate has just seen that its copy was old.
    for (const old of [second, created.secret]) expect(await status(created, old)).toBe(401);
  });

  it("does not take what was signed with a secret that was withdrawn a moment ago", async () => {
    const created = await createHook();
    expect(await status(created, created.secret)).toBe(202);
    await admin("PATCH", `/v1/hooks/${created.hook.id}`, { rotate_secret: { keep_seconds: 0 } });
    expect(await status(created, created.secret)).toBe(401);
  });

  it("lets Stripe's secret come after the hook", async () => {
    const created = await createHook({ source: { kind: "stripe" }, text: ["/data/object/description"] });
    expect(created.secret).toBeUndefined();
    const request = await stripeRequest("whsec_from_stripe", JSON.stringify({ id: "evt_1", data: { object: {} } }));
    expect((await post(created.hook.url, request)).status).toBe(401);
    const path = `/v1/hooks/${created.hook.id}`;
    expect((await admin("PATCH", path, { rotate_secret: {} })).status).toBe(422);
    expect((await admin("PATCH", path, { rotate_secret: { secret: "whsec_from_stripe" } })).status).toBe(200);
    // The refusals have made the isolate look twice; it looks once a second.
    await scheduler.wait(1100);
    expect((await post(created.hook.url, request)).status).toBe(202);
  });

  it("rotates the destinations' secrets, and shows those of new destinations", async () => {
    const place = newPlace();
    const created = await createHook();
    expect(created.destinations).toEqual([]);
    const path = `/v1/hooks/${created.hook.id}`;
    const rules = [{ action: "deliver", destination: place.url }];
    const first = await readJson<CreatedHook>(admin("PATCH", path, { rules }));
    expect(first.hook.rules).toEqual([{ ...rules[0], min_probability: 0 }]);
    const second = await readJson<CreatedHook>(admin("PATCH", path, { rotate_signing_secret: {} }));
    expect(second.destinations[0]!.signing_secret).not.toBe(first.destinations[0]!.signing_secret);
    expect((await readJson<CreatedHook>(admin("PATCH", path, { name: "new" }))).destinations).toEqual([]);
  });

  it("refuses what a new hook could not have", async () => {
    const created = await createHook();
    const path = `/v1/hooks/${created.hook.id}`;
    expect((await admin("PATCH", path, { task: "weather" })).status).toBe(422);
    expect((await admin("PATCH", path, { source: { kind: "github" } })).status).toBe(400);
    expect((await readJson<{ hook: HookView }>(admin("GET", path))).hook).toEqual(created.hook);
  });

  it("loses no change to another at the same time", async () => {
    const created = await createHook();
    const path = `/v1/hooks/${created.hook.id}`;
    const responses = await Promise.all(["a", "b", "c"].map((name) => admin("PATCH", path, { name })));
    const won = responses.filter((response) => response.status === 200).length;
    expect(won).toBeGreaterThanOrEqual(1);
    expect(responses.filter((response) => response.status === 409).length).toBe(3 - won);
  });

  it("deletes it with all it has", async () => {
    const created = await createHook();
    expect(await status(created, created.secret)).toBe(202);
    expect((await admin("DELETE", `/v1/hooks/${created.hook.id}`)).status).toBe(204);
    expect((await admin("GET", `/v1/hooks/${created.hook.id}`)).status).toBe(404);
    expect(await status(created, created.secret)).toBe(404);
  });
});

describe("dry-run", () => {
  it("shows what a payload would do, and does nothing", async () => {
    const place = newPlace();
    const { hook } = await createHook({
      source: { kind: "github" },
      text: "{/issue/title}",
      rules: [{ label: topic, action: "deliver", destination: place.url }, { action: "drop" }],
    });
    const run = (payload: unknown) =>
      readJson<Record<string, unknown>>(admin("POST", `/v1/hooks/${hook.id}/dry-run`, { payload }));
    const found = await run({ issue: { title: text } });
    expect(found).toMatchObject({ text, rule: 0, action: "deliver", destination: place.url, refusal: null });
    expect(found.classification).toMatchObject({ label: topic, task: "topic" });
    expect(JSON.parse(found.body as string)).toMatchObject({
      data: { hook: hook.id, payload: { issue: { title: text } } },
    });
    expect(await run({ action: "starred" })).toMatchObject({ text: "", classification: null, rule: 1, action: "drop" });
    expect(await place.deliveries()).toEqual([]);
    const { events } = await readJson<{ events: Record<string, number> }>(admin("GET", `/v1/hooks/${hook.id}`));
    expect(Object.values(events).every((count) => count === 0)).toBe(true);
    const response = await admin("POST", `/v1/hooks/${hook.id}/dry-run`, {
      payload: { issue: { title: "Привет, мир" } },
    });
    expect(response.status).toBe(422);
  });
});

it("keeps GitHub's events apart by what is signed, not by an id that is not", async () => {
  const created = await createHook({ source: { kind: "github" }, text: ["/issue/title"] });
  const request = await githubRequest(created.secret, JSON.stringify({ issue: { title: text } }));
  expect((await post(created.hook.url, request)).status).toBe(202);
  const replayed = { ...request, headers: { ...request.headers, "x-github-delivery": crypto.randomUUID() } };
  const response = await post(created.hook.url, replayed);
  expect([response.status, await response.json()]).toEqual([200, { status: "duplicate", event: expect.any(String) }]);
});

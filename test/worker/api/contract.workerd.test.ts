/**
 * The document against the server: every operation's example is sent and its answer held against its schema, every
 * documented error is provoked. An operation or an error that nobody provokes here fails.
 */

import { env } from "cloudflare:workers";
import { type Schema, Validator } from "@cfworker/json-schema";
import { beforeAll, describe, expect, inject, it } from "vitest";
import type { Env } from "../../../worker/env.ts";
import { knowledgeObjectOf } from "../../../worker/knowledge/knowledge-object.ts";
import { ADMIN_KEY, type Customer, openShop } from "../billing/shop.ts";
import { bucket, makeClient, putClassifier, putEmbedder, putModel, putReader, putRecommender } from "../harness.ts";

interface Media {
  schema: Schema;
  example?: unknown;
}
interface Operation {
  operationId: string;
  tags: string[];
  security?: Record<string, unknown>[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { content?: Record<string, Media> }>;
}
interface OpenApi {
  openapi: string;
  components: Record<string, unknown>;
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
}

const document = (await (await makeClient().request("/openapi.json")).json()) as OpenApi;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
);
type Described = (typeof operations)[number];

const bindings = env as unknown as Env;
const STRIPE_SECRET = "whsec_contract";
const shop = openShop({ STRIPE_WEBHOOK_SECRET: STRIPE_SECRET });
const open = makeClient({ ADMIN_KEY });
const brokenBucket = new Proxy(bucket, {
  get: () => () => {
    throw new Error("R2 is down, for a test");
  },
});
const withoutModels = makeClient({ ADMIN_KEY, MODELS: brokenBucket });

beforeAll(async () => {
  await putModel("multi30k-en-de");
  await putClassifier("multitask-en");
  await putEmbedder("embed-en");
  await putReader("reader-en");
  await putRecommender("beauty-recommend");
});

/** What differs from an operation's example. */
interface Change {
  at?: { request: (path: string, init?: RequestInit) => Promise<Response> };
  /** Path parameters by name; those that are not named are what `prepare` made. */
  params?: Record<string, string>;
  query?: string;
  headers?: Record<string, string>;
  /** A string goes out as it is. */
  body?: unknown;
}

interface Prepared extends Required<Pick<Change, "at" | "params" | "headers">> {
  body: unknown;
}

function exampleOf({ requestBody }: Described): unknown {
  return requestBody?.content["application/json"]?.example;
}

const admin = { authorization: `Bearer ${ADMIN_KEY}` };
const bearer = ({ key }: Customer) => ({ authorization: `Bearer ${key}` });

/** What the calls share that change nothing, by what their path needs. */
const shared = new Map<string, Promise<Prepared>>();

function prepareShared(operation: Described): Promise<Prepared> {
  const { path, operationId } = operation;
  const isKnowledge = path.startsWith("/v1/knowledge");
  const name = (isKnowledge ? undefined : /\{(account|id)\}/.exec(path)?.[1]) ?? operationId;
  if (!shared.has(name)) shared.set(name, prepare(operation));
  return shared.get(name)!.then((prepared) => ({ ...prepared, body: exampleOf(operation) ?? prepared.body }));
}

/** A place for calls: an account with a key, a hook with an event, as their path needs. */
async function prepare(operation: Described): Promise<Prepared> {
  const { path, security = [], operationId } = operation;
  const body = exampleOf(operation);
  const scheme = Object.keys(security[0] ?? {})[0];
  if (operationId === "receiveStripeEvent") return { at: shop.client, params: {}, ...(await stripeEvent()) };
  if (scheme === "adminKey") return { at: shop.client, params: await paramsOf(path), headers: admin, body };
  if (security.length === 1) {
    return { at: shop.client, params: {}, headers: bearer(await shop.addCustomer(1_000_000)), body };
  }
  return { at: open, params: {}, headers: {}, body };
}

async function paramsOf(path: string): Promise<Record<string, string>> {
  if (path.includes("{account}")) {
    const { account, keyId } = await shop.addCustomer(1_000_000);
    return { account, key: keyId };
  }
  if (!path.includes("{id}")) return {};
  if (path.startsWith("/v1/knowledge")) return { id: await makeBase(), entry: "hours" };
  // A hook whose secret is in its path, so that an event needs no signature.
  const settings = { source: { kind: "none" }, text: ["/data/title"], task: "sentiment", rules: [] };
  const created = await shop.client.request("/v1/hooks", {
    method: "POST",
    headers: { ...admin, "content-type": "application/json" },
    body: JSON.stringify(settings),
  });
  const { hook } = (await created.json()) as { hook: { id: string; url: string } };
  const body = JSON.stringify({ data: { title: "It broke." } });
  const received = await shop.client.request(new URL(hook.url).pathname, { method: "POST", body });
  const { event } = (await received.json()) as { event: string };
  return { id: hook.id, event };
}

/** A knowledge base with an entry. */
async function makeBase(): Promise<string> {
  const id = `base-${crypto.randomUUID().slice(0, 8)}`;
  const send = (path: string, body: object) =>
    shop.client.request(`/v1/knowledge/${path}`, {
      method: "PUT",
      headers: { ...admin, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  await send(id, {});
  await send(`${id}/entries`, {
    entries: [{ id: "hours", question: "When are you open?", answer: "From nine to six." }],
  });
  return id;
}

async function stripeEvent(account?: string): Promise<{ headers: Record<string, string>; body: string }> {
  const session = {
    id: `cs_${crypto.randomUUID()}`,
    object: "checkout.session",
    client_reference_id: account ?? (await shop.addCustomer(0)).account,
    payment_status: "paid",
    amount_total: 1000,
    currency: "usd",
    payment_intent: "pi_1",
  };
  const body = JSON.stringify({
    id: "evt_1",
    object: "event",
    type: "checkout.session.completed",
    data: { object: session },
  });
  const sign = JSON.stringify({ payload: body, secret: STRIPE_SECRET });
  const signed = await fetch(`${inject("receiverUrl")}/stripe`, { method: "POST", body: sign });
  return { headers: { "stripe-signature": await signed.text() }, body };
}

async function call(operation: Described, change: Change = {}, prepared?: Prepared): Promise<Response> {
  const ready = prepared ?? (await prepareShared(operation));
  const params = { ...ready.params, ...change.params };
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name]!) + (change.query ?? "");
  const body = "body" in change ? change.body : ready.body;
  return (change.at ?? ready.at).request(path, {
    method: operation.method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...ready.headers,
      ...change.headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

function expectValid(schema: Schema, value: unknown): void {
  const { errors } = new Validator({ ...schema, components: document.components }, "2020-12", false).validate(value);
  expect(errors.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`)).toEqual([]);
}

/** The answer must be one that the operation documents. */
async function expectDocumented(operation: Described, response: Response, status: number): Promise<void> {
  const text = await response.text();
  expect(response.status, text).toBe(status);
  const documented = operation.responses[status];
  expect(documented, `${status} is documented`).toBeDefined();
  if (!documented!.content) return expect(text).toBe("");
  const type = response.headers.get("content-type")!.split(";")[0]!;
  const media = documented!.content[type];
  expect(media, `${status} ${type} is documented`).toBeDefined();
  expectValid(media!.schema, type.endsWith("json") ? JSON.parse(text) : text);
}

const isPaid = ({ operationId }: Described) =>
  [
    "translate",
    "classify",
    "embed",
    "answer",
    "recommend",
    "tryHook",
    "libretranslateTranslate",
    "deeplTranslate",
  ].includes(operationId);
const without = (name: string) => makeClient({ BILLING: "on", ADMIN_KEY, [name]: "" });

/** A call by a customer that has a key of its own. LibreTranslate's clients have it in the body. */
async function asCustomer(operation: Described, credit: number, options: object = {}, headers = {}): Promise<Change> {
  const customer = await shop.addCustomer(credit, options);
  const isInBody = operation.operationId === "libretranslateTranslate";
  return {
    at: shop.client,
    headers: isInBody ? headers : { ...bearer(customer), ...headers },
    ...(isInBody ? { body: { ...(exampleOf(operation) as object), api_key: customer.key } } : {}),
  };
}

/** The same several times at once. @returns the answer with this status, or any if there is none */
async function atOnce(operation: Described, change: Change, status: number): Promise<Response> {
  const responses = await Promise.all(Array.from({ length: 4 }, () => call(operation, change)));
  return responses.find((response) => response.status === status) ?? responses[0]!;
}

/** What is no longer the same request, of routes that can work with any: under a key that was used it is refused. */
const ANOTHER: Record<string, object> = { recommend: { top_k: 1 } };

async function reuseKey(operation: Described, another: object): Promise<Response> {
  const change = await asCustomer(operation, 1_000_000, {}, { "idempotency-key": crypto.randomUUID() });
  await call(operation, change);
  return call(operation, { ...change, body: { ...(exampleOf(operation) as object), ...another } });
}

/** What a body is like that a route cannot work with. */
const UNPROCESSABLE: Record<string, object> = {
  translate: { source: "fr" },
  classify: { task: "weather" },
  embed: { input: "Привет, мир" },
  answer: { context: "Привет, мир" },
  tryHook: { task: "weather" },
  createHook: { rules: [{ label: "unknown", action: "store" }] },
  updateHook: { rules: [{ label: "unknown", action: "store" }] },
  putKnowledgeBase: { handoff_webhook: "https://10.0.0.1/" },
  dryRunHook: { payload: { data: { title: "Привет, мир" } } },
};

const BAD_QUERIES: Record<string, string> = {
  getUsage: "?from=yesterday",
  getAccountUsage: "?from=yesterday",
  deeplLanguages: "?type=both",
};

/** How each status is brought about; `undefined` where nobody knows how. */
const provocations: Record<number, (operation: Described) => Promise<Response> | undefined> = {
  400: async (operation) => {
    if (operation.operationId === "receiveStripeEvent") {
      const body = "no JSON";
      const sign = JSON.stringify({ payload: body, secret: STRIPE_SECRET });
      const signed = await fetch(`${inject("receiverUrl")}/stripe`, { method: "POST", body: sign });
      return call(operation, { body, headers: { "stripe-signature": await signed.text() } });
    }
    if (operation.path.startsWith("/v1/knowledge/{id}") && !operation.requestBody) {
      return call(operation, { params: { id: "NO-ID" } });
    }
    return call(
      operation,
      operation.requestBody ? { body: "{" } : { query: BAD_QUERIES[operation.operationId] ?? "?limit=x" },
    );
  },
  401: (operation) =>
    call(operation, { at: shop.client, headers: { authorization: "", "stripe-signature": "t=1,v1=0" } }),
  402: async (operation) => call(operation, await asCustomer(operation, 1)),
  403: async (operation) => {
    if (operation.security?.[0]?.adminKey) return call(operation, { at: without("ADMIN_KEY") });
    // Of these, 403 is what a wrong key is answered.
    if (/^(deepl|libretranslate)/.test(operation.operationId)) return call(operation, { at: shop.client });
    const scopes = operation.operationId === "translate" ? ["classify"] : ["translate"];
    return call(operation, await asCustomer(operation, 1_000, { scopes }));
  },
  404: async (operation) => {
    const { operationId, path } = operation;
    const example = exampleOf(operation) as object;
    if (operationId === "receiveStripeEvent") return call(operation, await stripeEvent("nobody"));
    if (operationId === "deeplTranslate") return call(operation, { body: { ...example, glossary_id: "g" } });
    if (path.includes("{")) return call(operation, { params: { account: "nobody", id: "hook_0" } });
    return call(operation, { body: { ...example, model: "nothing" } });
  },
  409: async (operation) => {
    if (operation.operationId === "importKnowledge") {
      const id = await makeBase();
      await knowledgeObjectOf(bindings, id).delete("hours");
      const passages = [{ head: "a", body: "b", vector: new Int8Array(32), scale: 1 }];
      const entry = { id: "x", kind: "pair" as const, heads: ["a"], body: "b", source: null, passages };
      await knowledgeObjectOf(bindings, id).put([entry], { id: "older", weights: "other", dimensions: 32 });
      return call(operation, { params: { id } });
    }
    if (operation.operationId === "createAccount") {
      const { account } = await shop.addCustomer(0);
      return call(operation, { body: { account } });
    }
    const change = isPaid(operation)
      ? await asCustomer(operation, 1_000_000, {}, { "idempotency-key": crypto.randomUUID() })
      : {};
    return atOnce(operation, change, 409);
  },
  413: (operation) => call(operation, { body: "x".repeat(1_000_000) }),
  415: (operation) => call(operation, { headers: { "content-type": "text/plain" } }),
  422: (operation) => {
    const another = ANOTHER[operation.operationId];
    if (another) return reuseKey(operation, another);
    const change = UNPROCESSABLE[operation.operationId];
    return change && call(operation, { body: { ...(exampleOf(operation) as object), ...change } });
  },
  429: async (operation) => {
    const change = await asCustomer(operation, 1_000_000, { requests_per_minute: 1 });
    await call(operation, change);
    return call(operation, change);
  },
  456: async (operation) => call(operation, await asCustomer(operation, 1)),
  503: async (operation) => {
    const { operationId } = operation;
    if (operationId === "receiveStripeEvent") return call(operation, { at: without("STRIPE_WEBHOOK_SECRET") });
    if (operationId === "putKnowledgeBase") {
      return call(operation, { at: without("HOOKS_KEY"), body: { handoff_webhook: "https://example.com/" } });
    }
    if (operationId === "createHook" || operationId === "updateHook")
      return call(operation, { at: without("HOOKS_KEY") });
    if (!operationId.endsWith("Usage")) return call(operation, { at: withoutModels });
    const customer = await shop.addCustomer(1_000);
    return call(operation, { at: makeClient({ BILLING: "on", MODELS: brokenBucket }), headers: bearer(customer) });
  },
};

describe("the document", () => {
  it("is OpenAPI 3.1, and its operations have names of their own in sections that it has", () => {
    expect(document.openapi).toBe("3.1.0");
    const names = operations.map(({ operationId }) => operationId);
    expect(names).not.toContain(undefined);
    expect(new Set(names).size).toBe(names.length);
    const sections = document.tags.map(({ name }) => name);
    for (const { tags } of operations) expect(sections).toContain(tags[0]);
  });

  it("has every route of the API but the senders' intake", () => {
    const app = Object.keys(document.paths);
    for (const path of ["/health", "/v1/translate", "/v1/classify", "/v1/stripe", "/translate", "/v2/translate"]) {
      expect(app).toContain(path);
    }
  });
});

describe.each(operations.map((operation) => [`${operation.method} ${operation.path}`, operation] as const))(
  "%s",
  (_, operation) => {
    const statuses = Object.keys(operation.responses).map(Number);
    const [success] = statuses.filter((status) => status < 400);

    it("has examples that are as it says", () => {
      const body = operation.requestBody?.content["application/json"];
      if (body) {
        expect(body.example).toBeDefined();
        expectValid(body.schema, body.example);
      }
      const answer = operation.responses[success!]!.content?.["application/json"];
      if (!answer) return expect(success === 204 || operation.operationId === "metrics").toBe(true);
      expect(answer.example).toBeDefined();
      expectValid(answer.schema, answer.example);
    });

    it("answers its example", async () => {
      await expectDocumented(operation, await call(operation, {}, await prepare(operation)), success!);
    });

    it.each(statuses.filter((status) => status >= 400))("answers %i", async (status) => {
      const response = await provocations[status]?.(operation);
      expect(response, `nobody knows how to provoke ${status}`).toBeDefined();
      await expectDocumented(operation, response!, status);
    });
  },
);

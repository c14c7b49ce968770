/** What the tests of the hooks share: an operator, senders that sign with their own libraries, and a receiver. */
import { SELF } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { sign as signGithub } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import { inject } from "vitest";
import type { Env } from "../../../worker/env.ts";
import { type HookObject, hookObjectOf } from "../../../worker/hooks/hook-object.ts";
import type { Delivery, PlannedAnswer } from "../receiver.ts";

export const bindings = env as unknown as Env;
export const ADMIN_KEY = String(bindings.ADMIN_KEY);

export async function admin(method: string, path: string, body?: unknown): Promise<Response> {
  return SELF.fetch(`http://worker${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

export interface HookView {
  id: string;
  url: string;
  rules: unknown[];
  secrets: { expires: string | null }[];
  [member: string]: unknown;
}

export interface CreatedHook {
  hook: HookView;
  secret: string;
  destinations: { url: string; signing_secret: string }[];
}

export interface EventView {
  id: string;
  status: string;
  reason: string | null;
  attempts: number;
  sender_id: string | null;
  type: string | null;
  destination: string | null;
  rule: number | null;
  next_attempt: string | null;
  classification: { label: string | null; probability: number | null; task: string } | null;
}

export interface EventDetail {
  event: EventView;
  payload: string;
  attempts: {
    round: number;
    attempt: number;
    status: number | null;
    error: string | null;
    duration_ms: number | null;
  }[];
}

/** A hook that takes everything of Standard Webhooks to a place of the receiver, unless told otherwise. */
export async function createHook(settings: Record<string, unknown> = {}): Promise<CreatedHook> {
  const response = await admin("POST", "/v1/hooks", {
    source: { kind: "standard" },
    text: ["/data/text"],
    task: "topic",
    rules: [],
    ...settings,
  });
  if (response.status !== 201) throw new Error(`create: ${response.status} ${await response.text()}`);
  return (await response.json()) as CreatedHook;
}

export async function readJson<T>(response: Response | Promise<Response>): Promise<T> {
  return (await (await response).json()) as T;
}

export function listEvents(hook: string, query = ""): Promise<{ events: EventView[]; next_cursor: string | null }> {
  return readJson(admin("GET", `/v1/hooks/${hook}/events${query}`));
}

export function readEvent(hook: string, event: string): Promise<EventDetail> {
  return readJson(admin("GET", `/v1/hooks/${hook}/events/${event}`));
}

export function objectOf(hook: string): DurableObjectStub<HookObject> {
  return hookObjectOf(bindings, hook);
}

/** Waits until it is so. @throws Error after ten seconds */
export async function until<T>(look: () => Promise<T | undefined | false>, what: string): Promise<T> {
  const deadlineMs = Date.now() + 10_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadlineMs) throw new Error(`expected ${what} within 10 s`);
    await scheduler.wait(20);
  }
}

export function eventWith(hook: string, event: string, status: string): Promise<EventView> {
  const look = async () => {
    const { event: view } = await readEvent(hook, event);
    return view.status === status && view;
  };
  return until(look, `event ${event} to be ${status}`);
}

// ── Senders ──

export interface Signed {
  headers: Record<string, string>;
  body: string;
}

const json = { "content-type": "application/json" };

export function standardRequest(
  secret: string,
  body: string,
  id = `msg_${crypto.randomUUID()}`,
  time = new Date(),
): Signed {
  const seconds = String(Math.floor(time.getTime() / 1000));
  const signature = new Webhook(secret).sign(id, time, body);
  return {
    headers: { ...json, "webhook-id": id, "webhook-timestamp": seconds, "webhook-signature": signature },
    body,
  };
}

export async function githubRequest(secret: string, body: string, event = "issues"): Promise<Signed> {
  const signature = await signGithub(secret, body);
  const delivery = crypto.randomUUID();
  return {
    headers: { ...json, "x-github-event": event, "x-github-delivery": delivery, "x-hub-signature-256": signature },
    body,
  };
}

export async function stripeRequest(
  secret: string,
  body: string,
  timestamp = Math.floor(Date.now() / 1000),
): Promise<Signed> {
  const request = { payload: body, secret, timestamp };
  const response = await fetch(`${inject("receiverUrl")}/stripe`, { method: "POST", body: JSON.stringify(request) });
  return { headers: { ...json, "stripe-signature": await response.text() }, body };
}

export function post(
  url: string,
  { headers, body }: { headers: Record<string, string>; body: BodyInit },
): Promise<Response> {
  return SELF.fetch(url, { method: "POST", headers, body });
}

/** @returns the event's id */
export async function send(created: CreatedHook, document: unknown, id?: string): Promise<string> {
  const response = await post(created.hook.url, standardRequest(created.secret, JSON.stringify(document), id));
  if (response.status >= 300) throw new Error(`send: ${response.status} ${await response.text()}`);
  return (await readJson<{ event: string }>(response)).event;
}

// ── The receiver ──

let places = 0;

export interface Place {
  url: string;
  plan: (...answers: PlannedAnswer[]) => Promise<void>;
  deliveries: () => Promise<Delivery[]>;
}

/** A place of the receiver that nobody else uses. */
export function newPlace(): Place {
  const base = inject("receiverUrl");
  const name = `${crypto.randomUUID()}-${places++}`;
  return {
    url: `${base}/to/${name}`,
    plan: async (...answers) => {
      await fetch(`${base}/plan/${name}`, { method: "PUT", body: JSON.stringify(answers) });
    },
    deliveries: async () => (await (await fetch(`${base}/log/${name}`)).json()) as Delivery[],
  };
}

/** Calls of the operator and of those who ask, against knowledge bases in workerd. */
import { env } from "cloudflare:workers";
import type { Env } from "../../../worker/env.ts";
import { knowledgeObjectOf } from "../../../worker/knowledge/knowledge-object.ts";
import { makeClient } from "../harness.ts";

export const ADMIN_KEY = "admin-key-of-the-tests";
export const bindings = env as unknown as Env;

export interface ImportAnswer {
  added: number;
  updated: number;
  refused: { place: string; id?: string; reason: string }[];
  entries: number;
  passages: number;
}

export interface KnowledgeAnswer {
  answer: string | null;
  confidence: number;
  handoff: boolean;
  reason: string | null;
  searched: string;
  source: { entry: string; kind: string; title: string | null; source: string | null; passage?: string } | null;
  alternatives: { answer: string; confidence: number; source: { entry: string } }[];
}

export const client = makeClient();

export function operate(method: string, path: string, body?: unknown, type = "application/json"): Promise<Response> {
  return client.request(`/v1/knowledge${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, ...(body === undefined ? {} : { "content-type": type }) },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

export async function makeBase(settings: object = {}): Promise<string> {
  const id = `base-${crypto.randomUUID().slice(0, 8)}`;
  const response = await operate("PUT", `/${id}`, settings);
  if (response.status !== 200) throw new Error(await response.text());
  return id;
}

export async function put(id: string, body: unknown, type?: string): Promise<ImportAnswer> {
  const response = await operate("PUT", `/${id}/entries`, body, type);
  if (response.status !== 200) throw new Error(await response.text());
  return (await response.json()) as ImportAnswer;
}

export function ask(body: object): Promise<Response> {
  return client.request("/v1/answer", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

export async function answer(id: string, question: string, more: object = {}): Promise<KnowledgeAnswer> {
  const response = await ask({ knowledge_base: id, question, ...more });
  if (response.status !== 200) throw new Error(await response.text());
  return (await response.json()) as KnowledgeAnswer;
}

export const objectOf = (id: string) => knowledgeObjectOf(bindings, id);

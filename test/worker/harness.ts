/**
 * What the Worker's tests share: the tiny models in a real local R2 bucket, an app with a store of its own, and a bucket
 * that counts its reads and can be made to fail.
 */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createApp } from "../../worker/app.ts";
import type { Env } from "../../worker/env.ts";
import { type ModelConfig, parseConfigOf, type QuestionAnsweringConfig } from "../../worker/model/config.ts";
import {
  fileKey,
  type Manifest,
  type ModelFileName,
  manifestKey,
  vocabularyFile,
} from "../../worker/model/manifest.ts";
import type { TranslationPart } from "../../worker/translate.ts";
import configJson from "../fixtures/tiny/config.json?raw";
import weightsUrl from "../fixtures/tiny/model.safetensors?url&inline";
import tokenizerJson from "../fixtures/tiny/tokenizer.json?raw";
import classifierConfigJson from "../fixtures/tiny-classifier/config.json?raw";
import classifierWeightsUrl from "../fixtures/tiny-classifier/model.safetensors?url&inline";
import classifierTokenizerJson from "../fixtures/tiny-classifier/tokenizer.json?raw";
import embedderConfigJson from "../fixtures/tiny-embedder/config.json?raw";
import embedderWeightsUrl from "../fixtures/tiny-embedder/model.safetensors?url&inline";
import embedderTokenizerJson from "../fixtures/tiny-embedder/tokenizer.json?raw";
import lstmConfigJson from "../fixtures/tiny-lstm/config.json?raw";
import lstmWeightsUrl from "../fixtures/tiny-lstm/model.safetensors?url&inline";
import lstmTokenizerJson from "../fixtures/tiny-lstm/tokenizer.json?raw";
import readerConfigJson from "../fixtures/tiny-reader/config.json?raw";
import readerWeightsUrl from "../fixtures/tiny-reader/model.safetensors?url&inline";
import readerTokenizerJson from "../fixtures/tiny-reader/tokenizer.json?raw";
import recommenderConfigJson from "../fixtures/tiny-recommender/config.json?raw";
import recommenderItems from "../fixtures/tiny-recommender/items.txt?raw";
import recommenderWeightsUrl from "../fixtures/tiny-recommender/model.safetensors?url&inline";

export const bucket = (env as unknown as Env).MODELS;
export const tinyConfig = parseConfigOf("translation", configJson);
export const recommenderConfig = parseConfigOf("recommendation", recommenderConfigJson);
export const classifierConfig = parseConfigOf("classification", classifierConfigJson);
export { tokenizerJson };

interface Fixture {
  config: ModelConfig;
  /** Text of tokenizer.json, or of items.txt. */
  vocabulary: string;
  weightsUrl: string;
}

const translator: Fixture = { config: tinyConfig, vocabulary: tokenizerJson, weightsUrl };
const classifier: Fixture = {
  config: classifierConfig,
  vocabulary: classifierTokenizerJson,
  weightsUrl: classifierWeightsUrl,
};

const lstm: Fixture = {
  config: parseConfigOf("classification", lstmConfigJson),
  vocabulary: lstmTokenizerJson,
  weightsUrl: lstmWeightsUrl,
};

const embedder: Fixture = {
  config: parseConfigOf("embedding", embedderConfigJson),
  vocabulary: embedderTokenizerJson,
  weightsUrl: embedderWeightsUrl,
};

const reader: Fixture = {
  config: parseConfigOf("question-answering", readerConfigJson),
  vocabulary: readerTokenizerJson,
  weightsUrl: readerWeightsUrl,
};

const recommender: Fixture = {
  config: recommenderConfig,
  vocabulary: recommenderItems,
  weightsUrl: recommenderWeightsUrl,
};

async function fetchBytes(url: string): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(url)).arrayBuffer());
}

async function sha256(bytes: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

interface ModelOptions<Config extends ModelConfig> {
  config?: Partial<Config>;
  /** Changes the bytes after their sums went into the manifest. */
  damage?: (name: ModelFileName, bytes: Uint8Array) => Uint8Array | undefined;
}

/** Puts the tiny model for translation into R2 under an id, as `npm run upload` does. */
export function putModel(id: string, options: ModelOptions<typeof tinyConfig> = {}): Promise<Manifest> {
  return putFixture(translator, id, options);
}

/** The same of the one for classification. */
export function putClassifier(id: string, options: ModelOptions<typeof classifierConfig> = {}): Promise<Manifest> {
  return putFixture(classifier, id, options);
}

/** The same of the long short-term memories. */
export function putLstm(id: string): Promise<Manifest> {
  return putFixture(lstm, id, {});
}

/** The same of the one for embedding. */
export function putEmbedder(id: string): Promise<Manifest> {
  return putFixture(embedder, id, {});
}

/** The same of the reader. */
export function putReader(id: string, options: ModelOptions<QuestionAnsweringConfig> = {}): Promise<Manifest> {
  return putFixture(reader, id, options);
}

/** The same of the one for recommendation. */
export function putRecommender(id: string, options: ModelOptions<typeof recommenderConfig> = {}): Promise<Manifest> {
  return putFixture(recommender, id, options);
}

async function putFixture(
  fixture: Fixture,
  id: string,
  { config, damage = (_, bytes) => bytes }: ModelOptions<ModelConfig>,
): Promise<Manifest> {
  const merged = { ...fixture.config, ...config };
  const encoder = new TextEncoder();
  const contents: [ModelFileName, Uint8Array][] = [
    ["config.json", encoder.encode(JSON.stringify(merged))],
    [vocabularyFile(fixture.config.task), encoder.encode(fixture.vocabulary)],
    ["model.safetensors", await fetchBytes(fixture.weightsUrl)],
  ];
  const version = (await sha256(encoder.encode(id + JSON.stringify(merged)))).slice(0, 12);
  const files: Record<string, unknown> = {};
  for (const [name, bytes] of contents) {
    const key = fileKey(id, version, name);
    files[name] = { key, bytes: bytes.length, sha256: await sha256(bytes) };
    const stored = damage(name, bytes.slice());
    if (stored) await bucket.put(key, stored);
  }
  const manifest = { id, version, config: merged, files } as unknown as Manifest;
  await bucket.put(manifestKey(id), JSON.stringify(manifest));
  return manifest;
}

/** The bucket, with what was read from it. `beforeGet` may wait, or throw as R2 does when it is down. */
export function watchBucket(beforeGet: (key: string) => void | Promise<void> = () => {}): {
  bucket: R2Bucket;
  gets: string[];
} {
  const gets: string[] = [];
  const watched = new Proxy(bucket, {
    get(target, property) {
      if (property === "get") {
        return async (key: string) => {
          gets.push(key);
          await beforeGet(key);
          return target.get(key);
        };
      }
      const value: unknown = Reflect.get(target, property);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { bucket: watched, gets };
}

export interface Client {
  request: (path: string, init?: RequestInit) => Promise<Response>;
  /** POSTs to /v1/translate, en → de unless the body says otherwise. */
  translate: (body: object) => Promise<Response>;
  /** POSTs to /v1/classify. */
  classify: (body: object) => Promise<Response>;
  /** POSTs to /v1/answer. */
  answer: (body: object) => Promise<Response>;
  /** POSTs to /v1/recommend. */
  recommend: (body: object) => Promise<Response>;
}

/** A fresh isolate, as it were: an app whose store is empty. */
export function makeClient(bindings: Partial<Env> = {}): Client {
  const app = createApp();
  const request = async (path: string, init?: RequestInit) => {
    const context = createExecutionContext();
    const response = await app.request(path, init, { ...(env as unknown as Env), ...bindings }, context);
    // A stream is written while it is read, so it must not be waited for first.
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) await waitOnExecutionContext(context);
    return response;
  };
  const post = (path: string, body: object) =>
    request(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  return {
    request,
    translate: (body) => post("/v1/translate", { source: "en", target: "de", ...body }),
    classify: (body) => post("/v1/classify", body),
    answer: (body) => post("/v1/answer", body),
    recommend: (body) => post("/v1/recommend", body),
  };
}

export interface Answer {
  model: { id: string; version: string };
  translations: {
    text: string;
    score: number | null;
    source_tokens: number;
    target_tokens: number;
    segments: number;
    truncated: boolean;
    parts?: TranslationPart[];
  }[];
  timing: Record<"load_ms" | "queue_ms" | "generate_ms", number>;
}

export interface ClassifyAnswer {
  model: { id: string; version: string };
  classifications: {
    tasks: Record<string, TaskAnswer>;
    tokens: number;
    windows: number;
  }[];
  timing: Record<"load_ms" | "queue_ms" | "classify_ms", number>;
}

export interface RecommendAnswer {
  model: { id: string; version: string };
  recommendations: { id: string; probability: number | null; because: { id: string; share: number }[] }[];
  based_on: "history" | "popularity";
  history_items: number;
  unknown: { history: string[]; filter: string[] };
  timing: Record<"load_ms" | "queue_ms" | "recommend_ms", number>;
}

export interface TaskAnswer {
  label: string | null;
  reason: string | null;
  labels: { label: string; probability: number }[];
  explanation?: { label: string; words: { text: string; weight: number }[]; words_per_weight: number };
}

export interface ProblemAnswer {
  type: string;
  title: string;
  status: number;
  detail: string;
  [extension: string]: unknown;
}

/** The problem of a response, after checking that it has the form of one. */
export async function problemOf(response: Response): Promise<ProblemAnswer> {
  const problem = (await response.json()) as ProblemAnswer;
  const type = response.headers.get("content-type");
  if (type !== "application/problem+json") throw new Error(`expected problem+json, got ${type}`);
  if (problem.status !== response.status) throw new Error(`status ${response.status}, problem says ${problem.status}`);
  return problem;
}

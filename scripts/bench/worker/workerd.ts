/**
 * The built Worker in workerd with a local R2 bucket: the bundle, bindings and runtime as deployed. Requests go to the
 * Worker's own socket, because what wrangler's development server and miniflare's router put in between takes longer
 * than a translation. Each instance is a process of its own, so its isolate is cold.
 */
import { Agent, request as httpRequest } from "node:http";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare, type V4ModuleDefinition } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { configPath, type LocalR2, localBucket, quietWrangler } from "../../publish/bucket.ts";
import type { ModelFolder } from "../../publish/model-folder.ts";
import { publish } from "../../publish/publish.ts";
import type { Bundle } from "./bundle.ts";
import { childrenNamed, cpuMs } from "./cpu-time.ts";

export interface Answer {
  translations: { text: string; source_tokens: number; target_tokens: number }[];
  timing: { load_ms: number; queue_ms: number; generate_ms: number };
}

export interface Workerd {
  /** Milliseconds from the start of the process until it listened. */
  startMs: number;
  /** One request through HTTP. @returns the answer and the milliseconds until its body was read */
  translate(request: object): Promise<{ answer: Answer; ms: number }>;
  /** One request to /v1/classify. @returns milliseconds until its body was read */
  classify(request: object): Promise<{ ms: number }>;
  /** One request to /v1/recommend. @returns milliseconds until its body was read */
  recommend(request: object): Promise<{ ms: number }>;
  /** A translation with `stream: true`. @returns milliseconds until the first token came */
  firstToken(request: object): Promise<number>;
  /** Any request with a JSON body. @returns the body of the answer, and the milliseconds until it was read */
  send(method: string, path: string, body: object, headers?: object): Promise<{ text: string; ms: number }>;
  /** A request that computes nothing. @returns milliseconds: what HTTP costs here */
  ping(): Promise<number>;
  /** CPU time of the process so far in milliseconds, or undefined where the system does not say. */
  cpuMs(): Promise<number | undefined>;
  close(): Promise<void>;
}

const NAME = "edge-slm";

/**
 * Starts a process of workerd with the bindings of wrangler.toml.
 * @param modules entry point first
 * @param vars beside those of wrangler.toml
 * @returns milliseconds until it listened
 */
async function launch(modules: V4ModuleDefinition[], modulesRoot: string, vars: Record<string, string> = {}) {
  Object.assign(process.env, quietWrangler);
  // Without the pages: miniflare's stand-in for their router is a Worker before ours, and takes as long as an answer.
  const { assets: _, ...workerOptions } = unstable_getMiniflareWorkerOptions(configPath).workerOptions;
  const unsafeDirectSockets = [{ host: "127.0.0.1", port: 0 }];
  const bindings = { ...(workerOptions.bindings as object), ...vars };
  const worker = { ...workerOptions, bindings, name: NAME, modules, modulesRoot, unsafeDirectSockets };
  const options = convertV4MiniflareOptions({ cf: false, workers: [worker] });
  const beforeMs = performance.now();
  const miniflare = new Miniflare(options);
  await miniflare.ready;
  return { miniflare, startMs: performance.now() - beforeMs };
}

/** @returns milliseconds until workerd listened with an empty Worker that has our bindings */
export async function startEmptyWorkerd(): Promise<number> {
  const { workerOptions } = unstable_getMiniflareWorkerOptions(configPath);
  const objects = Object.values(workerOptions.durableObjects as Record<string, { className: string }>);
  const classes = objects.map(({ className }) => `export class ${className} extends DurableObject {}`);
  const contents = `import { DurableObject } from "cloudflare:workers"; ${classes.join(" ")}
    export default { fetch: () => new Response() };`;
  const { miniflare, startMs } = await launch([{ type: "ESModule", path: "/index.js", contents }], "/");
  await miniflare.dispose();
  return startMs;
}

/** Starts the Worker with one model in its bucket; nothing is in the isolate's memory yet. */
export async function startWorkerd(
  { directory, files }: Bundle,
  model: ModelFolder,
  vars?: Record<string, string>,
): Promise<Workerd> {
  const entryFirst = files.toSorted((a, b) => Number(b.endsWith(".js")) - Number(a.endsWith(".js")));
  const modules = entryFirst.map((file) => ({
    type: file.endsWith(".wasm") ? ("CompiledWasm" as const) : ("ESModule" as const),
    path: join(directory, file),
  }));
  const before = await childrenNamed("workerd");
  const { miniflare, startMs } = await launch(modules, directory, vars);
  const processId = (await childrenNamed("workerd")).find((id) => !before.includes(id));
  const close = () => miniflare.dispose();
  const url = await miniflare.unsafeGetDirectURL(NAME);
  const bucket = (await miniflare.getR2Bucket("MODELS", NAME)) as unknown as LocalR2;
  await publish(localBucket(bucket, close), model);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const send = (path: string, body?: object) => sendRequest(agent, new URL(path, url), body ? "POST" : "GET", body);
  return {
    startMs,
    async translate(request) {
      const { text, ms } = await send("/v1/translate", request);
      return { answer: JSON.parse(text) as Answer, ms };
    },
    classify: (request) => send("/v1/classify", request),
    recommend: (request) => send("/v1/recommend", request),
    firstToken: async (request) => (await send("/v1/translate", { ...request, stream: true })).firstMs,
    send: (method, path, body, headers) => sendRequest(agent, new URL(path, url), method, body, headers),
    ping: async () => (await send("/health")).ms,
    cpuMs: async () => (processId === undefined ? undefined : cpuMs(processId)),
    async close() {
      agent.destroy();
      await close();
    },
  };
}

/** @returns the body, and the milliseconds until its first and its last byte were there */
function sendRequest(
  agent: Agent,
  url: URL,
  method: string,
  body?: object,
  more: object = {},
): Promise<{ text: string; firstMs: number; ms: number }> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now();
    const json = body && JSON.stringify(body);
    const own = json && { "content-type": "application/json", "content-length": Buffer.byteLength(json) };
    const request = httpRequest(url, { agent, method, headers: { ...own, ...more } }, (response) => {
      let text = "";
      let firstMs = 0;
      response.setEncoding("utf8").on("data", (chunk: string) => {
        firstMs ||= performance.now() - startMs;
        text += chunk;
      });
      response.on("end", () => {
        const ms = performance.now() - startMs;
        if (response.statusCode === 200) resolve({ text, firstMs, ms });
        else reject(new Error(`bench: ${url.pathname} answered ${response.statusCode}: ${text}`));
      });
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(json);
  });
}

/** Calls of this server's API. The key, if there is one, stays in this module's memory. */

/**
 * @typedef {{ method: "POST", path: string, body: object }} Call
 * @typedef {{
 *   id: string, version: string, description: string, licence: string,
 *   task: "translation" | "classification" | "question-answering" | "embedding" | "recommendation",
 *   source_languages: string[], target_languages: string[], quality: Record<string, number>,
 *   training_data: { name: string, licence: string, rows: number }[],
 *   heads: { name: string, labels: string[] }[],
 *   most_popular: string[],
 *   size: { bytes: number, parameters: number, vocab_size: number },
 * }} Model
 * @typedef {{ model: string, per_1000_characters: number, minimum: number }} Price
 * @typedef {{ billing: boolean, currency: string, prices: Price[] }} Prices
 */

/** What the server said is wrong. */
export class ApiProblem extends Error {
  /** @param {string} title @param {string} detail */
  constructor(title, detail) {
    super(detail);
    this.title = title;
  }
}

/** The server did not answer at all. */
export class Unreachable extends Error {}

let apiKey = "";

/** @param {string} key */
export function setApiKey(key) {
  apiKey = key.trim();
}

export function hasApiKey() {
  return apiKey !== "";
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
async function request(path, init) {
  const response = await fetch(path, init).catch((cause) => {
    throw new Unreachable(String(cause));
  });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new ApiProblem(problem.title ?? String(response.status), problem.detail ?? response.statusText);
}

/**
 * @template T
 * @param {string} path
 * @param {string} [key]
 * @returns {Promise<T>}
 */
export async function get(path, key) {
  const response = await request(path, key ? { headers: { authorization: `Bearer ${key}` } } : {});
  return response.json();
}

/**
 * @template T
 * @param {string} path
 * @param {string} key
 * @returns {Promise<T>}
 */
export async function post(path, key) {
  return (await request(path, { method: "POST", headers: { authorization: `Bearer ${key}` } })).json();
}

/**
 * @param {string} path
 * @param {string} key the operator's
 * @param {string} type of the body
 * @param {string} body
 */
export async function put(path, key, type, body) {
  const headers = { authorization: `Bearer ${key}`, "content-type": type };
  return (await request(path, { method: "PUT", headers, body })).json();
}

/** @param {Call} call */
function send({ method, path, body }) {
  const headers = { "content-type": "application/json", ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}) };
  return request(path, { method, headers, body: JSON.stringify(body) });
}

/**
 * @param {Call} call
 * @returns {Promise<{ answer: any, ms: number }>} with the round trip
 */
export async function ask(call) {
  const startMs = performance.now();
  const answer = await (await send(call)).json();
  return { answer, ms: performance.now() - startMs };
}

/**
 * The same of an answer that comes as server-sent events.
 * @param {Call} call
 * @param {(text: string) => void} onDelta
 * @returns {Promise<{ answer: any, ms: number, firstMs: number | undefined }>}
 */
export async function askStreaming(call, onDelta) {
  const startMs = performance.now();
  const response = await send(call);
  let firstMs;
  let rest = "";
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read().catch((cause) => {
      throw new Unreachable(String(cause));
    });
    if (done) throw new Unreachable("the answer ended before its end");
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const [event, data] = block.split("\n").map((line) => line.slice(line.indexOf(": ") + 2));
      const message = JSON.parse(data ?? "");
      if (event === "error") throw new ApiProblem(message.title, message.detail);
      if (event === "result") return { answer: message, ms: performance.now() - startMs, firstMs };
      firstMs ??= performance.now() - startMs;
      onDelta(message.text);
    }
  }
}

/** @returns {Promise<Model[]>} */
export async function readModels() {
  return (await get("/v1/models")).models;
}

/** @returns {Promise<Prices>} */
export function readPrices() {
  return get("/v1/prices");
}

/**
 * @param {Price} price
 * @param {number} characters UTF-16 units
 * @returns micro-units
 */
export function quote({ per_1000_characters, minimum }, characters) {
  return Math.max(minimum, Math.ceil((characters * per_1000_characters) / 1000));
}

/** @param {number} micros @returns {string} exact */
export function dollars(micros) {
  const text = (micros / 1e6).toFixed(6);
  // Small amounts stand below each other; of larger ones nobody reads the zeros.
  return `$${micros < 1e6 ? text : text.replace(/0{1,4}$/, "")}`;
}

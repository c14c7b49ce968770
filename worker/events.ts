/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): named events with a JSON
 * object each. An error in the middle of the stream, whose status is long sent, comes as an `error` event with the
 * problem; a reader that goes away aborts the work.
 */
import type { Context } from "hono";
import { toProblem } from "./errors.ts";

/**
 * Never fails and never waits: if the reader is gone, the work's signal says so, and one that is slow must not hold up
 * the work, which holds a model. What was not read yet is kept; it is no larger than the answer.
 */
export type Send = (event: string, data: unknown) => void;

/**
 * @param signal aborts when the request does
 * @param work sends the events; its own signal aborts when the request or the reader of the response does
 */
export function sendEvents(
  c: Context,
  signal: AbortSignal,
  work: (send: Send, signal: AbortSignal) => Promise<void>,
): Response {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const gone = new AbortController();
  writer.closed.catch((reason) => gone.abort(reason));
  const encoder = new TextEncoder();
  const send: Send = (event, data) => {
    // JSON has no line break in it, so the data are one line.
    const bytes = encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    writer.write(bytes).catch(() => {});
  };
  const run = async () => {
    try {
      await work(send, AbortSignal.any([signal, gone.signal]));
    } catch (error) {
      if (!signal.aborted && !gone.signal.aborted) send("error", toProblem(error).body);
    }
    await writer.close();
  };
  // Outlives the reader, so that what the work holds is released. A reader that left is no error.
  c.executionCtx.waitUntil(run().catch(() => {}));
  return c.body(readable, 200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    // Asks proxies not to hold the events back (nginx and those that follow it).
    "x-accel-buffering": "no",
  });
}

/**
 * Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): named events with a JSON
 * object each. An error in the middle of the stream, whose status is long sent, comes as an `error` event with the
 * problem; a reader that goes away aborts the work.
 */
import type { Context } from "hono";
import { toProblem } from "./errors.ts";
import { logError } from "./log.ts";

/**
 * Never fails and never waits: if the reader is gone, the work's signal says so, and one that is slow must not hold up
 * the work, which holds a model. What was not read yet is kept; it is no larger than the answer. `onSent` is called once
 * the reader took the event.
 */
export type Send = (event: string, data: unknown, onSent?: () => void) => void;

/** What somebody else wants to know of a stream. */
export interface StreamObserver {
  /** As it is handed over to be sent, but for an error. */
  written(text: string): void;
  /**
   * The work is done and the reader has all but the last event, which goes out after this.
   * @returns an event to go before it
   * @throws what the reader is told instead of it
   */
  completing(last: string): Promise<StreamEvent | undefined>;
  /** All was read; or the reader left; or the work failed, which the reader was told. */
  ended(end: "complete" | "left" | "failed"): Promise<void>;
}

export interface StreamEvent {
  event: string;
  data: unknown;
}

export const EVENT_STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  // Asks proxies not to hold the events back (nginx and those that follow it).
  "x-accel-buffering": "no",
};

/**
 * @param signal aborts when the request does
 * @param work sends the events but for the last, which it returns; its own signal aborts when the request or the reader of
 * the response does
 */
export function sendEvents(
  c: Context,
  signal: AbortSignal,
  work: (send: Send, signal: AbortSignal) => Promise<StreamEvent>,
  observer?: StreamObserver,
): Response {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const gone = new AbortController();
  writer.closed.catch((reason) => gone.abort(reason));
  const encoder = new TextEncoder();
  let taken: Promise<void> = Promise.resolve();
  const write = (text: string, onSent?: () => void) => {
    taken = writer.write(encoder.encode(text));
    taken.then(onSent, () => {});
  };
  const send: Send = (event, data, onSent) => {
    const text = formatEvent(event, data);
    observer?.written(text);
    write(text, onSent);
  };
  const run = async () => {
    let end: "complete" | "left" | "failed" = "complete";
    try {
      const last = await work(send, AbortSignal.any([signal, gone.signal]));
      const text = formatEvent(last.event, last.data);
      await taken;
      const before = await observer?.completing(text);
      if (before) write(formatEvent(before.event, before.data));
      write(text);
    } catch (error) {
      end = signal.aborted || gone.signal.aborted ? "left" : "failed";
      if (end === "failed") write(formatEvent("error", toProblem(error, c.get("requestId")).body));
    }
    // Work that failed stays so, whether its error was read or not: a connection that ends may abort the signal too.
    await writer.close().catch(() => {
      if (end === "complete") end = "left";
    });
    await observer?.ended(end);
  };
  // Outlives the reader, so that what the work holds is released. A reader that left is no error.
  c.executionCtx.waitUntil(run().catch((error) => logError("a stream did not end well", {}, error)));
  return c.body(readable, 200, EVENT_STREAM_HEADERS);
}

/** JSON has no line break in it, so the data are one line. */
function formatEvent(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

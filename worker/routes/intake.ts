/**
 * `POST /hooks/:id`: where senders deliver their events. Not part of the API's documents: what is in a request is the
 * sender's business. A sender hears 202 once the event is on disk, 200 if it was there before, and 4xx if nobody keeps it.
 */
import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { App, AppEnv } from "../context.ts";
import { Problem } from "../errors.ts";
import { recordEvent } from "../hooks/analytics.ts";
import { Intake } from "../hooks/intake.ts";

/** A hook without signatures has its secret in the path. */
const PATHS = ["/hooks/:id", "/hooks/:id/:token"];
const STATUS = { accepted: 202, duplicate: 200, pong: 200 } as const;

export function addIntake(app: App): void {
  const intake = new Intake();
  app.use("/hooks/*", (c, next) => {
    const { maxEventBytes } = c.var.scope.settings;
    const onError = () => {
      throw new Problem("too_long", `expected a body of at most ${maxEventBytes} bytes`, {
        extensions: { max_bytes: maxEventBytes },
      });
    };
    return bodyLimit({ maxSize: maxEventBytes, onError })(c, next);
  });
  const receive = async (c: Context<AppEnv>) => {
    const id = c.req.param("id")!;
    const body = new Uint8Array(await c.req.arrayBuffer());
    const { hooksKey } = c.var.scope.settings;
    try {
      const request = { headers: c.req.raw.headers, body, token: c.req.param("token") };
      const received = await intake.receive(c.env, hooksKey, id, request);
      return c.json(received, STATUS[received.status]);
    } catch (error) {
      if (error instanceof Problem && error.kind === "invalid_signature") {
        recordEvent(c.env, { hook: id, outcome: "refused", reason: error.message });
      }
      throw error;
    }
  };
  for (const path of PATHS) app.post(path, receive);
}

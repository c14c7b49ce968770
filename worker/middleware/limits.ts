/**
 * Bounds what a request may bring before anything reads it.
 */
import { bodyLimit } from "hono/body-limit";
import type { App } from "../app.ts";
import { Problem } from "../errors.ts";

/** JSON may spend six bytes (`\u00e4`) on a character, and then there are the other members. */
const MAX_BYTES_PER_CHARACTER = 6;
const ENVELOPE_BYTES = 4096;

export function addLimits(app: App): void {
  app.use("/v1/*", (c, next) => {
    const { maxCharacters } = c.var.scope.settings;
    const maxBytes = maxCharacters * MAX_BYTES_PER_CHARACTER + ENVELOPE_BYTES;
    const limit = bodyLimit({
      maxSize: maxBytes,
      onError: () => {
        throw new Problem(
          "too_long",
          `expected a body of at most ${maxBytes} bytes, ${maxCharacters} characters of text`,
          {
            extensions: { max_bytes: maxBytes, max_characters: maxCharacters },
          },
        );
      },
    });
    return limit(c, next);
  });
}

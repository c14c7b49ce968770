/**
 * Bounds what a request may bring: its bytes before anything reads them, its texts before anything computes with them.
 */
import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { App, AppEnv } from "../context.ts";
import type { Settings } from "../env.ts";
import { Problem } from "../errors.ts";
import { DIALECTS } from "./dialects.ts";

/** Everything but the hooks' intake, whose events have bounds of their own. */
export const API_PATHS = [
  "/v1/*",
  ...Object.values(DIALECTS)
    .flatMap(({ paths }) => paths)
    .filter((path) => !path.startsWith("/v1/")),
];

/** A form may spend nine bytes (`%E4%BD%A0`) on a character, JSON six (`\u4f60`), and then there are the other members. */
const MAX_BYTES_PER_CHARACTER = 9;
const ENVELOPE_BYTES = 4096;

export function addLimits(app: App): void {
  const limitBody: MiddlewareHandler<AppEnv> = (c, next) => {
    // Imports have bounds of their own.
    if (c.req.path.startsWith("/v1/knowledge/")) return next();
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
  };
  for (const path of API_PATHS) app.use(path, limitBody);
}

/**
 * What a route asks for once the body is read.
 * @returns characters of all texts together
 * @throws Problem too_long if there are more texts or characters than the settings allow
 */
export function checkTexts(texts: string[], { maxTexts, maxCharacters }: Settings): number {
  const extensions = { max_texts: maxTexts, max_characters: maxCharacters };
  if (texts.length > maxTexts) {
    const detail = `text: expected at most ${maxTexts} texts, got ${texts.length}; send several requests`;
    throw new Problem("too_long", detail, { extensions });
  }
  const characters = texts.reduce((sum, text) => sum + text.length, 0);
  if (characters > maxCharacters) {
    throw new Problem(
      "too_long",
      `text: expected at most ${maxCharacters} characters in all, got ${characters}; send several requests`,
      { extensions },
    );
  }
  return characters;
}

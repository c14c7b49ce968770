/** Texts into what a model that reads windows is given. Knows no HTTP but the Problem it throws. */
import type { LoadedModel } from "./loaded-model.ts";
import { otherScript } from "./text/other-script.ts";
import { placeOf } from "./text/place.ts";
import { type TextWindow, textWindows } from "./text/windows.ts";

/** The windows of each text, in order. */
export type Plan = TextWindow[][];

/**
 * Cuts texts into windows and tokenizes them.
 * @param texts as of `cleanText`
 * @throws Problem unsupported_language if a text is written in an alphabet that the model does not read
 */
export function planWindows(texts: readonly string[], model: LoadedModel<"classification" | "embedding">): Plan {
  const { config } = model.manifest;
  return texts.map((text, index) => {
    if (!model.readsScript(text)) throw otherScript(placeOf(texts, index), text, config.source_scripts, { index });
    return textWindows(text, config.source_languages[0]!, model.tokenizer, model.engine.maxTokens);
  });
}

export function tokensOf(window: TextWindow): number[] {
  return window.tokens;
}

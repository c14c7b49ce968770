/**
 * Embeds texts with a loaded model: windows out, batches through the engine, one vector for each text in. Knows no HTTP
 * but the Problem it throws.
 */
import { embed, meanOfWindows } from "./engine/embed.ts";
import type { TurnOptions } from "./engine/turns.ts";
import { Problem } from "./errors.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { placeOf } from "./text/place.ts";
import { type TextWindow, textWindows } from "./text/windows.ts";

export type TextEmbedder = LoadedModel<"embedding">;

export interface Embedding {
  /** [d_model] f32, of length 1; zeros of a text without a token. */
  vector: Float32Array;
  /** Without the end tokens of the windows. */
  tokens: number;
}

/**
 * Cuts texts into windows and tokenizes them.
 * @param texts as of `cleanText`
 * @throws Problem unsupported_language if a text is written in an alphabet that the model does not read
 */
export function planEmbedding(texts: readonly string[], model: TextEmbedder): TextWindow[][] {
  const { config } = model.manifest;
  return texts.map((text, index) => {
    if (!model.readsScript(text)) {
      throw new Problem(
        "unsupported_language",
        `${placeOf(texts, index)}expected ${config.source_scripts.join(" or ")} letters; ` +
          `most of ${JSON.stringify(text.trim().slice(0, 40).toWellFormed())} are of another script`,
        { extensions: { text: index, scripts: config.source_scripts } },
      );
    }
    return textWindows(text, config.source_languages[0]!, model.tokenizer, model.engine.maxTokens);
  });
}

/** Embeds all windows of all texts as one batch; a text's vector is the mean of its windows', weighted by tokens. */
export async function embedWindows(
  plan: readonly TextWindow[][],
  model: TextEmbedder,
  options: TurnOptions,
): Promise<Embedding[]> {
  const vectors = await embed(
    model.engine,
    plan.flat().map(({ tokens }) => tokens),
    options,
  );
  let next = 0;
  return plan.map((windows) => {
    const own = vectors.slice(next, next + windows.length);
    next += windows.length;
    const lengths = windows.map(({ tokens }) => tokens.length);
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    if (windows.length === 0) return { vector: new Float32Array(model.engine.config.d_model), tokens };
    return { vector: meanOfWindows(own, lengths), tokens };
  });
}

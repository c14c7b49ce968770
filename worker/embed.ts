/**
 * Embeds texts with a loaded model: windows out, batches through the engine, one vector for each text in. Knows no HTTP.
 */
import { embed, meanOfWindows } from "./engine/embed.ts";
import type { TurnOptions } from "./engine/turns.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { type Plan, tokensOf } from "./plan-windows.ts";

export type TextEmbedder = LoadedModel<"embedding">;

export interface Embedding {
  /** [d_model] f32, of length 1; zeros of a text without a token. */
  vector: Float32Array;
  /** Without the end tokens of the windows. */
  tokens: number;
}

/** Embeds all windows of all texts as one batch; a text's vector is the mean of its windows', weighted by tokens. */
export async function embedWindows(plan: Plan, model: TextEmbedder, options: TurnOptions): Promise<Embedding[]> {
  const vectors = await embed(model.engine, plan.flat().map(tokensOf), options);
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

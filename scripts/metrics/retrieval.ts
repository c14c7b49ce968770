/** Retrieval: how often the nearest document is one that was meant. */
import { type Embedder, embed, meanOfWindows } from "../../worker/engine/embed.ts";
import { allWindows } from "../training/texts.ts";

/** Vectors of a model, [d_model] each, of length 1; texts that are longer than the model reads as the mean of their parts. */
export async function embedAll(model: Embedder, texts: readonly (readonly number[])[]): Promise<Float32Array[]> {
  const windows = texts.map((tokens) => (tokens.length === 0 ? [[]] : allWindows([...tokens], model.maxTokens)));
  const vectors = await embed(model, windows.flat());
  let next = 0;
  return windows.map((parts) => {
    const own = vectors.slice(next, next + parts.length);
    next += parts.length;
    return meanOfWindows(
      own,
      parts.map(({ length }) => Math.max(1, length)),
    );
  });
}

/** The index of the document whose vector has the largest dot product with each query's. */
export function nearest(queries: readonly Float32Array[], documents: readonly Float32Array[]): number[] {
  const d = documents[0]?.length ?? 0;
  const matrix = new Float32Array(documents.length * d);
  for (const [i, vector] of documents.entries()) matrix.set(vector, i * d);
  return queries.map((query) => {
    let best = -1;
    let most = -Infinity;
    for (let i = 0; i < documents.length; i++) {
      let dot = 0;
      for (let c = 0, at = i * d; c < d; c++, at++) dot += query[c]! * matrix[at]!;
      if (dot > most) [most, best] = [dot, i];
    }
    return best;
  });
}

/** An embedding that begins with vectors of what its tokens stand beside, instead of random ones. */
import { type NetworkConfig, parameterSlices } from "./parameters.ts";
import { tokenVectors } from "./token-vectors.ts";

/**
 * Writes the vectors into flat parameters and says how long it took.
 * @param texts token ids, or the items of histories
 * @param noun what they are, for the message
 */
export function setTokenVectors(
  parameters: Float32Array,
  config: NetworkConfig,
  texts: readonly (readonly number[])[],
  seed: number,
  noun = "tokens",
): void {
  const { offset, shape } = parameterSlices(config).find(({ name }) => name === "embedding.weight")!;
  const [vocabSize, size] = shape as [number, number];
  const startMs = performance.now();
  const vectors = tokenVectors(texts, { vocabSize, size, seed });
  for (let token = 0; token < vocabSize; token++) {
    const vector = vectors.subarray(token * size, (token + 1) * size);
    // Of length 1, as the random ones are on average; a token without neighbours keeps its own.
    if (vector.some((x) => x !== 0)) parameters.set(vector, offset + token * size);
  }
  const total = texts.reduce((sum, { length }) => sum + length, 0);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  console.log(`vectors of ${vocabSize} ${noun} from ${total} that stand beside one another in ${seconds} s`);
}

/** Writes which n-grams have vectors into flat parameters. @param tokens as of `NGrams` */
export function setNGrams(parameters: Float32Array, config: NetworkConfig, tokens: Int32Array): void {
  parameters.set(tokens, parameterSlices(config).find(({ name }) => name === "n_grams.tokens")!.offset);
}

/** The Worker's search over the float reference. */
import { type GenerateOptions, generate, type Hypothesis } from "../../worker/engine/generate.ts";
import type { Transformer } from "../../worker/engine/transformer.ts";
import type { FloatTransformer } from "./transformer.ts";

/** Arguments, result and errors as of `generate`. */
export function generateFloat(
  model: FloatTransformer,
  sources: readonly (readonly number[])[],
  options: GenerateOptions = {},
): Promise<Hypothesis[][]> {
  // The search only hands sources, cache and prefixes from one call to the next; what is in them is the model's own.
  return generate(model as unknown as Transformer, sources, options);
}

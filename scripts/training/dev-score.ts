/**
 * BLEU on dev while training runs: of what would be shipped, the quantized network in the Worker's engine, so that
 * the checkpoint is chosen by what users get, and in seconds.
 */
import { generate } from "../../worker/engine/generate.ts";
import { loadTransformer } from "../../worker/engine/load.ts";
import type { ModelConfig } from "../../worker/model/config.ts";
import type { Tokenizer } from "../../worker/model/tokenizer.ts";
import type { SentencePair } from "../data/multi30k.ts";
import { quantizeModel } from "../export/quantize.ts";
import { loadKernels } from "../kernels.ts";
import { corpusBleu } from "../metrics/bleu.ts";
import { translateAll } from "../metrics/translate.ts";

/** @returns a function from flat parameters to the BLEU (cased, 13a) of greedy search */
export async function createDevScorer(
  config: ModelConfig,
  tokenizer: Tokenizer,
  pairs: SentencePair[],
): Promise<(parameters: Float32Array) => Promise<number>> {
  const kernels = await loadKernels();
  const sources = pairs.map(({ source }) => source);
  const references = pairs.map(({ target }) => target);
  return async (parameters) => {
    const { file } = quantizeModel(config, parameters);
    const model = await loadTransformer(config, new Blob([file]).stream(), kernels);
    const search = (batch: number[][]) => generate(model, batch, { beamSize: 1 });
    const { translations } = await translateAll(search, tokenizer, sources);
    return corpusBleu(translations, [references]).score;
  };
}

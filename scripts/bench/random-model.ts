/**
 * Models of any size with random weights, made in memory: they translate nothing, but take the time and the memory that
 * a trained model of their size takes. The weights are drawn so that activations stay in range, as a trained network's.
 */
import {
  type ClassificationConfig,
  classificationConfigSchema,
  type ModelConfig,
  type RecommendationConfig,
  recommendationConfigSchema,
  type TranslationConfig,
  tensorSpecs,
  translationConfigSchema,
} from "../../worker/model/config.ts";
import {
  matrixTensors,
  PACKING_VERSION,
  type QuantizedMatrix,
  roundUp,
  type Tensor,
  TILE_N,
  writeSafetensors,
} from "../../worker/model/format.ts";

export interface RandomModel<Config extends ModelConfig> {
  config: Config;
  /** The bytes of its `model.safetensors`. */
  weights: Uint8Array<ArrayBuffer>;
  /** Parameters of the network, those of the padding not counted. */
  parameters: number;
}

export type ModelSizes = Partial<
  Pick<
    TranslationConfig,
    "d_model" | "d_ff" | "n_heads" | "n_enc_layers" | "n_dec_layers" | "vocab_size" | "max_seq_len"
  >
>;

/** About 20 million parameters: d_model 384, six layers and two, a vocabulary of 12,000. */
export const LARGE_MODEL = { d_model: 384, d_ff: 1536, n_heads: 6, vocab_size: 12_000 };

/** What both tasks share; sizes as of the shipped translation model. */
const COMMON = {
  d_model: 128,
  d_ff: 256,
  n_heads: 4,
  n_enc_layers: 6,
  vocab_size: 4000,
  max_seq_len: 256,
  activation: "relu",
  layer_norm_eps: 1e-5,
  bos_token_id: 1,
  eos_token_id: 2,
  pad_token_id: 0,
  source_languages: ["en"],
  source_scripts: ["Latin"],
  card: { description: "Random weights for the benchmark.", licence: "MIT", training_data: [], quality: {} },
};

/** Its end token never wins, so that a translation is as long as `maxTokens` says. */
export function makeRandomModel(sizes: ModelSizes = {}): RandomModel<TranslationConfig> {
  const config = translationConfigSchema.parse({
    model_type: "edge-slm-seq2seq",
    task: "translation",
    ...COMMON,
    n_dec_layers: 2,
    ...sizes,
    target_languages: ["de"],
    generation: { beam_size: 1, length_penalty: 1, max_length_ratio: 4, max_length_bias: 256 },
  });
  return { config, ...makeWeights(config) };
}

/** A classifier of the recipes' sizes and activation with one head. */
export function makeRandomClassifier(labels: number): RandomModel<ClassificationConfig> {
  const head = { name: "label", labels: Array.from({ length: labels }, (_, i) => `label ${i}`) };
  const config = classificationConfigSchema.parse({
    model_type: "edge-slm-encoder",
    task: "classification",
    ...COMMON,
    d_ff: 512,
    n_enc_layers: 4,
    vocab_size: 16_000,
    activation: "gelu",
    heads: [{ ...head, temperature: 1, out_of_scope: null }],
  });
  return { config, ...makeWeights(config) };
}

/** A recommender of the recipes' sizes over so many items. */
export function makeRandomRecommender(items: number, d_model = 64): RandomModel<RecommendationConfig> {
  const { layer_norm_eps, card } = COMMON;
  const config = recommendationConfigSchema.parse({
    model_type: "edge-slm-recommender",
    task: "recommendation",
    d_model,
    d_ff: 4 * d_model,
    n_heads: 2,
    n_enc_layers: 2,
    vocab_size: items,
    max_seq_len: 50,
    activation: "gelu",
    layer_norm_eps,
    most_popular: [],
    card,
  });
  return { config, ...makeWeights(config) };
}

function makeWeights(config: ModelConfig): { weights: Uint8Array<ArrayBuffer>; parameters: number } {
  const random = makeRandom(17);
  const uniform = (length: number, centre: number, spread: number) =>
    Float32Array.from({ length }, () => centre + spread * random());
  let parameters = 0;
  const tensors = tensorSpecs(config).flatMap(({ name, shape, kind }): Tensor[] => {
    const [n, k = 1] = shape;
    parameters += n * k;
    if (kind === "matrix") {
      const matrix = randomMatrix(random, n, k);
      // A row of zeros has logit 0, which is never the largest of thousands.
      if (name === "embedding.weight" && "eos_token_id" in config) clearRow(matrix, config.eos_token_id, k);
      return matrixTensors(name, matrix, n, k);
    }
    const data = new Float32Array(roundUp(n * k, TILE_N));
    const isTable = shape.length > 1;
    data.set(uniform(n * k, kind === "norm_weight" ? 1 : 0, isTable ? 0.5 : 0.02));
    return [{ name, shape: isTable ? [n, k] : [data.length], data }];
  });
  const weights = writeSafetensors(tensors, { format: "edge-slm", packing: String(PACKING_VERSION) });
  return { weights, parameters };
}

/** As if it were quantized from uniform numbers of variance 1 / k. */
function randomMatrix(random: () => number, n: number, k: number): QuantizedMatrix {
  const q = new Int8Array(n * k);
  const sum = new Int32Array(n);
  for (let row = 0; row < n; row++) {
    for (let i = row * k; i < (row + 1) * k; i++) {
      q[i] = 127 * random();
      sum[row]! += q[i]!;
    }
  }
  return { q, sum, scale: new Float32Array(n).fill(Math.sqrt(3 / k) / 127) };
}

function clearRow({ q, sum }: QuantizedMatrix, row: number, k: number): void {
  q.fill(0, row * k, (row + 1) * k);
  sum[row] = 0;
}

/** Numerical Recipes' linear congruence: −1…1, the same on every machine. */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

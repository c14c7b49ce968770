/**
 * What a model is, part 1: `config.json`, its shape and its checks.
 *
 * The architecture is the pre-norm encoder-decoder transformer (Vaswani et al. 2017, arXiv:1706.03762, with
 * layer normalization before each block as in Xiong et al. 2020, arXiv:2002.04745), ReLU or GELU feed-forward,
 * one embedding shared by source, target and output projection. For comparison there is its predecessor, an
 * encoder-decoder of long short-term memories (Sutskever et al. 2014, arXiv:1409.3215). What comes next in a history of
 * items is the answer of an encoder whose attention is causal (SASRec: Kang & McAuley 2018, arXiv:1808.09781). Keys keep
 * the snake_case of the file.
 */
import { z } from "zod";
import { MAX_N_GRAM } from "./n-grams.ts";

const size = z.int().positive();

function isScript(name: string): boolean {
  try {
    return new RegExp(`\\p{Script=${name}}`, "u").source !== "";
  } catch {
    return false;
  }
}

/** Generation defaults that a caller may override. */
const generation = z.object({
  beam_size: z.int().min(1).max(8).default(1),
  /** Exponent alpha of the length normalization score = log_prob / length^alpha. */
  length_penalty: z.number().min(0).max(2).default(1),
  /** A hypothesis has at most max_length_ratio · source tokens + max_length_bias tokens. */
  max_length_ratio: z.number().positive().default(2),
  max_length_bias: z.int().min(0).default(16),
  /** Whether only the tokens of the model's lexical shortlist for a source come out; needs one in the file. */
  shortlist: z.boolean().optional(),
});

/** Facts for people: shown by `GET /v1/models` and on the card, never read by the engine. */
const card = z.object({
  description: z.string(),
  licence: z.string(),
  training_data: z.array(z.object({ name: z.string(), licence: z.string(), rows: z.int().min(0) })),
  /** Measured quality, e.g. { "test2016 BLEU (lowercased, beam 5)": 33.1 }. */
  quality: z.record(z.string(), z.number()),
});

/** The vocabulary, and the most tokens of a source text. */
const tokens = { vocab_size: size, max_seq_len: size };

/** The special tokens, and what a model reads. */
const source = {
  bos_token_id: z.int().min(0),
  eos_token_id: z.int().min(0),
  pad_token_id: z.int().min(0),
  /** BCP 47 language codes. */
  source_languages: z.array(z.string()).min(1),
  /** Unicode script names that the source text may be written in, as in `\p{Script=Latin}`. */
  source_scripts: z.array(z.string().refine(isScript, { error: "expected a Unicode script name, as Latin" })).min(1),
  card,
};

/** The sizes of a transformer's encoder. */
const network = {
  d_model: size.multipleOf(16),
  d_ff: size.multipleOf(16),
  n_heads: size,
  n_enc_layers: size,
  ...tokens,
  activation: z.enum(["relu", "gelu"]),
  layer_norm_eps: z.number().positive(),
};

/** One over the tokens of a source text. */
const encoder = { ...network, ...source };

const headsFit = (c: { d_model: number; n_heads: number }) =>
  c.d_model % c.n_heads === 0 && (c.d_model / c.n_heads) % 4 === 0;
const HEADS_FIT = { error: "d_model / n_heads (d_head) must be a whole multiple of 4" };

export const translationConfigSchema = z
  .object({
    model_type: z.literal("edge-slm-seq2seq"),
    task: z.literal("translation"),
    ...encoder,
    n_dec_layers: size,
    target_languages: z.array(z.string()).min(1),
    generation,
  })
  .refine(headsFit, HEADS_FIT);

const areDistinct = (names: string[]) => new Set(names).size === names.length;

/** A linear layer on the vector of a text, one for each question that the model answers. */
const head = z
  .object({
    name: z.string().regex(/^[a-z][a-z0-9_]*$/, { error: "expected a name of a-z, 0-9 and _" }),
    labels: z.array(z.string()).min(2).refine(areDistinct, { error: "expected labels that differ" }),
    /** The logits are divided by it before the softmax, so that probabilities mean what they say (Guo et al. 2017). */
    temperature: z.number().positive(),
    /** The label that stands for "none of these", if the head was trained with one. */
    out_of_scope: z.string().nullable(),
    /** Where the best label is less probable than this, the answer is out of scope, too. Chosen at export. */
    out_of_scope_below: z.number().min(0).max(1).optional(),
  })
  .refine(({ labels, out_of_scope }) => out_of_scope === null || labels.includes(out_of_scope), {
    path: ["out_of_scope"],
    error: "expected one of the labels, or null",
  })
  .refine((head) => head.out_of_scope !== null || head.out_of_scope_below === undefined, {
    path: ["out_of_scope_below"],
    error: "expected an out_of_scope label beside it",
  });

const heads = z
  .array(head)
  .min(1)
  .refine((all) => areDistinct(all.map(({ name }) => name)), { error: "expected names that differ" });

/** The vector of a text is the mean of the encoder's outputs. */
export const encoderClassificationConfigSchema = z
  .object({
    model_type: z.literal("edge-slm-encoder"),
    task: z.literal("classification"),
    ...encoder,
    /** How many n-grams have vectors of their own (model/n-grams.ts). Default: none. */
    n_grams: size.optional(),
    heads,
  })
  .refine(headsFit, HEADS_FIT);

/**
 * A long short-term memory reads the text from its first token to its end token; its last state is the first one of a
 * second, which takes one step, from the embedding of the bos token. The state that it is in then is the vector of the
 * text.
 */
export const lstmClassificationConfigSchema = z.object({
  model_type: z.literal("edge-slm-lstm"),
  task: z.literal("classification"),
  d_embedding: size.multipleOf(16),
  /** Elements of a state, in encoder and decoder alike. */
  d_model: size.multipleOf(16),
  n_enc_layers: z.literal(1),
  n_dec_layers: z.literal(1),
  ...tokens,
  ...source,
  heads,
});

export const classificationConfigSchema = z.discriminatedUnion("model_type", [
  encoderClassificationConfigSchema,
  lstmClassificationConfigSchema,
]);

/** The vector of a text is the mean of the encoder's outputs, of length 1; near ones are of texts that mean the same. */
export const embeddingConfigSchema = z
  .object({ model_type: z.literal("edge-slm-encoder"), task: z.literal("embedding"), ...encoder })
  .refine(headsFit, HEADS_FIT);

/** Rows of the table of features; reading.ts says which is what. */
export const FEATURES = 32;

/**
 * A reader: the encoder over a question, a separator and a context, and over each of its outputs two logits, how well an
 * answer begins and how well it ends there. What it is given is in reading.ts.
 */
export const questionAnsweringConfigSchema = z
  .object({
    model_type: z.literal("edge-slm-encoder"),
    task: z.literal("question-answering"),
    ...encoder,
    /** A longer question is cut. */
    max_question_tokens: size,
    /** Words and marks of an answer, at most. */
    max_answer_words: size.max(64),
    /** Scores are divided by it before the softmax over the spans, so that probabilities mean what they say. */
    temperature: z.number().positive(),
    /** Where an answer is less sure than this, there is none. Chosen at export. */
    no_answer_below: z.number().min(0).max(1),
  })
  .refine(headsFit, HEADS_FIT)
  .refine((c) => 2 * (c.max_question_tokens + 2) <= c.max_seq_len, {
    path: ["max_question_tokens"],
    error: "expected less than half of max_seq_len, so that a context has room beside a question",
  });

/**
 * Over the items of a history, oldest first: vocab_size are those of the catalogue, most frequent first, so that the first
 * of them are what a new user is shown; of a history the latest max_seq_len are read. Positions are learned and count from
 * the latest item back. The embedding is also the output projection.
 */
export const recommendationConfigSchema = z
  .object({
    model_type: z.literal("edge-slm-recommender"),
    task: z.literal("recommendation"),
    ...network,
    /**
     * Item-based nearest neighbours that speak beside the network: with k = Σ decay^age · nearness over the items of the
     * history, the latest of age 0, an item's logit rises by weight · log(1 + factor · k). The `count` nearest of each item
     * are in the file. Chosen at export.
     */
    neighbours: z
      .object({
        count: size.multipleOf(16),
        decay: z.number().positive().max(1),
        factor: z.number().positive(),
        weight: z.number().positive(),
      })
      .optional(),
    /** The first ids of the catalogue, for people who want to try it; `items.txt` has them all. */
    most_popular: z.array(z.string()).max(20),
    card,
  })
  .refine(headsFit, HEADS_FIT);

export const modelConfigSchema = z.discriminatedUnion("task", [
  translationConfigSchema,
  classificationConfigSchema,
  embeddingConfigSchema,
  questionAnsweringConfigSchema,
  recommendationConfigSchema,
]);

export type TranslationConfig = z.infer<typeof translationConfigSchema>;
export type EncoderClassificationConfig = z.infer<typeof encoderClassificationConfigSchema>;
export type LstmClassificationConfig = z.infer<typeof lstmClassificationConfigSchema>;
export type ClassificationConfig = EncoderClassificationConfig | LstmClassificationConfig;
export type EmbeddingConfig = z.infer<typeof embeddingConfigSchema>;
export type QuestionAnsweringConfig = z.infer<typeof questionAnsweringConfigSchema>;
export type RecommendationConfig = z.infer<typeof recommendationConfigSchema>;
export type ModelConfig = z.infer<typeof modelConfigSchema>;
export type Task = ModelConfig["task"];
/** The configuration of a model for one task. */
export type ConfigOf<T extends Task> = Extract<ModelConfig, { task: T }>;
/** Those of a transformer. */
export type TransformerConfig =
  | TranslationConfig
  | EncoderClassificationConfig
  | EmbeddingConfig
  | QuestionAnsweringConfig
  | RecommendationConfig;
/** Of a model that reads text. */
export type TextModelConfig = Exclude<ModelConfig, RecommendationConfig>;
/** The part of a configuration that the encoder needs. */
export type EncoderConfig = Pick<
  TransformerConfig,
  "d_model" | "d_ff" | "n_heads" | "n_enc_layers" | "vocab_size" | "max_seq_len" | "activation" | "layer_norm_eps"
>;

/** The most a message lists: who has more wrong has another file. */
const MAX_ISSUES = 4;

/** What is wrong with a file or a setting, in one line. */
export function describeIssues(error: z.ZodError): string {
  const lines = error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message));
  const more = lines.length > MAX_ISSUES ? `; and ${lines.length - MAX_ISSUES} more` : "";
  return lines.slice(0, MAX_ISSUES).join("; ") + more;
}

/**
 * Parses the text of a `config.json`.
 * @throws Error naming each key that is missing or wrong
 */
export function parseModelConfig(text: string): ModelConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error(`config.json: expected JSON, got ${JSON.stringify(text.slice(0, 40))}`, { cause });
  }
  const result = modelConfigSchema.safeParse(json);
  if (!result.success) throw new Error(`config.json: ${describeIssues(result.error)}`);
  return result.data;
}

/**
 * The same of a model for one task.
 * @throws Error also if it is for another
 */
export function parseConfigOf<T extends Task>(task: T, text: string): ConfigOf<T> {
  return expectTask(task, parseModelConfig(text));
}

/** @throws Error if the model is for another task */
export function expectTask<T extends Task>(task: T, config: ModelConfig): ConfigOf<T> {
  if (!isFor(task, config)) throw new Error(`config.json: expected a model for ${task}, got one for ${config.task}`);
  return config;
}

function isFor<T extends Task>(task: T, config: ModelConfig): config is ConfigOf<T> {
  return config.task === task;
}

/** @throws Error if the model is none */
export function expectTransformer<Config extends ModelConfig>(
  config: Config,
): Exclude<Config, { model_type: "edge-slm-lstm" }> {
  if (config.model_type === "edge-slm-lstm") throw new Error(`expected a transformer, got an ${config.model_type}`);
  return config as Exclude<Config, { model_type: "edge-slm-lstm" }>;
}

/** Channels of one attention head. */
export function headSize(config: Pick<TransformerConfig, "d_model" | "n_heads">): number {
  return config.d_model / config.n_heads;
}

/** One weight of the network: a matrix that multiplies (quantized at export) or a vector (kept in f32). */
export interface TensorSpec {
  name: string;
  /** Matrices are [n, k]: n output channels, k input channels, as PyTorch's `nn.Linear.weight`. */
  shape: [number, number] | [number];
  kind: "matrix" | "positions" | "learned_positions" | "n_grams" | "norm_weight" | "norm_bias" | "bias";
}

/**
 * Every tensor of the network in file order. Training creates exactly these, export quantizes the matrices, the
 * engine reads them: the one list all three share.
 */
export function tensorSpecs(config: ModelConfig): TensorSpec[] {
  return config.model_type === "edge-slm-lstm" ? lstmSpecs(config) : transformerSpecs(config);
}

/** Numbers of the network, as tensorSpecs lists them. */
export function countParameters(config: ModelConfig): number {
  return tensorSpecs(config).reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}

/** Gates are stacked as PyTorch and Keras stack them: input gate, forget gate, candidate, output gate. */
function lstmSpecs({ d_embedding, d_model, vocab_size, heads }: LstmClassificationConfig): TensorSpec[] {
  const cell = (side: "encoder" | "decoder"): TensorSpec[] => [
    { name: `${side}.input.weight`, shape: [4 * d_model, d_embedding], kind: "matrix" },
    { name: `${side}.input.bias`, shape: [4 * d_model], kind: "bias" },
    { name: `${side}.recurrent.weight`, shape: [4 * d_model, d_model], kind: "matrix" },
  ];
  return [
    { name: "embedding.weight", shape: [vocab_size, d_embedding], kind: "matrix" },
    ...cell("encoder"),
    ...cell("decoder"),
    ...heads.flatMap(({ name, labels }) => linearSpecs(`heads.${name}`, labels.length, d_model)),
  ];
}

function linearSpecs(name: string, n: number, k: number): TensorSpec[] {
  return [
    { name: `${name}.weight`, shape: [n, k], kind: "matrix" },
    { name: `${name}.bias`, shape: [n], kind: "bias" },
  ];
}

function transformerSpecs(config: TransformerConfig): TensorSpec[] {
  const { d_model, d_ff, vocab_size, max_seq_len } = config;
  const specs: TensorSpec[] = [
    { name: "embedding.weight", shape: [vocab_size, d_model], kind: "matrix" },
    {
      name: "positions.weight",
      shape: [max_seq_len, d_model],
      kind: config.task === "recommendation" ? "learned_positions" : "positions",
    },
  ];
  const linear = (name: string, n: number, k: number) => specs.push(...linearSpecs(name, n, k));
  const norm = (name: string) =>
    specs.push(
      { name: `${name}.weight`, shape: [d_model], kind: "norm_weight" },
      { name: `${name}.bias`, shape: [d_model], kind: "norm_bias" },
    );
  const selfAttention = (layer: string) => {
    norm(`${layer}.self_norm`);
    linear(`${layer}.self_qkv`, 3 * d_model, d_model);
    linear(`${layer}.self_out`, d_model, d_model);
  };
  const feedForward = (layer: string) => {
    norm(`${layer}.ffn_norm`);
    linear(`${layer}.ffn_up`, d_ff, d_model);
    linear(`${layer}.ffn_down`, d_model, d_ff);
  };
  for (let i = 0; i < config.n_enc_layers; i++) {
    const layer = `encoder.${i}`;
    selfAttention(layer);
    feedForward(layer);
  }
  norm("encoder.norm");
  if (config.task === "embedding" || config.task === "recommendation") return specs;
  if (config.task === "classification") {
    const { n_grams } = config;
    if (n_grams) {
      specs.push({ name: "n_grams.tokens", shape: [n_grams, MAX_N_GRAM], kind: "n_grams" });
      specs.push({ name: "n_grams.weight", shape: [n_grams, d_model], kind: "matrix" });
    }
    for (const { name, labels } of config.heads) linear(`heads.${name}`, labels.length, d_model);
    return specs;
  }
  if (config.task === "question-answering") {
    specs.push({ name: "features.weight", shape: [FEATURES, d_model], kind: "matrix" });
    linear("span", 2, d_model);
    return specs;
  }
  for (let i = 0; i < config.n_dec_layers; i++) {
    const layer = `decoder.${i}`;
    selfAttention(layer);
    norm(`${layer}.cross_norm`);
    linear(`${layer}.cross_q`, d_model, d_model);
    linear(`${layer}.cross_kv`, 2 * d_model, d_model);
    linear(`${layer}.cross_out`, d_model, d_model);
    feedForward(layer);
  }
  norm("decoder.norm");
  return specs;
}

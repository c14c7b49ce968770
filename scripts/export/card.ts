/** The model card, card.md: what a person should know before using the weights, from `config.json`'s facts. */
import { readFile, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { type ModelConfig, parseModelConfig } from "../../worker/model/config.ts";
import { writeWhole } from "../training/checkpoint.ts";
import { parameterCount, parameterSlices } from "../training/parameters.ts";

export interface CardFacts {
  id: string;
  config: ModelConfig;
  parameters: number;
  /** Bytes of model.safetensors. */
  bytes: number;
  /** The command that made it; default: those of a recipe. */
  command?: string;
}

type Row = [name: string, value: string | number];

/** What only one kind of model has. */
function kindRows(config: ModelConfig): Row[] {
  if (config.task === "translation") {
    return [
      ["languages", `${config.source_languages.join(", ")} → ${config.target_languages.join(", ")}`],
      ["n_enc_layers, n_dec_layers", `${config.n_enc_layers}, ${config.n_dec_layers}`],
    ];
  }
  if (config.task === "embedding") {
    return [
      ["languages", config.source_languages.join(", ")],
      ["n_enc_layers", config.n_enc_layers],
    ];
  }
  if (config.task === "question-answering") {
    return [
      ["languages", config.source_languages.join(", ")],
      ["n_enc_layers", config.n_enc_layers],
      ["max_seq_len, max_question_tokens", `${config.max_seq_len}, ${config.max_question_tokens}`],
      ["max_answer_words", config.max_answer_words],
    ];
  }
  if (config.task === "recommendation") {
    return [
      ["items of a history, at most", config.max_seq_len],
      ["n_enc_layers", config.n_enc_layers],
      ...(config.neighbours ? ([["nearest neighbours of an item", config.neighbours.count]] satisfies Row[]) : []),
    ];
  }
  const heads = config.heads.map(({ name, labels }) => `${name} (${labels.length})`);
  return [
    ["languages", config.source_languages.join(", ")],
    ["n_enc_layers", config.n_enc_layers],
    ["tasks (labels)", heads.join(", ")],
  ];
}

function sizesRow(config: ModelConfig): Row {
  if (config.model_type === "edge-slm-lstm") {
    return ["d_embedding, d_model", `${config.d_embedding}, ${config.d_model}`];
  }
  return ["d_model, d_ff, n_heads", `${config.d_model}, ${config.d_ff}, ${config.n_heads}`];
}

export function modelCard({ id, config, parameters, bytes, command }: CardFacts): string {
  const { card } = config;
  const rows = (entries: Row[]) => entries.map(([key, value]) => `| ${key} | ${value} |`);
  return [
    `# ${id}`,
    "",
    card.description,
    "",
    "| fact | value |",
    "|---|---|",
    ...rows([
      ["parameters", parameters.toLocaleString("en")],
      ["bytes (int8)", bytes.toLocaleString("en")],
      sizesRow(config),
      [config.task === "recommendation" ? "items" : "vocab_size", config.vocab_size],
      ...kindRows(config),
      ["licence", card.licence],
    ]),
    "",
    "## Quality",
    "",
    "Of these int8 weights through the Worker's engine; chosen on dev, never on a test split.",
    "",
    "| figure | value |",
    "|---|---|",
    ...rows(Object.entries(card.quality)),
    "",
    ...(command ? [] : [`\`npm run eval -- ${id} --split <split>\` prints them.`, ""]),
    "## Training data",
    "",
    "| data set | rows | licence |",
    "|---|---|---|",
    ...card.training_data.map(({ name, rows, licence }) => `| ${name} | ${rows.toLocaleString("en")} | ${licence} |`),
    "",
    command
      ? `Trained, measured and exported with \`${command}\`.`
      : `Trained with \`npm run train -- ${id}\` and exported with \`npm run export -- ${id}\`.`,
    "",
  ].join("\n");
}

/** Writes measured figures into a model's config.json and card.md, beside those that are there. */
export async function recordQuality(modelDir: string, quality: Record<string, number>): Promise<void> {
  const path = join(modelDir, "config.json");
  const config = parseModelConfig(await readFile(path, "utf8"));
  config.card.quality = { ...config.card.quality, ...quality };
  const facts: CardFacts = {
    id: basename(resolve(modelDir)),
    config,
    parameters: parameterCount(parameterSlices(config)),
    bytes: (await stat(join(modelDir, "model.safetensors"))).size,
  };
  await writeWhole(join(modelDir, "card.md"), modelCard(facts));
  await writeWhole(path, `${JSON.stringify(config, null, 2)}\n`);
}

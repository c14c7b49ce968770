/** The model card, card.md: what a person should know before using the weights, from `config.json`'s facts. */
import type { ModelConfig } from "../../worker/model/config.ts";

export interface CardFacts {
  id: string;
  config: ModelConfig;
  parameters: number;
  /** Bytes of model.safetensors. */
  bytes: number;
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
  const heads = config.heads.map(({ name, labels }) => `${name} (${labels.length})`);
  return [
    ["languages", config.source_languages.join(", ")],
    ["n_enc_layers", config.n_enc_layers],
    ["tasks (labels)", heads.join(", ")],
  ];
}

export function modelCard({ id, config, parameters, bytes }: CardFacts): string {
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
      ["d_model, d_ff, n_heads", `${config.d_model}, ${config.d_ff}, ${config.n_heads}`],
      ["vocab_size", config.vocab_size],
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
    `\`npm run eval -- ${id} --split <split>\` prints them.`,
    "",
    "## Training data",
    "",
    "| data set | rows | licence |",
    "|---|---|---|",
    ...card.training_data.map(({ name, rows, licence }) => `| ${name} | ${rows.toLocaleString("en")} | ${licence} |`),
    "",
    `Trained with \`npm run train -- ${id}\` and exported with \`npm run export -- ${id}\`.`,
    "",
  ].join("\n");
}

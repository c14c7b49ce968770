/** The model card, card.md: what a person should know before using the weights, from `config.json`'s facts. */
import type { ModelConfig } from "../../worker/model/config.ts";

export interface CardFacts {
  id: string;
  config: ModelConfig;
  parameters: number;
  /** Bytes of model.safetensors. */
  bytes: number;
}

export function modelCard({ id, config, parameters, bytes }: CardFacts): string {
  const { card } = config;
  const rows = (entries: [string, string | number][]) => entries.map(([key, value]) => `| ${key} | ${value} |`);
  return [
    `# ${id}`,
    "",
    card.description,
    "",
    "| fact | value |",
    "|---|---|",
    ...rows([
      ["languages", `${config.source_languages.join(", ")} → ${config.target_languages.join(", ")}`],
      ["parameters", parameters.toLocaleString("en")],
      ["bytes (int8)", bytes.toLocaleString("en")],
      ["d_model, d_ff, n_heads", `${config.d_model}, ${config.d_ff}, ${config.n_heads}`],
      ["n_enc_layers, n_dec_layers", `${config.n_enc_layers}, ${config.n_dec_layers}`],
      ["vocab_size", config.vocab_size],
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

/**
 * `GET /v1/models`: what R2 holds.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../app.ts";
import { problemResponse } from "../errors.ts";
import type { Manifest } from "../model/manifest.ts";

const modelSchema = z
  .object({
    id: z.string(),
    version: z.string(),
    task: z.string(),
    description: z.string(),
    source_languages: z.array(z.string()),
    target_languages: z.array(z.string()),
    size: z.object({
      bytes: z.int().openapi({ description: "Of all files" }),
      d_model: z.int(),
      n_enc_layers: z.int(),
      n_dec_layers: z.int(),
      vocab_size: z.int(),
      max_seq_len: z.int().openapi({ description: "Tokens of one sentence; longer ones are cut" }),
    }),
    quality: z.record(z.string(), z.number()).openapi({ example: { "test2016 BLEU": 35.2 } }),
    licence: z.string().openapi({ description: "Of the model" }),
    training_data: z.array(z.object({ name: z.string(), licence: z.string(), rows: z.int() })),
  })
  .openapi("Model");

const modelsRoute = createRoute({
  method: "get",
  path: "/v1/models",
  summary: "The models that can be used",
  responses: {
    200: {
      description: "The models, ordered by id",
      content: { "application/json": { schema: z.object({ models: z.array(modelSchema) }) } },
    },
    503: problemResponse("R2 cannot be read"),
  },
});

export function addModels(app: App): void {
  app.openapi(modelsRoute, async (c) => {
    const manifests = await c.var.store.list(c.var.scope);
    return c.json({ models: manifests.map(describe) }, 200);
  });
}

function describe({ id, version, config, files }: Manifest): z.infer<typeof modelSchema> {
  const { d_model, n_enc_layers, n_dec_layers, vocab_size, max_seq_len } = config;
  return {
    id,
    version,
    task: config.task,
    description: config.card.description,
    source_languages: config.source_languages,
    target_languages: config.target_languages,
    size: {
      bytes: Object.values(files).reduce((sum, file) => sum + (file?.bytes ?? 0), 0),
      d_model,
      n_enc_layers,
      n_dec_layers,
      vocab_size,
      max_seq_len,
    },
    quality: config.card.quality,
    licence: config.card.licence,
    training_data: config.card.training_data,
  };
}

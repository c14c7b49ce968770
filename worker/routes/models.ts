/**
 * `GET /v1/models`: what R2 holds.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../context.ts";
import { problemResponse } from "../errors.ts";
import { countParameters } from "../model/config.ts";
import type { Manifest } from "../model/manifest.ts";
import { jsonAnswer, TAGS } from "../openapi.ts";

/** What every model has. */
const common = {
  id: z.string(),
  version: z.string(),
  description: z.string(),
  source_languages: z.array(z.string()).openapi({ description: "Of text; none of a recommender" }),
  quality: z.record(z.string(), z.number()).openapi({ example: { "test2016 BLEU": 35.2 } }),
  licence: z.string().openapi({ description: "Of the model" }),
  training_data: z.array(z.object({ name: z.string(), licence: z.string(), rows: z.int() })),
};

const size = {
  bytes: z.int().openapi({ description: "Of all files" }),
  parameters: z.int(),
  d_model: z.int(),
  n_enc_layers: z.int(),
  vocab_size: z.int(),
};

const translatorSchema = z
  .object({
    ...common,
    task: z.literal("translation"),
    target_languages: z.array(z.string()),
    size: z.object({
      ...size,
      n_dec_layers: z.int(),
      max_seq_len: z.int().openapi({ description: "Tokens of one sentence; longer ones are cut" }),
    }),
  })
  .openapi("TranslationModel");

const classifierSchema = z
  .object({
    ...common,
    task: z.literal("classification"),
    heads: z
      .array(
        z.object({
          name: z.string(),
          labels: z.array(z.string()),
          out_of_scope: z.string().nullable().openapi({ description: 'The label that stands for "none of these"' }),
        }),
      )
      .openapi({ description: "What can be asked for as `task`" }),
    size: z.object({
      ...size,
      max_seq_len: z.int().openapi({ description: "Tokens of one window; longer texts are read in several" }),
    }),
  })
  .openapi("ClassificationModel");

const embedderSchema = z
  .object({
    ...common,
    task: z.literal("embedding"),
    dimensions: z.int().openapi({ description: "Of a vector" }),
    size: z.object({
      ...size,
      max_seq_len: z.int().openapi({ description: "Tokens of one window; the vector of a longer text is their mean" }),
    }),
  })
  .openapi("EmbeddingModel");

const readerSchema = z
  .object({
    ...common,
    task: z.literal("question-answering"),
    no_answer_below: z
      .number()
      .openapi({ description: "An answer that is less sure is none, if the request says nothing" }),
    size: z.object({
      ...size,
      max_seq_len: z
        .int()
        .openapi({ description: "Tokens of question and window; longer contexts are read in several" }),
    }),
  })
  .openapi("QuestionAnsweringModel");

const recommenderSchema = z
  .object({
    ...common,
    task: z.literal("recommendation"),
    most_popular: z.array(z.string()).openapi({ description: "The first ids of the catalogue, to try it with" }),
    size: z.object({
      ...size,
      vocab_size: z.int().openapi({ description: "Items of the catalogue" }),
      max_seq_len: z.int().openapi({ description: "Items of a history that are read, the latest" }),
    }),
  })
  .openapi("RecommendationModel");

const modelSchema = z
  .discriminatedUnion("task", [translatorSchema, classifierSchema, readerSchema, embedderSchema, recommenderSchema])
  .openapi("Model");

const modelsRoute = createRoute({
  method: "get",
  path: "/v1/models",
  operationId: "listModels",
  tags: [TAGS.service.name],
  summary: "The models that can be used",
  responses: {
    200: jsonAnswer("The models, ordered by id", z.object({ models: z.array(modelSchema) }), {
      models: [
        {
          id: "multi30k-en-de",
          version: "0f3c5a7e9b1d",
          description: "English to German, sentences that describe a scene",
          source_languages: ["en"],
          quality: { "test2016 BLEU (13a, beam 5)": 36.1 },
          licence: "CC-BY-NC-SA-4.0",
          training_data: [{ name: "Multi30k", licence: "CC-BY-NC-SA-4.0", rows: 29_000 }],
          task: "translation",
          target_languages: ["de"],
          size: {
            bytes: 2_228_224,
            parameters: 1_737_344,
            d_model: 128,
            n_enc_layers: 4,
            n_dec_layers: 4,
            vocab_size: 4_000,
            max_seq_len: 256,
          },
        },
      ],
    }),
    503: problemResponse("R2 cannot be read"),
  },
});

export function addModels(app: App) {
  return app.openapi(modelsRoute, async (c) => {
    const manifests = await c.var.store.list(c.var.scope);
    return c.json({ models: manifests.map(describe) }, 200);
  });
}

function describe({ id, version, config, files }: Manifest): z.infer<typeof modelSchema> {
  const { d_model, n_enc_layers, vocab_size, max_seq_len, card } = config;
  const { description, quality, licence, training_data } = card;
  const source_languages = config.task === "recommendation" ? [] : config.source_languages;
  const common = { id, version, description, source_languages, quality, licence, training_data };
  const bytes = Object.values(files).reduce((sum, file) => sum + (file?.bytes ?? 0), 0);
  const size = { bytes, parameters: countParameters(config), d_model, n_enc_layers, vocab_size, max_seq_len };
  if (config.task === "translation") {
    const { task, target_languages, n_dec_layers } = config;
    return { ...common, task, target_languages, size: { ...size, n_dec_layers } };
  }
  if (config.task === "embedding") return { ...common, task: config.task, dimensions: d_model, size };
  if (config.task === "question-answering") {
    return { ...common, task: config.task, no_answer_below: config.no_answer_below, size };
  }
  if (config.task === "recommendation") {
    return { ...common, task: config.task, most_popular: config.most_popular, size };
  }
  const heads = config.heads.map(({ name, labels, out_of_scope }) => ({ name, labels, out_of_scope }));
  return { ...common, task: config.task, heads, size };
}

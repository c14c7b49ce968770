/**
 * `POST /v1/embeddings`: texts in, vectors of length 1 out, in the shapes of OpenAI
 * (https://platform.openai.com/docs/api-reference/embeddings), so that its clients work with this server.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../context.ts";
import { embedWindows } from "../embed.ts";
import { quantizeVector } from "../engine/vector-matrix.ts";
import { Problem } from "../errors.ts";
import { checkTexts } from "../middleware/limits.ts";
import { jsonAnswer, jsonBody, maybeKey, TAGS } from "../openapi.ts";
import { planWindows } from "../plan-windows.ts";
import { Stopwatch } from "../stopwatch.ts";
import { cleanText } from "../text/clean.ts";

const requestSchema = z
  .object({
    input: z
      .union([z.string().min(1), z.array(z.string().min(1)).min(1)], {
        error: "expected a string or a list of strings, none of them empty; tokens are of another model's vocabulary",
      })
      .openapi({ description: "Texts of any length up to the limit", example: "Where is my card?" }),
    model: z
      .string()
      .optional()
      .openapi({ description: "A model's id; without it the first that there is", example: "embed-en" }),
    encoding_format: z
      .enum(["float", "base64", "int8"])
      .default("float")
      .openapi({
        description:
          "`float`: a list of numbers; `base64`: the same as little-endian 32-bit floats; `int8`: whole numbers from −127 " +
          "to 127, which times `scale` are the vector to within a hundredth",
      }),
    dimensions: z
      .int()
      .positive()
      .optional()
      .openapi({ description: "The model's own number, if any: its vectors cannot be cut short" }),
    user: z.string().optional().openapi({ description: "Ignored" }),
  })
  .openapi("EmbeddingRequest");

const embeddingSchema = z.object({
  object: z.literal("embedding"),
  index: z.int(),
  embedding: z.union([z.array(z.number()), z.string()]).openapi({ description: "As `encoding_format` says" }),
  scale: z.number().optional().openapi({ description: "Of `int8`" }),
});

const responseSchema = z
  .object({
    object: z.literal("list"),
    data: z.array(embeddingSchema).openapi({ description: "One for each text, in order" }),
    model: z.string(),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
  })
  .openapi("EmbeddingResponse");

const errorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().openapi({ description: "The kind, as the `type` of the other routes' problems ends" }),
    }),
  })
  .openapi("OpenAIError");
const problem = (description: string) => ({ description, content: { "application/json": { schema: errorSchema } } });

const embeddingsRoute = createRoute({
  method: "post",
  path: "/v1/embeddings",
  operationId: "embed",
  tags: [TAGS.text.name],
  security: maybeKey,
  summary: "Embed text",
  description: "As OpenAI's, for its clients: set their base URL to `/v1` of this server. Errors are `{ error }`",
  request: jsonBody(requestSchema, { input: "Where is my card?", model: "embed-en" }),
  responses: {
    200: jsonAnswer("The vectors", responseSchema, {
      object: "list",
      data: [{ object: "embedding", index: 0, embedding: [0.0891, -0.0233, 0.1042] }],
      model: "embed-en",
      usage: { prompt_tokens: 5, total_tokens: 5 },
    }),
    400: problem("The request is malformed"),
    401: problem("The API key is missing or wrong"),
    402: problem("The request must be paid"),
    403: problem("The key may not do this, or its spending limit is reached"),
    404: problem("There is no such model"),
    409: problem("The same request is in work"),
    413: problem("The body is too long"),
    415: problem("The body is not JSON"),
    422: problem("The text is in another alphabet, or the Idempotency-Key was used"),
    429: problem("Too many requests"),
    503: problem("The model cannot be loaded; retry later"),
  },
});

export function addEmbeddings(app: App) {
  return app.openapi(embeddingsRoute, async (c) => {
    const { input, model, encoding_format, dimensions } = c.req.valid("json");
    const { scope, store, payment } = c.var;
    const given = typeof input === "string" ? [input] : input;
    const characters = checkTexts(given, scope.settings);
    const watch = new Stopwatch(["load_ms", "queue_ms", "embed_ms"]);
    const [manifest] = await store.candidates(scope, "embedding", model);
    const { d_model } = manifest!.config;
    if (dimensions !== undefined && dimensions !== d_model) {
      throw new Problem(
        "malformed_request",
        `dimensions: expected ${d_model}, as ${manifest!.id} has, or none; got ${dimensions}`,
      );
    }
    await payment.reserve({ task: "embedding", model: manifest!.id, characters });
    const lease = await store.acquire(scope, manifest!);
    try {
      watch.lap("load_ms");
      await lease.enter(1);
      watch.lap("queue_ms");
      const plan = planWindows(given.map(cleanText), lease.model);
      const embeddings = await embedWindows(plan, lease.model, { signal: c.req.raw.signal });
      watch.lap("embed_ms");
      Object.assign(c.var.timings, watch.laps);
      const tokens = embeddings.reduce((sum, embedding) => sum + embedding.tokens, 0);
      return c.json(
        {
          object: "list" as const,
          data: embeddings.map(({ vector }, index) => ({
            object: "embedding" as const,
            index,
            ...encodeVector(vector, encoding_format),
          })),
          model: lease.model.manifest.id,
          usage: { prompt_tokens: tokens, total_tokens: tokens },
        },
        200,
      );
    } finally {
      lease.release();
    }
  });
}

function encodeVector(
  vector: Float32Array,
  format: z.output<typeof requestSchema>["encoding_format"],
): { embedding: number[] | string; scale?: number } {
  switch (format) {
    case "float":
      return { embedding: Array.from(vector) };
    case "base64": {
      const bytes = new DataView(new ArrayBuffer(4 * vector.length));
      for (const [i, value] of vector.entries()) bytes.setFloat32(4 * i, value, true);
      return { embedding: new Uint8Array(bytes.buffer).toBase64() };
    }
    case "int8": {
      const { q, scale } = quantizeVector(vector);
      return { embedding: Array.from(q), scale };
    }
  }
}

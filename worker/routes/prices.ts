/** `GET /v1/prices`: what a call costs, by model. */
import { createRoute, z } from "@hono/zod-openapi";
import { CURRENCY, formatMoney, MICROS_PER_UNIT } from "../billing/money.ts";
import { priceOf } from "../billing/pricing.ts";
import type { App } from "../context.ts";
import { problemResponse } from "../errors.ts";
import { jsonAnswer, TAGS } from "../openapi.ts";

const microsSchema = z.int().openapi({ description: `In 1/${MICROS_PER_UNIT} of the currency` });

const priceSchema = z
  .object({
    model: z.string(),
    task: z.enum(["translation", "classification", "question-answering", "embedding", "recommendation"]),
    per_1000_characters: microsSchema,
    minimum: microsSchema.openapi({ description: "Of a call" }),
    example: z.string().openapi({ description: "1,000 characters, in units of the currency", example: "0.001000" }),
  })
  .openapi("Price");

const pricesRoute = createRoute({
  method: "get",
  path: "/v1/prices",
  operationId: "listPrices",
  tags: [TAGS.service.name],
  summary: "What a call costs",
  description:
    "A call costs its source characters (UTF-16 units; of a recommendation those of the ids that are sent) × " +
    "`per_1000_characters` / 1000, rounded up, and `minimum` at least. " +
    "What fails costs nothing; of a stream that its reader left, the sentences that were begun are paid",
  responses: {
    200: jsonAnswer(
      "The prices, ordered by model; `billing` says whether they are asked for",
      z.object({ billing: z.boolean(), currency: z.string(), prices: z.array(priceSchema) }),
      {
        billing: true,
        currency: "USD",
        prices: [
          {
            model: "multi30k-en-de",
            task: "translation",
            per_1000_characters: 1_000,
            minimum: 100,
            example: "0.001000",
          },
        ],
      },
    ),
    503: problemResponse("R2 cannot be read"),
  },
});

export function addPrices(app: App) {
  return app.openapi(pricesRoute, async (c) => {
    const { scope, store } = c.var;
    const manifests = await store.list(scope);
    const prices = manifests.map(({ id: model, config: { task } }) => {
      const { perThousandCharacters, minimum } = priceOf(scope.settings.prices, task, model);
      const example = formatMoney(Math.max(perThousandCharacters, minimum));
      return { model, task, per_1000_characters: perThousandCharacters, minimum, example };
    });
    return c.json({ billing: scope.settings.billing === "on", currency: CURRENCY, prices }, 200);
  });
}

/** The settings of a knowledge base, as they are sent and as they are kept. */
import { z } from "@hono/zod-openapi";

export const baseIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, "expected 1 to 64 of a-z, 0-9, - and _, beginning with a letter or digit");

export const baseSettingsSchema = z
  .strictObject({
    name: z.string().trim().max(200).optional(),
    threshold: z.number().min(0).max(1).optional().openapi({
      description: "An answer that is less sure is handed over; without one, what was calibrated holds",
    }),
    handoff_webhook: z.string().max(2_000).optional().openapi({
      description: "Where a question goes that was not answered, signed as Standard Webhooks says",
      example: "https://example.com/handoff",
    }),
  })
  .openapi("KnowledgeBaseSettings");

export interface Base extends z.output<typeof baseSettingsSchema> {
  id: string;
  createdMs: number;
  /** What the signing secret of the webhook is derived from, sealed; if there ever was a webhook. */
  sealedSeed?: string;
}

/** The model that made a base's vectors; those of another one cannot be compared. */
export interface VectorModel {
  id: string;
  /** sha256 of its weights. */
  weights: string;
  dimensions: number;
}

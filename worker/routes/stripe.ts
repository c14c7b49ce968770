/** `POST /v1/stripe`: where Stripe sends its events. */
import { createRoute, z } from "@hono/zod-openapi";
import { countStripeEvent, readStripeEvent } from "../billing/stripe.ts";
import type { App } from "../context.ts";
import { Problem, problemResponse } from "../errors.ts";
import { jsonAnswer, TAGS } from "../openapi.ts";

const stripeRoute = createRoute({
  method: "post",
  path: "/v1/stripe",
  operationId: "receiveStripeEvent",
  tags: [TAGS.operator.name],
  summary: "Stripe's webhook: a paid checkout adds credit, a refund takes it off",
  request: { headers: z.object({ "stripe-signature": z.string().default("") }) },
  responses: {
    200: jsonAnswer(
      "The event is counted, or was before, or is none that counts",
      z.object({ outcome: z.enum(["counted", "known", "ignored"]) }),
      { outcome: "counted" },
    ),
    400: problemResponse("The event is malformed"),
    401: problemResponse("The signature is wrong or old"),
    404: problemResponse("There is no such account"),
    413: problemResponse("The body is too long"),
    503: problemResponse("The Worker has no STRIPE_WEBHOOK_SECRET"),
  },
});

export function addStripe(app: App): void {
  app.openapi(stripeRoute, async (c) => {
    const { stripeWebhookSecret } = c.var.scope.settings;
    if (stripeWebhookSecret === undefined) {
      throw new Problem("not_configured", "the Worker has no STRIPE_WEBHOOK_SECRET; `wrangler secret put` sets it");
    }
    const signature = c.req.valid("header")["stripe-signature"];
    const event = await readStripeEvent(await c.req.text(), signature, stripeWebhookSecret);
    return c.json({ outcome: await countStripeEvent(c.env, event) }, 200);
  });
}

/** Signs events as their senders do, with the senders' own libraries where there are any. */
import { createHmac, randomUUID } from "node:crypto";
import { sign as signGithub } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import Stripe from "stripe";

export const KINDS = ["standard", "github", "stripe", "custom-hmac", "none"] as const;
export type Kind = (typeof KINDS)[number];

export interface SendOptions {
  /** The sender's id of the event. Stripe's is in the body. */
  id?: string;
  /** GitHub's kind of event. */
  event?: string;
  atMs?: number;
}

/** The custom sender of the tests and of the command line: hex in one header, seconds in another, both signed. */
export const customSource = {
  kind: "custom-hmac",
  header: "x-signature",
  prefix: "v0=",
  signed_content: "v0:{timestamp}:{body}",
  timestamp_header: "x-timestamp",
  id_pointer: "/id",
} as const;

/** @returns the headers of the request */
export async function signRequest(
  kind: Kind,
  secret: string,
  body: string,
  { id = randomUUID(), event = "issues", atMs = Date.now() }: SendOptions = {},
): Promise<Record<string, string>> {
  const seconds = Math.floor(atMs / 1000);
  const type = { "content-type": "application/json" };
  switch (kind) {
    case "standard":
      return {
        ...type,
        "webhook-id": id,
        "webhook-timestamp": String(seconds),
        "webhook-signature": new Webhook(secret).sign(id, new Date(atMs), body),
      };
    case "github":
      return {
        ...type,
        "user-agent": "GitHub-Hookshot/edge-slm",
        "x-github-event": event,
        "x-github-delivery": id,
        "x-hub-signature-256": await signGithub(secret, body),
      };
    case "stripe": {
      const options = { payload: body, secret, timestamp: seconds };
      return { ...type, "stripe-signature": Stripe.webhooks.generateTestHeaderString(options) };
    }
    case "custom-hmac": {
      const mac = createHmac("sha256", secret).update(`v0:${seconds}:${body}`).digest("hex");
      return { ...type, "x-timestamp": String(seconds), "x-signature": `v0=${mac}` };
    }
    case "none":
      return type;
  }
}

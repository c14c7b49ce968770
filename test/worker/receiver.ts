/**
 * A receiver of webhooks for the tests that run in workerd: an HTTP server of its own, started by Vitest. A test names
 * its own place, plans what it answers, and reads what came. It also signs as Stripe, whose library is too large to be
 * loaded into workerd for each test file.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import Stripe from "stripe";
import type { TestProject } from "vitest/node";

/** One answer; the last of a plan is repeated. */
export interface PlannedAnswer {
  status: number;
  headers?: Record<string, string>;
  delayMs?: number;
}

export interface Delivery {
  headers: Record<string, string>;
  body: string;
  atMs: number;
}

declare module "vitest" {
  export interface ProvidedContext {
    receiverUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const plans = new Map<string, PlannedAnswer[]>();
  const deliveries = new Map<string, Delivery[]>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const [, verb, place = ""] = (request.url ?? "").split("/");
    if (verb === "plan") {
      plans.set(place, JSON.parse(body));
      response.end();
    } else if (verb === "log") {
      response.end(JSON.stringify(deliveries.get(place) ?? []));
    } else if (verb === "stripe") {
      response.end(Stripe.webhooks.generateTestHeaderString(JSON.parse(body)));
    } else {
      const headers = request.headers as Record<string, string>;
      deliveries.set(place, [...(deliveries.get(place) ?? []), { headers, body, atMs: Date.now() }]);
      const plan = plans.get(place) ?? [];
      const answer = (plan.length > 1 ? plan.shift() : plan[0]) ?? { status: 204 };
      await new Promise((done) => setTimeout(done, answer.delayMs ?? 0));
      response.writeHead(answer.status, answer.headers).end();
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  project.provide("receiverUrl", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return async () => {
    server.closeAllConnections();
    server.close();
  };
}

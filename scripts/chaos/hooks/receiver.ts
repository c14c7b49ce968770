/**
 * A receiver that fails: it refuses some deliveries before it does anything, and some after it has done what they ask
 * for, closes the connection on others, and does everything once for each `webhook-id`.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";

export class Receiver {
  /** By the sender's id: how often the effect happened, when first, and with which label. */
  readonly effects = new Map<string, { count: number; firstMs: number; label: string | null; place: string }>();
  /** Deliveries in all, those that failed, and those whose signature did not fit. */
  requests = 0;
  failures = 0;
  forged = 0;
  readonly #seen = new Set<string>();
  readonly #secrets = new Map<string, string[]>();
  readonly #server: Server;

  /** @param failureRate share of the deliveries that fail */
  constructor(failureRate: number) {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      this.requests++;
      const body = Buffer.concat(chunks).toString();
      const headers = request.headers as Record<string, string>;
      if (this.#secrets.size > 0 && !this.#verify(request.url!, body, headers)) {
        this.forged++;
        response.writeHead(401).end();
        return;
      }
      const fate = Math.random();
      // A third of the failures come after the effect.
      if (fate >= failureRate || fate < failureRate / 3) this.#act(request.url!, body, headers["webhook-id"]!);
      if (fate >= failureRate) {
        response.writeHead(204).end();
        return;
      }
      this.failures++;
      if (Math.random() < 0.1) request.socket.destroy();
      else response.writeHead([500, 502, 503, 429, 404][Math.floor(Math.random() * 5)]!).end();
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
  }

  urlOf(place: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${place}`;
  }

  /** From now on signatures are verified. Several hooks may deliver to one place. */
  trust(signingSecrets: Map<string, string>): void {
    for (const [url, secret] of signingSecrets) {
      const place = new URL(url).pathname;
      this.#secrets.set(place, [...(this.#secrets.get(place) ?? []), secret]);
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  #verify(place: string, body: string, headers: Record<string, string>): boolean {
    return (this.#secrets.get(place) ?? []).some((secret) => {
      try {
        new Webhook(secret).verify(body, headers);
        return true;
      } catch {
        return false;
      }
    });
  }

  #act(place: string, body: string, webhookId: string): void {
    if (this.#seen.has(webhookId)) return;
    this.#seen.add(webhookId);
    const { data } = JSON.parse(body) as {
      data: { payload: { id: string }; classification: { label: string } | null };
    };
    const effect = this.effects.get(data.payload.id);
    if (effect) effect.count++;
    else {
      const label = data.classification?.label ?? null;
      this.effects.set(data.payload.id, { count: 1, firstMs: performance.now(), label, place });
    }
  }
}

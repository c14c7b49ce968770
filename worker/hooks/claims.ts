/** Makes claims of events: the requests to their destinations, signed, for whoever attempts the deliveries. */
import type { Settings } from "../env.ts";
import type { Claim } from "./delivery.ts";
import type { EventRow } from "./event-store.ts";
import { type Hook, liveSecrets } from "./hook.ts";
import { deliveryBody } from "./payload.ts";
import { requireHooksKey, signingSecret, unseal } from "./secrets.ts";
import { signDelivery } from "./signatures.ts";

export class ClaimSigner {
  readonly #settings: Settings;
  /** Derived for each destination. */
  readonly #secrets = new Map<string, Promise<string>>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /**
   * @param rows whose attempts were counted
   * @throws Error if HOOKS_KEY is missing, or another one than the hook's secrets were sealed with
   */
  sign(hook: Hook, rows: EventRow[], nowMs: number): Promise<Claim[]> {
    const seeds = liveSecrets(hook.signingSeeds, nowMs);
    return Promise.all(
      rows.map(async (row) => {
        const secrets = await Promise.all(seeds.map(({ sealed }) => this.#secretOf(hook, sealed, row.destination!)));
        return claimOf(hook, row, secrets, nowMs);
      }),
    );
  }

  /** The hook has changed. */
  forget(): void {
    this.#secrets.clear();
  }

  #secretOf(hook: Hook, sealed: string, destination: string): Promise<string> {
    const name = `${sealed} ${destination}`;
    let secret = this.#secrets.get(name);
    if (!secret) {
      const key = requireHooksKey(this.#settings.hooksKey);
      secret = unseal(sealed, hook.id, key).then((seed) => signingSecret(seed, destination));
      this.#secrets.set(name, secret);
    }
    return secret;
  }
}

async function claimOf(hook: Hook, row: EventRow, secrets: string[], nowMs: number): Promise<Claim> {
  const body = deliveryBody(hook, row);
  const headers = {
    ...(JSON.parse(row.headers) as Record<string, string>),
    ...(await signDelivery(row.id, body, secrets, nowMs)),
    "content-type": "application/json",
    "user-agent": "edge-slm-hooks/1",
  };
  const { id: event, round, attempts, due_ms: leaseMs } = row;
  return { event, round, attempt: attempts, leaseMs, url: row.destination!, headers, body };
}

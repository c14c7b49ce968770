/** What one address used for free on one day, exactly: a Durable Object for each, which deletes itself afterwards. */
import { DurableObject } from "cloudflare:workers";
import type { Env } from "../env.ts";

const DAY_MS = 24 * 3600_000;

export class FreeQuota extends DurableObject<Env> {
  /** @returns characters left after taking, or, if they are too few, `taken: false` */
  async take(characters: number, limit: number): Promise<{ taken: boolean; remaining: number }> {
    const { kv } = this.ctx.storage;
    const used = kv.get<number>("used") ?? 0;
    if (used + characters > limit) return { taken: false, remaining: Math.max(0, limit - used) };
    if (used === 0) await this.ctx.storage.setAlarm(Date.now() + DAY_MS);
    kv.put("used", used + characters);
    return { taken: true, remaining: limit - used - characters };
  }

  giveBack(characters: number): void {
    const { kv } = this.ctx.storage;
    kv.put("used", Math.max(0, (kv.get<number>("used") ?? 0) - characters));
  }

  override async alarm(): Promise<void> {
    await this.ctx.storage.deleteAll();
  }
}

/** A stranger uses what an address may have for nothing: so many requests a minute, and so many characters a day. */
import type { Env } from "../env.ts";
import { Problem } from "../errors.ts";
import type { Answer, Charge, Work } from "./charge.ts";
import type { FreeQuota } from "./free-quota.ts";
import { rateLimitHeaders } from "./rate-limit-headers.ts";
import { today } from "./usage.ts";

/** As wrangler.toml has it for the binding FREE_LIMIT, which does not tell. */
const WINDOW_SECONDS = 60;

export class FreeCharge implements Charge {
  readonly scheme = "free";
  readonly keepsAnswer = false;
  readonly settlesAtFirstToken = false;
  readonly #env: Env;
  readonly #address: string;
  readonly #limit: number;
  readonly #demand: ((headers: Record<string, string>) => Promise<Problem>) | undefined;
  #quota: DurableObjectStub<FreeQuota> | undefined;
  #characters = 0;
  headers: Record<string, string> = {};

  /**
   * @param address of the caller
   * @param limit characters a day
   * @param demand how to ask for money when they are used up; without it, a key is asked for
   */
  constructor(
    env: Env,
    address: string,
    limit: number,
    demand: ((headers: Record<string, string>) => Promise<Problem>) | undefined,
  ) {
    this.#demand = demand;
    this.#env = env;
    this.#address = networkOf(address);
    this.#limit = limit;
  }

  /** @throws Problem rate_limited; payment_required if today's characters are used up */
  async reserve({ characters }: Work): Promise<Answer | undefined> {
    const { success } = await this.#env.FREE_LIMIT.limit({ key: this.#address });
    if (!success) {
      throw new Problem("rate_limited", `too many requests without a key; retry in ${WINDOW_SECONDS} s`, {
        headers: { "retry-after": String(WINDOW_SECONDS) },
      });
    }
    this.#quota = this.#env.FREE_QUOTA.getByName(await quotaName(this.#address));
    const { taken, remaining } = await this.#quota.take(characters, this.#limit);
    const resetSeconds = Math.ceil((Date.parse(today()) + 86_400_000 - Date.now()) / 1000);
    const quota = { name: "free", limit: this.#limit, windowSeconds: 86_400, remaining, resetSeconds };
    this.headers = rateLimitHeaders({ ...quota, unit: "characters" });
    if (!taken) {
      const detail = `${this.#limit} characters a day are free, ${remaining} are left today, the request has ${characters}`;
      if (this.#demand) throw await this.#demand(this.headers);
      throw new Problem("payment_required", detail, { headers: this.headers });
    }
    this.#characters = characters;
    return undefined;
  }

  async settle(): Promise<Record<string, string>> {
    return {};
  }

  async finish(): Promise<void> {}

  async release(): Promise<void> {
    await this.#quota?.giveBack(this.#characters);
  }

  async reverse(): Promise<void> {
    await this.release();
  }

  async extend(): Promise<void> {}
}

/** An IPv6 customer has a /64 of addresses. */
function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("::");
  const groups = head.split(":").filter((group) => group !== "");
  if (tail !== undefined) while (groups.length < 8 - tail.split(":").filter((g) => g !== "").length) groups.push("0");
  return groups.slice(0, 4).join(":");
}

/** The address itself is kept nowhere. */
async function quotaName(address: string): Promise<string> {
  const name = new TextEncoder().encode(`${today()} ${address}`);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", name)).toHex();
}

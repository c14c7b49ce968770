/** What billing costs in time: the same request to the same Worker with BILLING off and on, in turns. */
import { Agent, request as httpRequest } from "node:http";
import type { ChaosShop } from "./shop.ts";

const WARM_UP = 100;
const PAIRS = 300;
const BODY = JSON.stringify({ text: "A dog runs. A cat sleeps.", source: "en", target: "de" });

export interface AddedTime {
  /** Of the differences within the pairs. */
  medianMs: number;
  withoutMs: number;
  withMs: number;
  pairs: number;
}

export async function addedTime(shop: ChaosShop, key: string): Promise<AddedTime> {
  // Two processes share one folder of models, and only one of them writes the ledger.
  const free = await shop.start({ BILLING: "off" });
  const paid = await shop.start();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const without: number[] = [];
    const withBilling: number[] = [];
    for (let i = -WARM_UP; i < PAIRS; i++) {
      const freeMs = await time(agent, free.url, {});
      const paidMs = await time(agent, paid.url, { authorization: `Bearer ${key}` });
      if (i < 0) continue;
      without.push(freeMs);
      withBilling.push(paidMs);
    }
    const differences = withBilling.map((ms, i) => ms - without[i]!);
    return { medianMs: median(differences), withoutMs: median(without), withMs: median(withBilling), pairs: PAIRS };
  } finally {
    agent.destroy();
    await free.kill();
    await paid.kill();
  }
}

function time(agent: Agent, url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((done, failed) => {
    const startMs = performance.now();
    const all = { "content-type": "application/json", "content-length": Buffer.byteLength(BODY), ...headers };
    const request = httpRequest(`${url}/v1/translate`, { agent, method: "POST", headers: all }, (response) => {
      response.resume();
      response.on("end", () => {
        if (response.statusCode === 200) done(performance.now() - startMs);
        else failed(new Error(`chaos: a request that is timed was answered ${response.statusCode}`));
      });
    });
    request.on("error", failed);
    request.end(BODY);
  });
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

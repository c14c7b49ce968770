/**
 * How long the intake takes at a steady rate, and an event from its sender to its receiver. Events leave at their times
 * whether or not earlier ones were answered, and waiting counts from that time on (no coordinated omission). The
 * receiver verifies nothing: it shares this process with the clock.
 */
import { unstable_readConfig } from "wrangler";
import { configPath } from "../../publish/bucket.ts";
import type { Row } from "../table.ts";
import { type Headers, post } from "./http.ts";
import { Receiver } from "./receiver.ts";
import { type ChaosEvent, makeEvent, makeHook, sign } from "./scenery.ts";
import type { HooksWorker } from "./worker.ts";

export interface LatencyOptions {
  rate: number;
  seconds: number;
}

const INTAKE_BAR_MS = 50;
const DELIVERY_BAR_MS = 300;
const WARM_UP_SECONDS = 5;
const DRAIN_TIMEOUT_MS = 60_000;

export async function measureLatency(
  worker: HooksWorker,
  { rate, seconds }: LatencyOptions,
  log: (line: string) => void,
): Promise<Row[]> {
  const receiver = new Receiver(0);
  await receiver.listen();
  try {
    const hook = await makeHook(worker, "standard", new Map([["", receiver.urlOf("all")]]));
    const total = rate * (WARM_UP_SECONDS + seconds);
    const sent = new Map<string, { startMs: number; intakeMs: number }>();
    // Before the clock runs: signing takes longer than sending.
    const signed: { event: ChaosEvent; headers: Headers }[] = [];
    for (let i = 0; i < total; i++) {
      const event = makeEvent("standard");
      signed.push({ event, headers: await sign(hook, event) });
    }
    const startMs = performance.now();
    const requests: Promise<void>[] = [];
    for (const [i, { event, headers }] of signed.entries()) {
      const atMs = startMs + (1000 * i) / rate;
      const waitMs = atMs - performance.now();
      if (waitMs > 0) await new Promise((done) => setTimeout(done, waitMs));
      const request = async () => {
        const { status, text } = await post(worker.url + hook.path, headers, event.body);
        if (status !== 202) throw new Error(`chaos: the intake answered ${status}: ${text}`);
        if (i >= rate * WARM_UP_SECONDS) sent.set(event.id, { startMs: atMs, intakeMs: performance.now() - atMs });
      };
      requests.push(request());
    }
    await Promise.all(requests);
    log(`${total} events sent at ${rate} per second`);
    const deadlineMs = performance.now() + DRAIN_TIMEOUT_MS;
    while (receiver.effects.size < total && performance.now() < deadlineMs) {
      await new Promise((done) => setTimeout(done, 50));
    }
    const intake = [...sent.values()].map(({ intakeMs }) => intakeMs);
    // An event that did not come took for ever.
    const delivery = [...sent].map(([id, { startMs }]) => (receiver.effects.get(id)?.firstMs ?? Infinity) - startMs);
    const batchMs = batchTimeoutMs();
    const barMs = DELIVERY_BAR_MS + batchMs;
    return [
      {
        what: `intake at ${rate} events/s, p99`,
        bar: `≤ ${INTAKE_BAR_MS} ms`,
        measured: `${show(quantile(intake, 0.99))} (median ${show(quantile(intake, 0.5))}, p90 ${show(quantile(intake, 0.9))})`,
        isMet: quantile(intake, 0.99) <= INTAKE_BAR_MS,
      },
      {
        what: "event in to delivery out, median",
        bar: `≤ ${DELIVERY_BAR_MS} ms + ${batchMs} ms of the queue's batch`,
        measured: `${show(quantile(delivery, 0.5))} (p90 ${show(quantile(delivery, 0.9))})`,
        isMet: quantile(delivery, 0.5) <= barMs,
      },
    ];
  } finally {
    await receiver.close();
  }
}

/** How long the queue collects. */
function batchTimeoutMs(): number {
  const { queues } = unstable_readConfig({ config: configPath });
  return (
    1000 *
    (queues.consumers?.find(({ queue }: { queue: string }) => queue === "edge-slm-hooks")?.max_batch_timeout ?? 5)
  );
}

function quantile(samples: number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function show(ms: number): string {
  return `${ms.toPrecision(3)} ms`;
}

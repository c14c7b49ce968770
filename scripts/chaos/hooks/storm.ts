/**
 * The storm: senders that send until somebody says 2xx, some events twice; a Worker that is killed and started again;
 * receivers that fail. In the end each event that was acknowledged has had its effect once, or is a dead letter.
 */
import type { Row } from "../table.ts";
import { post } from "./http.ts";
import { Receiver } from "./receiver.ts";
import { type ChaosEvent, type ChaosHook, makeEvent, makeHook, sign, TEXTS } from "./scenery.ts";
import type { HooksWorker } from "./worker.ts";

export interface StormOptions {
  events: number;
  senders: number;
  kills: number;
}

const FAILURE_RATE = 0.3;
const TWICE_RATE = 0.1;
/** A sender's pause before it tries again. */
const RESEND_MS = 200;
const SETTLE_TIMEOUT_MS = 15 * 60_000;
const STATUSES = ["received", "delivering", "delivered", "stored", "dropped", "dead"] as const;

interface EventView {
  id: string;
  sender_id: string;
  status: (typeof STATUSES)[number];
  reason: string | null;
}

export async function storm(worker: HooksWorker, options: StormOptions, log: (line: string) => void): Promise<Row[]> {
  const receiver = new Receiver(FAILURE_RATE);
  await receiver.listen();
  try {
    const [first] = TEXTS;
    const destinations = new Map([
      [first!.label, receiver.urlOf("first")],
      ["", receiver.urlOf("others")],
    ]);
    const hooks: ChaosHook[] = [];
    for (const kind of ["standard", "github", "stripe", "custom-hmac"] as const) {
      const hook = await makeHook(worker, kind, destinations);
      receiver.trust(hook.signingSecrets);
      hooks.push(hook);
    }
    const sent = await sendAll(worker, hooks, options, log);
    const seconds = await settle(worker, hooks, log);
    const listed = (await Promise.all(hooks.map((hook) => listAll(worker, hook)))).flat();
    return [judge(sent, listed, receiver, first!.label, { ...options, seconds })];
  } finally {
    await receiver.close();
  }
}

interface Sent {
  acknowledged: ChaosEvent[];
  twice: number;
  /** Requests without a 2xx, which were sent again. */
  unanswered: number;
}

async function sendAll(
  worker: HooksWorker,
  hooks: ChaosHook[],
  { events, senders, kills }: StormOptions,
  log: (line: string) => void,
): Promise<Sent> {
  const sent: Sent = { acknowledged: [], twice: 0, unanswered: 0 };
  let started = 0;
  const sendOnce = async (hook: ChaosHook, event: ChaosEvent): Promise<void> => {
    for (;;) {
      const answer =
        worker.url && (await post(worker.url + hook.path, await sign(hook, event), event.body).catch(() => {}));
      if (answer && answer.status >= 200 && answer.status < 300) return;
      if (answer && answer.status < 500) throw new Error(`chaos: the intake answered ${answer.status}: ${answer.text}`);
      sent.unanswered++;
      await new Promise((done) => setTimeout(done, RESEND_MS));
    }
  };
  const runSender = async (): Promise<void> => {
    while (started < events) {
      const hook = hooks[started++ % hooks.length]!;
      const event = makeEvent(hook.kind);
      await sendOnce(hook, event);
      sent.acknowledged.push(event);
      if (Math.random() < TWICE_RATE) {
        sent.twice++;
        await sendOnce(hook, event);
      }
    }
  };
  const runKiller = async (): Promise<void> => {
    for (let kill = 1; kill <= kills; kill++) {
      const at = (events * kill) / (kills + 1);
      while (sent.acknowledged.length < at) await new Promise((done) => setTimeout(done, 20));
      await worker.kill();
      log(`killed at ${sent.acknowledged.length} acknowledged events (${kill} of ${kills})`);
      await worker.start();
    }
  };
  await Promise.all([runKiller(), ...Array.from({ length: senders }, runSender)]);
  log(`${events} events sent, ${sent.twice} of them twice; ${sent.unanswered} requests without 2xx were sent again`);
  return sent;
}

/** Waits until nothing is under way. @returns seconds that it took */
async function settle(worker: HooksWorker, hooks: ChaosHook[], log: (line: string) => void): Promise<number> {
  const startMs = performance.now();
  for (let lookups = 0; ; lookups++) {
    const counts = await Promise.all(
      hooks.map(
        async ({ id }) => (await worker.admin<{ events: Record<string, number> }>("GET", `/v1/hooks/${id}`)).events,
      ),
    );
    const open = counts.reduce((sum, count) => sum + count.received! + count.delivering!, 0);
    if (open === 0) return (performance.now() - startMs) / 1000;
    if (lookups % 10 === 0) log(`${open} events under way`);
    if (performance.now() - startMs > SETTLE_TIMEOUT_MS) return Number.POSITIVE_INFINITY;
    await new Promise((done) => setTimeout(done, 1000));
  }
}

async function listAll(worker: HooksWorker, { id }: ChaosHook): Promise<EventView[]> {
  const all: EventView[] = [];
  let cursor = "";
  for (;;) {
    const page = await worker.admin<{ events: EventView[]; next_cursor: string | null }>(
      "GET",
      `/v1/hooks/${id}/events?limit=100${cursor}`,
    );
    all.push(...page.events);
    if (page.next_cursor === null) return all;
    cursor = `&cursor=${page.next_cursor}`;
  }
}

function judge(
  { acknowledged, twice, unanswered }: Sent,
  listed: EventView[],
  { effects, requests, failures, forged }: Receiver,
  firstLabel: string,
  { events, senders, kills, seconds }: StormOptions & { seconds: number },
): Row {
  const bySender = Map.groupBy(listed, ({ sender_id }) => sender_id);
  const isLost = ({ id }: ChaosEvent) => {
    const entries = bySender.get(id) ?? [];
    const isDead = entries.some(({ status, reason }) => status === "dead" && reason !== null);
    const isDelivered = entries.some(({ status }) => status === "delivered") && effects.has(id);
    return !isDelivered && !isDead;
  };
  const lost = acknowledged.filter(isLost).length;
  const repeated = [...effects.values()].filter(({ count }) => count > 1).length;
  const unexplained = listed.filter(({ status }) => status === "received" || status === "delivering").length;
  const misrouted = acknowledged.filter(({ id, label }) => {
    const effect = effects.get(id);
    return effect && (effect.label !== label || effect.place !== (label === firstLabel ? "/first" : "/others"));
  }).length;
  const dead = listed.filter(({ status }) => status === "dead").length;
  const measured = [
    `${lost} lost, ${repeated} effects twice, ${unexplained} unexplained, ${misrouted} misrouted, ${forged} badly signed`,
    `${listed.length} events: ${listed.length - dead - unexplained} delivered, ${dead} dead`,
    `${requests} deliveries of which ${failures} failed, ${unanswered} intakes without 2xx`,
    `settled ${seconds.toFixed(0)} s after the last event`,
  ].join("; ");
  const what =
    `${events} events from ${senders} senders, Worker killed ${kills} times, receivers failing ` +
    `${100 * FAILURE_RATE} %, ${twice} events sent twice`;
  const faults = lost + repeated + unexplained + misrouted + forged;
  return { what, bar: "0 lost, 0 effects twice, all states explained", measured, isMet: faults === 0 };
}

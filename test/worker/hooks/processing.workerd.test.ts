import {
  createExecutionContext,
  createMessageBatch,
  evictDurableObject,
  getQueueResult,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { consume, DEAD_QUEUE, type HookMessage } from "../../../worker/hooks/consumer.ts";
import { readScope } from "../../../worker/scope.ts";
import { ModelStore } from "../../../worker/store.ts";
import golden from "../../fixtures/tiny-classifier/golden.json";
import { putClassifier } from "../harness.ts";
import {
  admin,
  bindings,
  type CreatedHook,
  createHook,
  eventWith,
  listEvents,
  newPlace,
  objectOf,
  readEvent,
  send,
} from "./harness.ts";

const worded = golden.filter(({ text }) => text.trim() !== "");
const { text } = worded[0]!;

beforeAll(async () => {
  await putClassifier("tiny");
});

/** A batch of the queue, given to a consumer of one's own. */
async function consumeBatch(messages: HookMessage[], queue = "edge-slm-hooks") {
  const batch = createMessageBatch<HookMessage>(
    queue,
    messages.map((body, i) => ({ id: `m${i}`, timestamp: new Date(), attempts: 1, body })),
  );
  const context = createExecutionContext();
  const scope = readScope(bindings, (work) => context.waitUntil(work));
  await consume(batch, bindings, new ModelStore(), scope);
  const { explicitAcks, retryMessages } = await getQueueResult(batch, context);
  return { acked: explicitAcks.sort(), retried: retryMessages.map(({ msgId }) => msgId).sort() };
}

const messageOf = ({ hook }: CreatedHook, event: string): HookMessage => ({ hook: hook.id, event });

describe("a batch of the queue", () => {
  it("is classified together, and each event gets its own answer", async () => {
    const created = await createHook();
    const events = await Promise.all(worded.map((entry) => send(created, { data: { text: entry.text } })));
    await Promise.all(events.map((event) => eventWith(created.hook.id, event, "stored")));
    for (const [i, event] of events.entries()) {
      const { event: view } = await readEvent(created.hook.id, event);
      expect(view.classification).toMatchObject({ label: worded[i]!.labels[2], task: "topic" });
    }
  });

  it("may come twice, at the same time and later: one delivery", async () => {
    const place = newPlace();
    const created = await createHook({ rules: [{ action: "deliver", destination: place.url }] });
    const event = await send(created, { data: { text } });
    const message = messageOf(created, event);
    const results = await Promise.all([consumeBatch([message, message]), consumeBatch([message])]);
    for (const { retried } of results) expect(retried).toEqual([]);
    expect(results[0]!.acked).toEqual(["m0", "m1"]);
    await eventWith(created.hook.id, event, "delivered");
    expect(await consumeBatch([message])).toEqual({ acked: ["m0"], retried: [] });
    // The real queue brings it, too.
    await scheduler.wait(1500);
    expect(await place.deliveries()).toHaveLength(1);
  });

  it("is acknowledged one by one: a text that nobody can read fails alone, and is a dead letter", async () => {
    const place = newPlace();
    const created = await createHook({ rules: [{ action: "deliver", destination: place.url }] });
    const [good, poison, other] = await Promise.all(
      [text, "Привет, мир", worded[1]!.text].map((words) => send(created, { data: { text: words } })),
    );
    const result = await consumeBatch([good!, poison!, other!].map((event) => messageOf(created, event)));
    expect(result).toEqual({ acked: ["m0", "m1", "m2"], retried: [] });
    await eventWith(created.hook.id, good!, "delivered");
    await eventWith(created.hook.id, other!, "delivered");
    expect(await eventWith(created.hook.id, poison!, "dead")).toMatchObject({
      reason: expect.stringContaining("Latin"),
    });
    const { events } = await listEvents(created.hook.id, "?status=dead");
    expect(events.map(({ id }) => id)).toEqual([poison]);
  });

  it("of hooks that are gone, or of invented events, is nothing to keep", async () => {
    const created = await createHook();
    const messages = [messageOf(created, "evt_invented"), { hook: "hook_invented", event: "evt_invented" }];
    expect(await consumeBatch(messages)).toEqual({ acked: ["m0", "m1"], retried: [] });
    expect(await consumeBatch(messages, DEAD_QUEUE)).toEqual({ acked: ["m0", "m1"], retried: [] });
  });
});

describe("an event that cannot be classified now", () => {
  it("comes again; after the last time it is dead with the reason; once the model is mended it can be replayed", async () => {
    const zeros = (name: string, bytes: Uint8Array) => (name === "model.safetensors" ? bytes.fill(0) : bytes);
    await putClassifier("broken", { damage: zeros });
    const place = newPlace();
    const created = await createHook({ model: "broken", rules: [{ action: "deliver", destination: place.url }] });
    const healthy = await createHook({ model: "tiny" });
    const event = await send(created, { data: { text } });
    const beside = await send(healthy, { data: { text } });
    const result = await consumeBatch([messageOf(created, event), messageOf(healthy, beside)]);
    expect(result).toEqual({ acked: ["m1"], retried: ["m0"] });
    await eventWith(healthy.hook.id, beside, "stored");
    const { event: waiting } = await readEvent(created.hook.id, event);
    expect(waiting).toMatchObject({ status: "received", reason: expect.stringContaining("model broken") });

    expect(await consumeBatch([messageOf(created, event)], DEAD_QUEUE)).toEqual({ acked: ["m0"], retried: [] });
    const { events } = await listEvents(created.hook.id, "?status=dead");
    expect(events).toMatchObject([{ id: event, reason: expect.stringContaining("model broken") }]);

    await putClassifier("broken");
    const path = `/v1/hooks/${created.hook.id}/events/${event}/replay`;
    expect((await admin("POST", path)).status).toBe(202);
    await eventWith(created.hook.id, event, "delivered");
    const [delivery, ...more] = await place.deliveries();
    expect([delivery!.headers["webhook-id"], more]).toEqual([event, []]);
  });
});

describe("what the queue loses", () => {
  /** As if the time had come. */
  const makeDue = ({ hook }: CreatedHook, change = "due_ms = 0") =>
    runInDurableObject(objectOf(hook.id), async (_, state) => {
      state.storage.sql.exec(`UPDATE events SET ${change}`);
      await state.storage.setAlarm(Date.now() + 60_000);
    });

  /** An event that is stored and never reaches the queue. */
  async function sendUnheard(created: CreatedHook): Promise<string> {
    return runInDurableObject(objectOf(created.hook.id), async (instance) => {
      const queue = {
        sendBatch: async () => {
          throw new Error("the queue is down");
        },
      };
      const inside = instance as unknown as { env: { HOOK_QUEUE: unknown } };
      const { env } = inside;
      inside.env = { ...env, HOOK_QUEUE: queue };
      const payload = JSON.stringify({ data: { text } });
      const event = { dedupeKey: "id:1", senderId: "1", type: null, payload, isJson: true, headers: {} };
      const accepted = await instance.accept(1, event);
      await scheduler.wait(50);
      inside.env = env;
      return (accepted as { event: string }).event;
    });
  }

  it("is sent again by the alarm, and then processed", async () => {
    const created = await createHook();
    const event = await sendUnheard(created);
    await scheduler.wait(1500);
    expect((await readEvent(created.hook.id, event)).event.status).toBe("received");
    await makeDue(created);
    expect(await runDurableObjectAlarm(objectOf(created.hook.id))).toBe(true);
    await eventWith(created.hook.id, event, "stored");
  });

  it("is dead at last, with the reason, and never forgotten", async () => {
    const created = await createHook();
    const event = await sendUnheard(created);
    await makeDue(created, "due_ms = 0, enqueued = 12");
    await runDurableObjectAlarm(objectOf(created.hook.id));
    const { event: view } = await readEvent(created.hook.id, event);
    expect(view).toMatchObject({ status: "dead", reason: "sent to the queue 12 times; the classifier never answered" });
  });

  it("finds its alarm again after a restart that lost it", async () => {
    const created = await createHook();
    const event = await sendUnheard(created);
    await runInDurableObject(objectOf(created.hook.id), async (_, state) => {
      state.storage.sql.exec("UPDATE events SET due_ms = 0");
      await state.storage.deleteAlarm();
    });
    await evictDurableObject(objectOf(created.hook.id));
    await eventWith(created.hook.id, event, "stored");
  });
});

describe("retention", () => {
  it("deletes what is done and old, and nothing else", async () => {
    const created = await createHook({ rules: [] });
    const old = await send(created, { data: { text } }, "msg_old");
    await eventWith(created.hook.id, old, "stored");
    const fresh = await send(created, { data: { text } }, "msg_fresh");
    await eventWith(created.hook.id, fresh, "stored");
    await runInDurableObject(objectOf(created.hook.id), async (_, state) => {
      const [row] = state.storage.sql
        .exec<{ due_ms: number }>("SELECT due_ms FROM events WHERE id = ?", fresh)
        .toArray();
      expect(Math.round((row!.due_ms - Date.now()) / 86_400_000)).toBe(30);
      state.storage.sql.exec("UPDATE events SET due_ms = 0 WHERE id = ?", old);
      await state.storage.setAlarm(Date.now() + 60_000);
    });
    await runDurableObjectAlarm(objectOf(created.hook.id));
    expect((await listEvents(created.hook.id)).events.map(({ id }) => id)).toEqual([fresh]);
    // What was forgotten is new.
    expect(await send(created, { data: { text } }, "msg_old")).not.toBe(old);
  });
});

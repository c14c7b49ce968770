import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { attempt, type Claim } from "../../../worker/hooks/delivery.ts";
import golden from "../../fixtures/tiny-classifier/golden.json";
import { putClassifier } from "../harness.ts";
import {
  admin,
  type CreatedHook,
  createHook,
  eventWith,
  newPlace,
  objectOf,
  type Place,
  readEvent,
  readJson,
  send,
  until,
} from "./harness.ts";

const { text } = golden.find((entry) => entry.labels[1] === "delivery")!;
const document = { data: { text } };

beforeAll(async () => {
  await putClassifier("tiny");
});

const toPlace = (place: Place) => createHook({ rules: [{ action: "deliver", destination: place.url }] });

const destinationOf = async ({ hook }: CreatedHook) => {
  const { destinations } = await readJson<{
    destinations: { failures: number; open_until: string | null; gone: boolean }[];
  }>(admin("GET", `/v1/hooks/${hook.id}`));
  return destinations[0];
};

describe("a delivery that fails", () => {
  it("is tried again under the same id, with the same body, until it succeeds", async () => {
    const place = newPlace();
    await place.plan({ status: 500 }, { status: 302, headers: { location: "http://127.0.0.1:1/" } }, { status: 204 });
    const created = await toPlace(place);
    const event = await send(created, document);
    expect(await eventWith(created.hook.id, event, "delivered")).toMatchObject({ attempts: 3, reason: null });
    const deliveries = await place.deliveries();
    expect(deliveries.map(({ headers }) => headers["webhook-id"])).toEqual([event, event, event]);
    expect(new Set(deliveries.map(({ body }) => body)).size).toBe(1);
    for (const { body, headers } of deliveries) {
      new Webhook(created.destinations[0]!.signing_secret).verify(body, headers);
    }
    const { attempts } = await readEvent(created.hook.id, event);
    expect(attempts.map(({ attempt: n, status, error }) => [n, status, error])).toEqual([
      [1, 500, "the receiver answered 500"],
      [2, 302, "the receiver answered 302"],
      [3, 204, null],
    ]);
  });

  it("is a dead letter after the last attempt, and can be replayed under its id", async () => {
    const place = newPlace();
    await place.plan({ status: 500 });
    const created = await toPlace(place);
    const event = await send(created, document);
    // The tests' schedule has three retries.
    expect(await eventWith(created.hook.id, event, "dead")).toMatchObject({
      attempts: 4,
      reason: "4 attempts failed; the last: the receiver answered 500",
    });
    await place.plan({ status: 204 });
    expect((await admin("POST", `/v1/hooks/${created.hook.id}/events/${event}/replay`)).status).toBe(202);
    expect(await eventWith(created.hook.id, event, "delivered")).toMatchObject({ attempts: 1 });
    const deliveries = await place.deliveries();
    expect(deliveries.map(({ headers }) => headers["webhook-id"])).toEqual(Array(5).fill(event));
    const { attempts } = await readEvent(created.hook.id, event);
    expect(attempts.map(({ round }) => round)).toEqual([1, 1, 1, 1, 2]);
  });

  it("waits as long as Retry-After says", async () => {
    const place = newPlace();
    await place.plan({ status: 429, headers: { "retry-after": "100" } });
    const created = await toPlace(place);
    const event = await send(created, document);
    const view = await until(async () => {
      const { event: found } = await readEvent(created.hook.id, event);
      return found.reason !== null && found;
    }, "an attempt");
    const waitMs = Date.parse(view.next_attempt!) - Date.now();
    expect(view.status).toBe("delivering");
    expect(waitMs).toBeGreaterThan(90_000);
    expect(waitMs).toBeLessThanOrEqual(100_000);
  });

  it("is a dead letter at once if the receiver is gone for good, and so is all that follows, until the hook changes", async () => {
    const place = newPlace();
    await place.plan({ status: 410 });
    const created = await toPlace(place);
    const first = await send(created, document);
    expect(await eventWith(created.hook.id, first, "dead")).toMatchObject({ reason: expect.stringContaining("410") });
    const second = await send(created, document);
    expect(await eventWith(created.hook.id, second, "dead")).toMatchObject({ attempts: 0 });
    expect(await place.deliveries()).toHaveLength(1);
    expect(await destinationOf(created)).toMatchObject({ gone: true });
    await place.plan({ status: 204 });
    await admin("PATCH", `/v1/hooks/${created.hook.id}`, { name: "receiver is back" });
    await admin("POST", `/v1/hooks/${created.hook.id}/events/${second}/replay`);
    await eventWith(created.hook.id, second, "delivered");
  });

  it("opens the circuit after ten failures in a row; then a probe goes first, and the others after it", async () => {
    const place = newPlace();
    await place.plan({ status: 503 });
    const created = await toPlace(place);
    const events = await Promise.all(Array.from({ length: 6 }, () => send(created, document)));
    const open = await until(async () => {
      const found = await destinationOf(created);
      return found?.open_until ? found : undefined;
    }, "the circuit to open");
    expect(open.failures).toBe(10);
    expect(Date.parse(open.open_until!) - Date.now()).toBeGreaterThan(20_000);
    await scheduler.wait(300);
    const before = (await place.deliveries()).length;
    await scheduler.wait(500);
    // Nothing is sent, and no attempt is lost.
    expect((await place.deliveries()).length).toBe(before);
    await place.plan({ status: 204, delayMs: 100 });
    await runInDurableObject(objectOf(created.hook.id), async (_, state) => {
      state.storage.sql.exec("UPDATE destinations SET open_until_ms = 0");
      state.storage.sql.exec("UPDATE events SET due_ms = 0 WHERE status = 'delivering'");
      await state.storage.setAlarm(Date.now() + 60_000);
    });
    await runDurableObjectAlarm(objectOf(created.hook.id));
    await Promise.all(events.map((event) => eventWith(created.hook.id, event, "delivered")));
    const times = (await place.deliveries()).slice(before).map(({ atMs }) => atMs);
    expect(times).toHaveLength(6);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(100);
    expect(await destinationOf(created)).toMatchObject({ failures: 0, open_until: null });
  });
});

describe("whoever makes an attempt may die", () => {
  it("and the alarm makes the next one when the lease is over", async () => {
    const place = newPlace();
    await place.plan({ status: 204 });
    const created = await createHook({ rules: [] });
    const event = await send(created, document);
    await eventWith(created.hook.id, event, "stored");
    // As the consumer left it that was killed between claiming and attempting.
    await runInDurableObject(objectOf(created.hook.id), async (_, state) => {
      const { sql } = state.storage;
      sql.exec("UPDATE events SET status = 'delivering', destination = ?, attempts = 1, due_ms = 0", place.url);
      sql.exec("INSERT INTO attempts (event_id, round, attempt, started_ms) VALUES (?, 1, 1, 0)", event);
      await state.storage.setAlarm(Date.now() + 60_000);
    });
    await runDurableObjectAlarm(objectOf(created.hook.id));
    expect(await eventWith(created.hook.id, event, "delivered")).toMatchObject({ attempts: 2 });
    const { attempts } = await readEvent(created.hook.id, event);
    expect(attempts).toMatchObject([
      { attempt: 1, duration_ms: null, status: null, error: null },
      { attempt: 2, status: 204 },
    ]);
  });

  it("and what cannot be signed for want of a key is no attempt", async () => {
    const place = newPlace();
    const created = await createHook({ rules: [] });
    const event = await send(created, document);
    await eventWith(created.hook.id, event, "stored");
    await runInDurableObject(objectOf(created.hook.id), async (_, state) => {
      const { kv, sql } = state.storage;
      const hook = kv.get<{ signingSeeds: { sealed: string }[] }>("hook")!;
      hook.signingSeeds[0]!.sealed = `v1.${new Uint8Array(12).toBase64()}.${new Uint8Array(48).toBase64()}`;
      kv.put("hook", hook);
      sql.exec("UPDATE events SET status = 'delivering', destination = ?, due_ms = 0", place.url);
      await state.storage.setAlarm(Date.now() + 60_000);
    });
    await evictDurableObject(objectOf(created.hook.id));
    await runDurableObjectAlarm(objectOf(created.hook.id));
    expect((await readEvent(created.hook.id, event)).event).toMatchObject({ status: "delivering", attempts: 0 });
    expect(await place.deliveries()).toEqual([]);
  });

  it("and what it says too late does not undo what came meanwhile", async () => {
    const place = newPlace();
    const created = await toPlace(place);
    const event = await send(created, document);
    await eventWith(created.hook.id, event, "delivered");
    const late = { event, round: 1, attempt: 1, durationMs: 1, retryAfterMs: null, isFinal: false, isMade: true };
    const object = objectOf(created.hook.id);
    await object.settle([{ ...late, status: 500, error: "the receiver answered 500" }], 0);
    await object.settle([{ ...late, round: 7, status: 410, error: "the receiver answered 410" }], 0);
    expect((await readEvent(created.hook.id, event)).event.status).toBe("delivered");
  });
});

describe("an attempt", () => {
  afterEach(() => vi.restoreAllMocks());

  const claimOf = (url: string): Claim => {
    return { event: "evt_1", round: 1, attempt: 1, leaseMs: Date.now() + 60_000, url, headers: {}, body: "{}" };
  };
  const settings = { allowLoopback: true, dnsUrl: undefined };

  it("waits for an answer only so long", async () => {
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    const asked = vi.spyOn(AbortSignal, "timeout").mockImplementation(() => timeout(50));
    const place = newPlace();
    await place.plan({ status: 204, delayMs: 2000 });
    const outcome = await attempt(claimOf(place.url), settings);
    expect(asked).toHaveBeenCalledWith(15_000);
    expect(outcome).toMatchObject({ status: null, error: "no answer within 15 s", isFinal: false });
  });

  it("fails where nobody listens, and may be made again", async () => {
    const outcome = await attempt(claimOf("http://127.0.0.1:1/"), settings);
    expect(outcome).toMatchObject({ status: null, error: expect.any(String), isFinal: false });
  });

  it("is never made at an address inside", async () => {
    const fetched = vi.spyOn(globalThis, "fetch");
    for (const url of ["https://169.254.169.254/", "http://127.0.0.1:9/"]) {
      const outcome = await attempt(claimOf(url), { ...settings, allowLoopback: false });
      expect(outcome).toMatchObject({ status: null, error: expect.any(String), isFinal: true });
    }
    expect(fetched).not.toHaveBeenCalled();
  });
});

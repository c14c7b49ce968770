import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { makeKey } from "../../../worker/billing/keys.ts";
import type { Ledger, ReserveRequest } from "../../../worker/billing/ledger.ts";
import { bindings } from "./shop.ts";

let count = 0;

interface Opened {
  ledger: DurableObjectStub<Ledger>;
  request: (amount: number, options?: Partial<ReserveRequest>) => ReserveRequest;
}

async function openLedger(credit: number, monthlyLimit: number | null = null): Promise<Opened> {
  const account = `ledger-${++count}`;
  const ledger = bindings.LEDGER.getByName(account);
  await ledger.create(account);
  if (credit > 0) await ledger.topUp("test", "start", credit);
  const { key: _, ...key } = await makeKey(account);
  await ledger.addKey(key, {
    name: "",
    scopes: ["translate"],
    expiresMs: null,
    monthlyLimit,
    requestsPerMinute: null,
  });
  const request = (amount: number, options: Partial<ReserveRequest> = {}): ReserveRequest => ({
    key,
    scope: "translate",
    amount,
    model: "tiny",
    country: "XX",
    lifeMs: 60_000,
    ...options,
  });
  return { ledger, request };
}

async function reserve(ledger: DurableObjectStub<Ledger>, request: ReserveRequest): Promise<string> {
  const result = await ledger.reserve(request);
  if (result.kind !== "reserved") throw new Error(JSON.stringify(result));
  return result.id;
}

async function booksOf(ledger: DurableObjectStub<Ledger>) {
  const { credit, reserved, revenue } = (await ledger.overview())!;
  return { credit, reserved, revenue };
}

describe("a reservation", () => {
  it("settles what was used, and gives back the rest", async () => {
    const { ledger, request } = await openLedger(1_000);
    const id = await reserve(ledger, request(300));
    expect(await booksOf(ledger)).toEqual({ credit: 700, reserved: 300, revenue: 0 });
    expect(await ledger.settle({ id, due: 120, characters: 120 })).toMatchObject({ charged: 120, credit: 880 });
    expect(await booksOf(ledger)).toEqual({ credit: 880, reserved: 0, revenue: 120 });
    expect(await ledger.reconcile()).toEqual([]);
  });

  it("ends once: what comes later changes nothing", async () => {
    const { ledger, request } = await openLedger(1_000);
    const id = await reserve(ledger, request(300));
    await ledger.release(id);
    expect((await ledger.settle({ id, due: 300, characters: 300 })).charged).toBeUndefined();
    await ledger.release(id);
    await ledger.reverse(id, "none", { model: "tiny", country: "XX", characters: 300 });
    expect(await booksOf(ledger)).toEqual({ credit: 1_000, reserved: 0, revenue: 0 });
    expect(await ledger.reconcile()).toEqual([]);
  });

  it("is never charged more than was set aside", async () => {
    const { ledger, request } = await openLedger(1_000);
    const id = await reserve(ledger, request(300));
    expect((await ledger.settle({ id, due: 900, characters: 900 })).charged).toBe(300);
  });

  it("is reversed once", async () => {
    const { ledger, request } = await openLedger(1_000);
    const { key } = request(0);
    const id = await reserve(ledger, request(300));
    await ledger.settle({ id, due: 300, characters: 10 });
    const place = { model: "tiny", country: "XX", characters: 10 };
    for (let i = 0; i < 2; i++) await ledger.reverse(id, key.keyId, place);
    expect(await booksOf(ledger)).toEqual({ credit: 1_000, reserved: 0, revenue: 0 });
    expect(await ledger.reconcile()).toEqual([]);
  });
});

describe("when the Worker dies", () => {
  it("the alarm releases what nobody settled, and frees its key", async () => {
    const { ledger, request } = await openLedger(1_000);
    const repeat = { key: "k", fingerprint: "f" };
    await reserve(ledger, request(300, { lifeMs: 0, repeat }));
    await evictDurableObject(ledger);
    // Unless it came by itself.
    await runDurableObjectAlarm(ledger);
    expect(await booksOf(ledger)).toEqual({ credit: 1_000, reserved: 0, revenue: 0 });
    await reserve(ledger, request(300, { repeat }));
    expect(await ledger.reconcile()).toEqual([]);
  });

  it("a key is free as soon as its reservation ran out, and a late alarm does not disturb its next holder", async () => {
    const { ledger, request } = await openLedger(1_000);
    const repeat = { key: "k", fingerprint: "f" };
    const first = await reserve(ledger, request(300));
    await ledger.release(first);
    await reserve(ledger, request(300, { lifeMs: 1, repeat }));
    await new Promise((done) => setTimeout(done, 5));
    const id = await reserve(ledger, request(300, { repeat }));
    await runDurableObjectAlarm(ledger);
    const answer = { status: 200, headers: {}, body: "x" };
    expect((await ledger.settle({ id, due: 300, characters: 1, answer })).charged).toBe(300);
    expect(await ledger.reserve(request(300, { repeat }))).toMatchObject({ kind: "answered", answer });
    expect(await booksOf(ledger)).toEqual({ credit: 700, reserved: 0, revenue: 300 });
  });

  it("a stream that says it is alive is left alone", async () => {
    const { ledger, request } = await openLedger(1_000);
    const id = await reserve(ledger, request(300, { lifeMs: 1_000 }));
    await ledger.extend(id, 60_000);
    await runDurableObjectAlarm(ledger);
    expect((await ledger.settle({ id, due: 110, characters: 40 })).charged).toBe(110);
    expect(await ledger.reconcile()).toEqual([]);
  });

  it("the alarm leaves alone what is alive, and comes again for it", async () => {
    const { ledger, request } = await openLedger(1_000);
    await reserve(ledger, request(100, { lifeMs: 0 }));
    await reserve(ledger, request(200));
    await runDurableObjectAlarm(ledger);
    expect(await booksOf(ledger)).toEqual({ credit: 800, reserved: 200, revenue: 0 });
    expect(await runInDurableObject(ledger, (_, state) => state.storage.getAlarm())).toBeGreaterThan(Date.now());
  });
});

describe("the books", () => {
  it("refuse a balance below zero, whoever asks", async () => {
    const { ledger } = await openLedger(100);
    const post = runInDurableObject(ledger, (_, { storage }) => {
      storage.sql.exec("UPDATE books SET balance = balance - 101 WHERE name = 'credit'");
    });
    await expect(post).rejects.toThrow(/CHECK constraint failed/);
    expect(await booksOf(ledger)).toMatchObject({ credit: 100 });
  });

  it("refuse to change or delete a transfer", async () => {
    const { ledger } = await openLedger(100);
    for (const statement of ["UPDATE transfers SET amount = 1", "DELETE FROM transfers"]) {
      const change = runInDurableObject(ledger, (_, { storage }) => {
        storage.sql.exec(statement);
      });
      await expect(change).rejects.toThrow(/transfers are never/);
    }
  });

  it("are found out when they do not agree", async () => {
    const { ledger } = await openLedger(100);
    await runInDurableObject(ledger, (_, { storage }) => {
      storage.sql.exec("UPDATE books SET balance = balance + 5 WHERE name = 'credit'");
      storage.sql.exec("INSERT INTO usage VALUES ('2026-01-01', 'm', 'XX', 1, 1, 7)");
    });
    expect(await ledger.reconcile()).toEqual([
      "book credit: its balance is 105, its transfers give 100",
      "usage: its days give 0.000007, revenue is 0.000000",
    ]);
  });

  it("count an event from outside once", async () => {
    const { ledger } = await openLedger(0);
    expect(await ledger.topUp("stripe", "cs_1", 500)).toBe(true);
    expect(await ledger.topUp("stripe", "cs_1", 500)).toBe(false);
    expect(await ledger.refund("stripe", "ch_1", 200)).toMatchObject({ taken: 200, missing: 0 });
    expect(await ledger.refund("stripe", "ch_1", 200)).toBeUndefined();
    // Told as a sum: 400 more, of which 100 were spent.
    expect(await ledger.refund("stripe", "ch_1", 600)).toMatchObject({ taken: 300, missing: 100 });
    await ledger.topUp("stripe", "cs_2", 900);
    expect(await ledger.refund("stripe", "ch_1", 600)).toBeUndefined();
    expect(await booksOf(ledger)).toEqual({ credit: 900, reserved: 0, revenue: 0 });
    expect(await ledger.reconcile()).toEqual([]);
  });

  it("agree after any sequence of calls, and no credit is lost or made", async () => {
    const topUp = 5_000;
    const { ledger, request } = await openLedger(topUp, 4_000);
    const open: string[] = [];
    // Weyl's sequence by the golden ratio: the same numbers every time, and spread evenly.
    let state = 0;
    const random = (n: number) => {
      state = (state + 0.618_033_988_749_895) % 1;
      return Math.floor(state * 1_009) % n;
    };
    for (let i = 0; i < 150; i++) {
      const repeat = random(3) === 0 ? { repeat: { key: `k${random(20)}`, fingerprint: `f${random(2)}` } } : {};
      switch (open.length > 0 ? random(5) : 0) {
        case 0:
        case 1: {
          const result = await ledger.reserve(
            request(random(300), { ...repeat, lifeMs: random(4) === 0 ? 0 : 60_000 }),
          );
          if (result.kind === "reserved") open.push(result.id);
          break;
        }
        case 2: {
          const answer = random(2) ? { answer: { status: 200, headers: {}, body: "" } } : {};
          await ledger.settle({
            id: open.splice(random(open.length), 1)[0]!,
            due: random(300),
            characters: 1,
            ...answer,
          });
          break;
        }
        case 3:
          await ledger.release(open.splice(random(open.length), 1)[0]!);
          break;
        case 4:
          if (random(2)) await ledger.extend(open[random(open.length)]!, random(2) * 60_000);
          else await runDurableObjectAlarm(ledger);
      }
      const { credit, reserved, revenue } = await booksOf(ledger);
      expect(Math.min(credit, reserved, revenue)).toBeGreaterThanOrEqual(0);
      expect(credit + reserved + revenue).toBe(topUp);
    }
    expect(await ledger.reconcile()).toEqual([]);
    const { keys } = (await ledger.overview())!;
    const { revenue, reserved } = await booksOf(ledger);
    expect(keys[0]!.spentThisMonth).toBe(revenue + reserved);
    expect(revenue).toBeGreaterThan(0);
  });
});

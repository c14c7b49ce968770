import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import type { Answer } from "../../../worker/billing/charge.ts";
import { makeKey } from "../../../worker/billing/keys.ts";
import type { Ledger, SettleResult } from "../../../worker/billing/ledger.ts";
import type { ReserveRequest, Ticket } from "../../../worker/billing/reservations.ts";
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

interface Open {
  ticket: Ticket;
  request: ReserveRequest;
}

async function reserve(ledger: DurableObjectStub<Ledger>, request: ReserveRequest): Promise<Open> {
  const result = await ledger.reserve(request);
  if (result.kind !== "reserved") throw new Error(JSON.stringify(result));
  return { ticket: result.ticket, request };
}

function settle(ledger: DurableObjectStub<Ledger>, open: Open, due: number, answer?: Answer): Promise<SettleResult> {
  return ledger.settle({ ...open, outcome: { due, characters: due, ...(answer ? { answer } : {}) } });
}

const ANSWER = { status: 200, headers: {}, body: "x" };

async function booksOf(ledger: DurableObjectStub<Ledger>) {
  const { credit, reserved, revenue } = (await ledger.overview())!;
  return { credit, reserved, revenue };
}

describe("a reservation", () => {
  it("settles what was used, and gives back the rest", async () => {
    const { ledger, request } = await openLedger(1_000);
    const open = await reserve(ledger, request(300));
    expect(await booksOf(ledger)).toEqual({ credit: 700, reserved: 300, revenue: 0 });
    expect(await settle(ledger, open, 120)).toEqual({ kind: "charged", charged: 120, credit: 880 });
    expect(await booksOf(ledger)).toEqual({ credit: 880, reserved: 0, revenue: 120 });
    expect(await ledger.reconcile()).toEqual([]);
  });

  it("ends once: what comes later changes nothing", async () => {
    const { ledger, request } = await openLedger(1_000);
    const open = await reserve(ledger, request(300));
    await ledger.release(open.ticket.id);
    expect(await settle(ledger, open, 300)).toMatchObject({ kind: "over" });
    await ledger.release(open.ticket.id);
    await ledger.reverse(open.ticket.id, "none", { model: "tiny", country: "XX", characters: 300 });
    expect(await booksOf(ledger)).toEqual({ credit: 1_000, reserved: 0, revenue: 0 });
    expect(await ledger.reconcile()).toEqual([]);
  });

  it("is charged once, however often its settlement is told", async () => {
    const { ledger, request } = await openLedger(1_000);
    const open = await reserve(ledger, request(300));
    for (let i = 0; i < 3; i++) {
      expect(await settle(ledger, open, 120)).toEqual({ kind: "charged", charged: 120, credit: 880 });
      await evictDurableObject(ledger);
    }
    expect(await booksOf(ledger)).toEqual({ credit: 880, reserved: 0, revenue: 120 });
  });

  it("is never charged more than was set aside", async () => {
    const { ledger, request } = await openLedger(1_000);
    expect(await settle(ledger, await reserve(ledger, request(300)), 900)).toMatchObject({ charged: 300 });
  });

  it("holds its credit against other requests and refunds, and its key's limit", async () => {
    const { ledger, request } = await openLedger(1_000, 500);
    await reserve(ledger, request(400));
    expect(await ledger.reserve(request(101))).toMatchObject({ refusal: { problem: "spending_limit" } });
    expect(await ledger.refund("test", "r", 1_000)).toEqual({ taken: 600, missing: 400 });
    expect(await ledger.reserve(request(1))).toMatchObject({ refusal: { problem: "insufficient_credit" } });
    expect(await ledger.reconcile()).toEqual([]);
  });

  it("is reversed once", async () => {
    const { ledger, request } = await openLedger(1_000);
    const { key } = request(0);
    const open = await reserve(ledger, request(300));
    await settle(ledger, open, 300);
    const place = { model: "tiny", country: "XX", characters: 300 };
    for (let i = 0; i < 2; i++) await ledger.reverse(open.ticket.id, key.keyId, place);
    expect(await booksOf(ledger)).toEqual({ credit: 1_000, reserved: 0, revenue: 0 });
    expect((await ledger.overview())!.keys[0]!.spentThisMonth).toBe(0);
    expect(await ledger.reconcile()).toEqual([]);
  });
});

describe("when the Worker dies", () => {
  it("what nobody settled runs out, frees its key, and cannot be settled any more", async () => {
    const { ledger, request } = await openLedger(1_000);
    const repeat = { key: "k", fingerprint: "f" };
    const dead = await reserve(ledger, request(300, { lifeMs: 1, repeat }));
    await new Promise((done) => setTimeout(done, 5));
    expect(await booksOf(ledger)).toEqual({ credit: 1_000, reserved: 0, revenue: 0 });
    const open = await reserve(ledger, request(300, { repeat }));
    expect(await settle(ledger, dead, 300, ANSWER)).toMatchObject({ kind: "over" });
    expect(await settle(ledger, open, 300, ANSWER)).toMatchObject({ charged: 300 });
    expect(await ledger.reserve(request(300, { repeat }))).toMatchObject({ kind: "answered", answer: ANSWER });
    expect(await booksOf(ledger)).toEqual({ credit: 700, reserved: 0, revenue: 300 });
  });

  it("a stream that says it is alive is left alone", async () => {
    const { ledger, request } = await openLedger(1_000);
    const open = await reserve(ledger, request(300, { lifeMs: 200 }));
    await ledger.extend(open.ticket.id, 60_000);
    await new Promise((done) => setTimeout(done, 250));
    expect(await settle(ledger, open, 110)).toMatchObject({ charged: 110 });
    expect(await ledger.reconcile()).toEqual([]);
  });
});

describe("when the ledger is restarted and the Worker is not", () => {
  it("a reservation is gone, and its settlement is charged all the same", async () => {
    const { ledger, request } = await openLedger(1_000, 500);
    const repeat = { key: "k", fingerprint: "f" };
    const open = await reserve(ledger, request(300, { repeat }));
    await evictDurableObject(ledger);
    expect(await booksOf(ledger)).toEqual({ credit: 1_000, reserved: 0, revenue: 0 });
    expect(await settle(ledger, open, 200, ANSWER)).toEqual({ kind: "charged", charged: 200, credit: 800 });
    expect(await ledger.reserve(request(300, { repeat }))).toMatchObject({ kind: "answered", answer: ANSWER });
    expect(await booksOf(ledger)).toEqual({ credit: 800, reserved: 0, revenue: 200 });
    expect(await ledger.reconcile()).toEqual([]);
  });

  it("it is refused if the credit was spent meanwhile, and nothing is charged", async () => {
    const { ledger, request } = await openLedger(400);
    const open = await reserve(ledger, request(300));
    await evictDurableObject(ledger);
    await settle(ledger, await reserve(ledger, request(200)), 200);
    const refusal = { problem: "insufficient_credit", extensions: { price: 300, credit: 200 } };
    expect(await settle(ledger, open, 300)).toMatchObject({ kind: "refused", refusal });
    expect(await booksOf(ledger)).toEqual({ credit: 200, reserved: 0, revenue: 200 });
  });

  it("two that were computed for one Idempotency-Key are charged once", async () => {
    const { ledger, request } = await openLedger(1_000);
    const repeat = { key: "k", fingerprint: "f" };
    const first = await reserve(ledger, request(300, { repeat }));
    await evictDurableObject(ledger);
    const second = await reserve(ledger, request(300, { repeat }));
    const refusal = { problem: "request_in_progress" };
    expect(await settle(ledger, first, 300, ANSWER)).toMatchObject({ kind: "refused", refusal });
    expect(await settle(ledger, second, 300, ANSWER)).toMatchObject({ charged: 300 });
    expect(await settle(ledger, first, 300, ANSWER)).toMatchObject({ kind: "refused", refusal });
    expect(await booksOf(ledger)).toEqual({ credit: 700, reserved: 0, revenue: 300 });
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
    const open: Open[] = [];
    // Weyl's sequence by the golden ratio: the same numbers every time, and spread evenly.
    let state = 0;
    const random = (n: number) => {
      state = (state + 0.618_033_988_749_895) % 1;
      return Math.floor(state * 1_009) % n;
    };
    const take = () => open.splice(random(open.length), 1)[0]!;
    for (let i = 0; i < 150; i++) {
      const repeat = random(3) === 0 ? { repeat: { key: `k${random(20)}`, fingerprint: `f${random(2)}` } } : {};
      switch (open.length > 0 ? random(6) : 0) {
        case 0:
        case 1: {
          const asked = request(random(300), { ...repeat, lifeMs: random(4) === 0 ? 0 : 60_000 });
          const result = await ledger.reserve(asked);
          if (result.kind === "reserved") open.push({ ticket: result.ticket, request: asked });
          break;
        }
        case 2:
          await settle(ledger, take(), random(300), random(2) ? ANSWER : undefined);
          break;
        case 3:
          await ledger.release(take().ticket.id);
          break;
        case 4:
          if (random(2)) await ledger.extend(open[random(open.length)]!.ticket.id, random(2) * 60_000);
          else await runDurableObjectAlarm(ledger);
          break;
        case 5:
          if (random(4) === 0) await evictDurableObject(ledger);
      }
      const { credit, reserved, revenue } = await booksOf(ledger);
      expect(Math.min(credit, reserved, revenue)).toBeGreaterThanOrEqual(0);
      expect(credit + reserved + revenue).toBe(topUp);
    }
    expect(await ledger.reconcile()).toEqual([]);
    const { keys } = (await ledger.overview())!;
    const { revenue } = await booksOf(ledger);
    expect(keys[0]!.spentThisMonth).toBe(revenue);
    expect(revenue).toBeGreaterThan(0);
  });
});

/**
 * `npm run chaos -- billing [--calls N] [--payments N]`: whether the money is right while everything around it fails.
 * The Worker runs in workerd with a tiny model, whose engine fails on purpose; payments go through a facilitator of our
 * own that checks real signatures.
 */
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { fail, positiveInteger } from "../cli.ts";
import { type Call, checkCalls, makeCalls, type Verdict } from "./billing/calls.ts";
import { addedTime } from "./billing/latency.ts";
import { type Account, openAccount, readTransfers, reconcile } from "./billing/operator.ts";
import { ask, forgePayments, SCHEMES } from "./billing/payments.ts";
import { type ChaosShop, prepareShop, RESERVATION_SECONDS } from "./billing/shop.ts";
import { measureFlush, printTable, type Row } from "./table.ts";
import type { RunningWorker } from "./worker-process.ts";

const ACCOUNTS = 20;
/** Every fourth account runs out of credit on the way. */
const CREDIT = { rich: 100_000_000, poor: 20_000 };

export interface BillingOptions {
  calls: number;
  concurrency: number;
  payments: number;
  restarts: number;
  storage: string;
}

export function billingCommand(): Command {
  return new Command("billing")
    .description("Calls that fail, leave, repeat; a Worker that dies; payments that are forged")
    .option("--calls <n>", "calls in all", positiveInteger, 20_000)
    .option("--concurrency <n>", "calls at a time", positiveInteger, 64)
    .option("--payments <n>", "forged payments by each scheme", positiveInteger, 1_000)
    .option("--restarts <n>", "how often the Worker is killed", positiveInteger, 3)
    .option("--storage <dir>", "where the Worker's storage lives; each commit waits for this disk", tmpdir())
    .action(async (options: BillingOptions) => {
      await printTable(await breakBilling(options).catch(fail), options.storage);
    });
}

/** @returns one row for each promise */
export async function breakBilling(options: BillingOptions): Promise<Row[]> {
  const shop = await prepareShop(options.storage);
  let worker = Promise.resolve(await shop.start());
  try {
    const { url: firstUrl } = await worker;
    const accounts = await openAccounts(firstUrl);

    const rows: Row[] = [];
    await fail10Percent(firstUrl);
    const startMs = performance.now();
    let restarts = 0;
    const restart = async (dead: Promise<RunningWorker>) => {
      await (await dead).kill();
      const fresh = await shop.start();
      await fail10Percent(fresh.url);
      return fresh;
    };
    const onCall = (done: number) => {
      if (restarts === options.restarts || done < ((restarts + 1) * options.calls) / (options.restarts + 1)) return;
      restarts++;
      worker = restart(worker);
    };
    const shares = { leave: 0.05, repeat: 0.1, stream: 0.2, keyless: 0.2 };
    const calls = await makeCalls(async () => (await worker).url, accounts, { ...options, ...shares, onCall });
    const seconds = (performance.now() - startMs) / 1000;
    const { url } = await worker;
    await fetch(`${url}/fail?share=0`);
    // What the dead Workers had reserved runs out.
    await new Promise((then) => setTimeout(then, (RESERVATION_SECONDS + 2) * 1000));
    rows.push(...(await judgeCalls(url, accounts, calls, { seconds, restarts })));
    rows.push(await judgeRepeats(url, accounts[0]!));
    for (const scheme of SCHEMES) {
      const forged = await forgePayments(url, options.payments, scheme);
      rows.push({
        what: `forged payments by ${scheme}`,
        measured: `${forged.sent} sent, ${forged.taken.length} taken ${forged.taken.join(", ")}, ${forged.steps} steps computed; by status ${JSON.stringify(forged.statuses)}`,
        bar: "all refused before any work",
        isMet: forged.taken.length === 0 && forged.steps === 0,
      });
    }
    await (await worker).kill();
    const flushMs = await measureFlush(options.storage);
    const added = await addedTime(shop, accounts[0]!.keys[1]!);
    rows.push({
      what: "time that billing adds to a warm request",
      measured: `${added.medianMs.toFixed(2)} ms median (${added.pairs} pairs; without ${added.withoutMs.toFixed(2)} ms, with ${added.withMs.toFixed(2)} ms), of which a flush of the disk ${flushMs.toFixed(2)} ms`,
      bar: "≤ 3 ms",
      isMet: added.medianMs <= 3,
    });
    rows.push(await findSecrets(shop, accounts));
    return rows;
  } finally {
    await (await worker).kill();
    await shop.close();
  }
}

function fail10Percent(url: string): Promise<Response> {
  return fetch(`${url}/fail?share=0.1`);
}

async function openAccounts(url: string): Promise<Account[]> {
  const accounts: Account[] = [];
  for (let i = 0; i < ACCOUNTS; i++) {
    accounts.push(await openAccount(url, `chaos-${i}`, i % 4 === 3 ? CREDIT.poor : CREDIT.rich, 2));
  }
  return accounts;
}

async function judgeCalls(
  url: string,
  accounts: Account[],
  calls: Call[],
  { seconds, restarts }: { seconds: number; restarts: number },
): Promise<Row[]> {
  const verdict: Verdict = await checkCalls(url, accounts, calls);
  const books = await reconcile(url);
  const faults = [...verdict.faults, ...Object.entries(books.faults).map(([name, found]) => `${name}: ${found}`)];
  const toppedUp = accounts.reduce((sum, { credit }) => sum + credit, 0);
  const outcomes = Object.entries(verdict.outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  return [
    {
      what: `${calls.length} calls in ${seconds.toFixed(0)} s, ${restarts} restarts`,
      measured: `${outcomes.join(", ")}; charged ${verdict.charged}, due ${verdict.expected}, faults ${faults.slice(0, 5).join("; ") || "none"}`,
      bar: "equal to the unit, no double charge",
      isMet: verdict.charged === verdict.expected && faults.length === 0 && restarts > 0,
    },
    {
      what: "books",
      measured: `credit ${books.credit} + revenue ${books.revenue} + reserved ${books.reserved} of ${toppedUp}; lowest credit ${verdict.lowestCredit}`,
      bar: "sum of the top-ups, nothing reserved, never below zero",
      isMet:
        books.credit + books.revenue === toppedUp &&
        books.revenue === verdict.charged &&
        books.reserved === 0 &&
        verdict.lowestCredit >= 0,
    },
  ];
}

/** One request a hundred times at once. */
async function judgeRepeats(url: string, account: Account): Promise<Row> {
  const headers = { authorization: `Bearer ${account.keys[0]}`, "idempotency-key": "hundred" };
  const steps = async () => ((await (await fetch(`${url}/steps`)).json()) as { steps: number }).steps;
  const body = { text: "A dog runs. A cat sleeps.", source: "en", target: "de" };
  const reference = { ...headers, "idempotency-key": "reference" };
  const before = await steps();
  await (await ask(url, body, reference)).text();
  const one = (await steps()) - before;
  const answers = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const response = await ask(url, body, headers);
      return { status: response.status, text: await response.text() };
    }),
  );
  const computed = ((await steps()) - before - one) / one;
  const texts = new Set(answers.filter(({ status }) => status === 200).map(({ text }) => text));
  const conflicts = answers.filter(({ status }) => status === 409).length;
  const others = answers.filter(({ status }) => status !== 200 && status !== 409).length;
  const transfers = await readTransfers(url, account.name);
  const charges = transfers.filter(({ kind, reference: of }) => kind === "settle" && of.startsWith("hundred/")).length;
  return {
    what: "one Idempotency-Key 100 times at once",
    measured: `${computed} computed, ${charges} charged, ${texts.size} different answers, ${conflicts} × 409, ${others} others`,
    bar: "1, 1, 1, and no others",
    isMet: computed === 1 && charges === 1 && texts.size === 1 && others === 0,
  };
}

/** Looks for the keys in everything that was printed and stored. */
async function findSecrets({ state, log }: ChaosShop, accounts: Account[]): Promise<Row> {
  const secrets = accounts.flatMap(({ keys }) => keys.map((key) => key.slice(key.lastIndexOf("_") + 1)));
  const files = await readdir(state, { recursive: true, withFileTypes: true });
  let bytes = 0;
  const found: string[] = [];
  const search = (where: string, text: string) => {
    bytes += text.length;
    if (secrets.some((secret) => text.includes(secret))) found.push(where);
  };
  for (const file of files.filter((entry) => entry.isFile())) {
    search(file.name, await readFile(join(file.parentPath, file.name), "latin1"));
  }
  search("the log", log.join("\n"));
  return {
    what: "keys in the storage and in the log",
    measured: `${secrets.length} keys looked for in ${(bytes / 1e6).toFixed(1)} MB and ${log.length} lines: found in ${found.join(", ") || "none"}`,
    bar: "none",
    isMet: found.length === 0 && log.length > 0,
  };
}

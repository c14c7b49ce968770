/**
 * Customers that call all at once while the engine fails, clients leave, requests come twice and the Worker dies. What
 * each call must have cost is known from its answer alone, and is compared with the transfers, to the unit.
 */
import { quote } from "../../../worker/billing/pricing.ts";
import { type Account, readTransfers, type Transfer } from "./operator.ts";

export interface CallOptions {
  calls: number;
  concurrency: number;
  /** Shares of the calls. */
  leave: number;
  repeat: number;
  stream: number;
  keyless: number;
  /** Called after each, with how many are done. */
  onCall: (done: number) => void;
}

/** Standard price of a translation; the Worker under test has no other. */
const PRICE = { perThousandCharacters: 1_000, minimum: 100 };
const SENTENCE = "A dog runs. ";
/** Most calls have one or two, which keep the engine's share of the time small. */
const MAX_SENTENCES = 20;

export interface Call {
  account: number;
  /** Idempotency-Key; none for some, whose fate is unknown if the Worker dies. */
  key: string | undefined;
  text: string;
  price: number;
  stream: boolean;
  leaves: boolean;
  /** answered: in whole; failed: an error, as an answer or at the end of a stream; unpaid: 402; left, unknown: no end seen. */
  outcome: "answered" | "failed" | "unpaid" | "left" | "unknown";
  /** What came, in whole, each time it was sent. */
  bodies: string[];
  /** Whether some of the stream was seen. */
  begun: boolean;
}

/** The Worker as it is now: it may be another one after a restart. */
export type Shop = () => Promise<string>;

export async function makeCalls(shop: Shop, accounts: Account[], options: CallOptions): Promise<Call[]> {
  const calls: Call[] = Array.from({ length: options.calls }, (_, i) => {
    const text = SENTENCE.repeat(1 + Math.floor(Math.random() ** 4 * MAX_SENTENCES)).trim();
    const keyless = Math.random() < options.keyless;
    return {
      account: i % accounts.length,
      key: keyless ? undefined : `call-${i}`,
      text,
      price: quote(PRICE, text.length),
      stream: !keyless && Math.random() < options.stream,
      leaves: !keyless && Math.random() < options.leave,
      outcome: "unknown",
      bodies: [],
      begun: false,
    };
  });
  let next = 0;
  let done = 0;
  const worker = async () => {
    for (let i = next++; i < calls.length; i = next++) {
      const call = calls[i]!;
      const twice = call.key !== undefined && !call.leaves && Math.random() < options.repeat;
      await Promise.all([send(shop, accounts, call), ...(twice ? [send(shop, accounts, call)] : [])]);
      options.onCall(++done);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, worker));
  return calls;
}

/** Sends a call until it has an end; one without a key only once. */
async function send(shop: Shop, accounts: Account[], call: Call): Promise<void> {
  const leaving = new AbortController();
  for (let attempt = 0; attempt < 200; attempt++) {
    const url = await shop();
    try {
      if (call.leaves && !call.stream) setTimeout(() => leaving.abort(), Math.random() * 60);
      const response = await post(url, accounts, call, leaving.signal);
      const body = call.stream && response.ok ? await readStream(response, call, leaving) : await response.text();
      if (response.status === 409) await sleep(100);
      else return finish(call, response.status, body);
    } catch {
      if (leaving.signal.aborted) {
        call.outcome = "left";
        return;
      }
      if (call.key === undefined) return;
      // The Worker died; the next one has the answer, or none was charged.
      await sleep(100);
    }
  }
}

function finish(call: Call, status: number, body: string): void {
  const whole = status === 200 && (!call.stream || body.includes("event: result"));
  // A stored answer does not tell again what it cost.
  if (whole) call.bodies.push(body.replace(/event: payment\n.*\n\n/, ""));
  if (call.outcome === "answered") return;
  call.outcome = whole ? "answered" : status === 402 ? "unpaid" : "failed";
}

function post(url: string, accounts: Account[], call: Call, signal?: AbortSignal): Promise<Response> {
  const account = accounts[call.account]!;
  return fetch(`${url}/v1/translate`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${account.keys[call.key === undefined ? 1 : 0]}`,
      ...(call.key === undefined ? {} : { "idempotency-key": call.key }),
    },
    body: JSON.stringify({ text: call.text, source: "en", target: "de", ...(call.stream ? { stream: true } : {}) }),
    ...(signal ? { signal } : {}),
  });
}

async function readStream(response: Response, call: Call, leaving: AbortController): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  const leaveAfter = call.leaves ? Math.floor(Math.random() * 12) : Infinity;
  let chunks = 0;
  if (leaveAfter === 0) leaving.abort();
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk, { stream: true });
    call.begun = true;
    if (++chunks >= leaveAfter) leaving.abort();
  }
  // A stream that the Worker's death cut short has no last event.
  if (!/event: (result|error)\n/.test(text)) throw new Error("the stream broke off");
  return text;
}

export interface Verdict {
  faults: string[];
  /** Micro-units: what the calls must have cost, and what the transfers say. */
  expected: number;
  charged: number;
  outcomes: Record<string, number>;
  lowestCredit: number;
}

/** Compares each call with its transfers; asks again for what those paid for that left. */
export async function checkCalls(url: string, accounts: Account[], calls: Call[]): Promise<Verdict> {
  const verdict: Verdict = { faults: [], expected: 0, charged: 0, outcomes: {}, lowestCredit: Infinity };
  for (const call of calls) verdict.outcomes[call.outcome] = (verdict.outcomes[call.outcome] ?? 0) + 1;
  for (const [index, account] of accounts.entries()) {
    const transfers = await readTransfers(url, account.name);
    verdict.lowestCredit = Math.min(verdict.lowestCredit, lowestCredit(transfers));
    const charges = chargesByKey(transfers);
    const own = calls.filter((call) => call.account === index);
    for (const call of own.filter(({ key }) => key !== undefined)) {
      const charged = charges.get(call.key!) ?? 0;
      verdict.charged += charged;
      verdict.expected += await expectedCharge(url, accounts, call, charged, verdict.faults);
    }
    checkKeyless(own, charges.get(""), verdict);
  }
  return verdict;
}

/** @returns what the call must have cost; `charged`, if more than one sum would be right and it is one of them */
async function expectedCharge(
  url: string,
  accounts: Account[],
  call: Call,
  charged: number,
  faults: string[],
): Promise<number> {
  if (new Set(call.bodies).size > 1) faults.push(`${call.key}: its answers differ`);
  const sure = call.outcome === "answered" ? call.price : 0;
  if (call.outcome !== "left" && charged !== sure) {
    faults.push(`${call.key}: ${call.outcome}${call.stream ? " stream" : ""}, charged ${charged} of ${call.price}`);
  }
  if (call.outcome !== "left" || charged === 0) return sure;
  if (charged === call.price) {
    const again = await post(url, accounts, call);
    await again.text();
    if (again.headers.get("idempotency-replayed") === "true" || call.stream) return charged;
    faults.push(`${call.key}: it was charged, and its answer is gone`);
    return 0;
  }
  const steps = Array.from({ length: call.text.length }, (_, i) => quote(PRICE, i + 1));
  if (!call.stream) faults.push(`${call.key}: it left, and was charged ${charged} of ${call.price}`);
  return steps.includes(charged) ? charged : 0;
}

/** Without a key, a call that the Worker's death cut off may or may not be charged. */
function checkKeyless(own: Call[], charges = 0, verdict: Verdict): void {
  const keyless = own.filter(({ key }) => key === undefined);
  const sure = sum(keyless.filter(({ outcome }) => outcome === "answered").map(({ price }) => price));
  const unsure = sum(keyless.filter(({ outcome }) => outcome === "unknown").map(({ price }) => price));
  if (charges < sure || charges > sure + unsure) {
    verdict.faults.push(`calls without a key: charged ${charges}, expected ${sure} to ${sure + unsure}`);
  }
  verdict.charged += charges;
  verdict.expected += unsure === 0 ? sure : charges;
}

/** Micro-units by Idempotency-Key; those without one together, under "". */
function chargesByKey(transfers: Transfer[]): Map<string, number> {
  const charges = new Map<string, number>();
  for (const { kind, amount, reference } of transfers) {
    if (kind !== "settle" && kind !== "reverse") continue;
    const key = reference.includes("/") ? reference.slice(0, reference.indexOf("/")) : "";
    charges.set(key, (charges.get(key) ?? 0) + (kind === "settle" ? amount : -amount));
  }
  return charges;
}

/** The lowest that the credit ever was. */
function lowestCredit(transfers: Transfer[]): number {
  let credit = 0;
  let lowest = 0;
  for (const transfer of transfers) {
    if (transfer.credit === "credit") credit += transfer.amount;
    if (transfer.debit === "credit") credit -= transfer.amount;
    lowest = Math.min(lowest, credit);
  }
  return lowest;
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

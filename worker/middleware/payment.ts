/**
 * Payment around the work of a request: a route asks for it with `c.var.payment.reserve` before it computes, and what
 * becomes of the money follows from how the route ends. An answer is settled before it goes out; an error or a caller
 * that left costs nothing; of a stream, what was sent is paid.
 */
import type { Context, MiddlewareHandler } from "hono";
import { type Answer, type Charge, openCharge, type Work } from "../billing/charge.ts";
import { FreeCharge } from "../billing/free.ts";
import { PrepaidCharge } from "../billing/prepaid.ts";
import { priceOf, quote } from "../billing/pricing.ts";
import { demandPayment, X402Charge } from "../billing/x402.ts";
import type { App, AppEnv } from "../context.ts";
import { Problem, StoredAnswer } from "../errors.ts";
import { EVENT_STREAM_HEADERS, type StreamEvent, type StreamObserver } from "../events.ts";
import { keyMissing, readApiKey } from "./auth.ts";
import { API_PATHS } from "./limits.ts";

/** How often a long stream tells the ledger that it is alive: a small part of a reservation's life. */
const ALIVE_STEP_MS = 2_000;

export type Order = Omit<Work, "amount">;

export function addPayment(app: App): void {
  const pay: MiddlewareHandler<AppEnv> = async (c, next) => {
    const payment = new Payment(c);
    c.set("payment", payment);
    await next();
    await payment.finish();
  };
  for (const path of API_PATHS) app.use(path, pay);
}

export class Payment {
  readonly #c: Context<AppEnv>;
  #charge: Charge = openCharge;
  #work: Work | undefined;
  #stream: PaidStream | undefined;

  constructor(c: Context<AppEnv>) {
    this.#c = c;
  }

  /** What was asked for, once it was. */
  get order(): Order | undefined {
    return this.#work;
  }

  /**
   * To be called once, before any work.
   * @throws Problem if the request cannot be paid; StoredAnswer if it was answered before
   */
  async reserve(order: Order): Promise<void> {
    const { prices } = this.#c.var.scope.settings;
    const work = { ...order, amount: quote(priceOf(prices, order.task, order.model), order.characters) };
    const charge = await this.#chooseCharge(work);
    const answer = await charge.reserve(work);
    if (answer) throw new StoredAnswer(responseOf(answer));
    this.#charge = charge;
    this.#work = work;
  }

  /** For a route that answers with a stream: what it sends goes through this. */
  stream(): PaidStream {
    const due = (characters: number) => {
      const { prices } = this.#c.var.scope.settings;
      const { task, model, amount } = this.#work!;
      return characters === 0 ? 0 : Math.min(amount, quote(priceOf(prices, task, model), characters));
    };
    this.#stream = new PaidStream(this.#charge, this.#work!, due, (charged) => this.#record(charged));
    return this.#stream;
  }

  /** After the route. */
  async finish(): Promise<void> {
    const { req, res, error } = this.#c;
    if (!this.#work || this.#charge === openCharge) return;
    const failed = error !== undefined || res.status >= 400;
    // A stream ends by itself, whether its reader stays or not.
    if (this.#stream && !failed) return this.#openStream(this.#stream);
    if (failed || req.raw.signal.aborted) return this.#charge.release();
    const { amount: due, characters } = this.#work;
    const answer = this.#charge.keepsAnswer ? await this.#keepAnswer() : undefined;
    const headers = await this.#charge.settle({ due, characters, ...(answer ? { answer } : {}) });
    if (req.raw.signal.aborted) return this.#charge.reverse();
    this.#addHeaders({ ...this.#charge.headers, ...headers });
    this.#record(due);
  }

  async #chooseCharge(work: Work): Promise<Charge> {
    const c = this.#c;
    const { settings } = c.var.scope;
    if (settings.billing === "off") return openCharge;
    if (settings.billing === undefined) {
      if (isLoopback(new URL(c.req.url).hostname)) return openCharge;
      throw new Problem(
        "not_configured",
        "the Worker is not on this machine alone, and nobody said whether its answers cost money; " +
          'set BILLING = "on" or BILLING = "off" in wrangler.toml',
      );
    }
    const country = String(c.req.raw.cf?.country ?? "XX");
    const lifeMs = settings.reservationMs;
    const key = await readApiKey(c);
    if (key) return new PrepaidCharge({ env: c.env, key, country, repeat: await readRepeat(c), lifeMs });
    const { x402, freeCharactersPerDay } = settings;
    const payment = c.req.header("payment-signature");
    if (payment !== undefined && x402) {
      const options = { env: c.env, settings: x402, url: c.req.url, country, lifeMs };
      return new X402Charge({ ...options, fingerprint: await fingerprintOf(c) }, payment);
    }
    if (work.amount === 0) return openCharge;
    if (freeCharactersPerDay > 0) {
      const address = c.req.header("cf-connecting-ip") ?? "unknown";
      const paid =
        x402 && ((headers: Record<string, string>) => demandPayment(work, x402, c.req.url, undefined, headers));
      return new FreeCharge(c.env, address, freeCharactersPerDay, paid);
    }
    if (x402) throw await demandPayment(work, x402, c.req.url);
    throw keyMissing();
  }

  /** @throws Problem if its payment could not be settled; nothing of it goes out then */
  async #openStream(stream: PaidStream): Promise<void> {
    try {
      this.#addHeaders(await stream.opened);
    } catch (error) {
      await this.#c.res.body?.cancel();
      throw error;
    }
  }

  async #keepAnswer(): Promise<Answer> {
    const { res } = this.#c;
    const body = await res.text();
    this.#c.res = new Response(body, res);
    return answerOf(res, body);
  }

  #addHeaders(headers: Record<string, string>): void {
    for (const [name, value] of Object.entries(headers)) this.#c.res.headers.set(name, value);
  }

  /** For the owner's statistics: what, where, and for how much. */
  #record(charged: number): void {
    const { scheme } = this.#charge;
    if (scheme === "open") return;
    const { model, task, characters } = this.#work!;
    this.#c.env.USAGE.writeDataPoint({
      indexes: [model],
      blobs: [model, task, scheme, String(this.#c.req.raw.cf?.country ?? "XX")],
      doubles: [scheme === "free" ? 0 : charged, characters],
    });
  }
}

/** A stream that is paid for by what of it was sent. */
export class PaidStream implements StreamObserver {
  readonly #charge: Charge;
  readonly #work: Work;
  readonly #due: (characters: number) => number;
  readonly #record: (charged: number) => void;
  readonly #opened = Promise.withResolvers<Record<string, string>>();
  #text = "";
  #sent = 0;
  #begun = false;
  #complete = false;
  #aliveMs = Date.now();

  constructor(charge: Charge, work: Work, due: (characters: number) => number, record: (charged: number) => void) {
    this.#charge = charge;
    this.#work = work;
    this.#due = due;
    this.#record = record;
    if (!charge.settlesAtFirstToken) this.#opened.resolve(charge.headers);
    // Whether anybody waits for it or not, it may be refused.
    this.#opened.promise.catch(() => {});
  }

  /** Resolves with the headers of the response, once it may go out. */
  get opened(): Promise<Record<string, string>> {
    return this.#opened.promise;
  }

  /** A sentence of the source is being sent: so many characters, all before it counted, are due from now on. */
  delivered(characters: number): void {
    this.#sent = Math.max(this.#sent, characters);
    const nowMs = Date.now();
    if (nowMs - this.#aliveMs < ALIVE_STEP_MS) return;
    this.#aliveMs = nowMs;
    this.#charge.extend().catch(() => {});
  }

  written(text: string): void {
    if (this.#charge.keepsAnswer) this.#text += text;
    if (this.#begun) return;
    this.#begun = true;
    if (!this.#charge.settlesAtFirstToken) return;
    const { amount: due, characters } = this.#work;
    this.#charge.settle({ due, characters }).then(this.#opened.resolve, this.#opened.reject);
  }

  /** Settled before the reader is told that this is all: whoever has the whole answer has paid for it. */
  async completing(last: string): Promise<StreamEvent | undefined> {
    const { amount: due, characters } = this.#work;
    this.written(last);
    let told: Record<string, string> = {};
    if (this.#charge.settlesAtFirstToken) await this.#opened.promise;
    else {
      const answer = this.#charge.keepsAnswer ? { answer: this.#answer } : {};
      told = await this.#charge.settle({ due, characters, ...answer });
    }
    this.#complete = true;
    return Object.keys(told).length > 0 ? { event: "payment", data: told } : undefined;
  }

  async ended(end: "complete" | "left" | "failed"): Promise<void> {
    if (this.#charge.settlesAtFirstToken && this.#begun) return this.#finish();
    this.#opened.resolve({});
    if (this.#complete) return this.#record(this.#work.amount);
    if (end === "failed" || this.#sent === 0) return this.#charge.release();
    const due = this.#due(this.#sent);
    await this.#charge.settle({ due, characters: this.#sent });
    this.#record(due);
  }

  async #finish(): Promise<void> {
    const settled = await this.#opened.promise.then(
      () => true,
      () => false,
    );
    if (!settled) return;
    await this.#charge.finish(this.#complete ? this.#answer : undefined);
    this.#record(this.#work.amount);
  }

  get #answer(): Answer {
    return { status: 200, headers: EVENT_STREAM_HEADERS, body: this.#text };
  }
}

/** Hosts that only this machine reaches (RFC 6761, RFC 5735, RFC 4291). */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/i.test(hostname);
}

/** The header Idempotency-Key: a structured string, or the same without its quotes. */
async function readRepeat(c: Context<AppEnv>): Promise<{ key: string; fingerprint: string } | undefined> {
  const header = c.req.header("idempotency-key");
  if (header === undefined) return undefined;
  const match = /^(?:"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255}))$/.exec(header.trim());
  const key = match?.[1] ?? match?.[2];
  if (key === undefined) {
    throw new Problem("malformed_request", "Idempotency-Key: expected 1 to 255 printable characters, best a UUID");
  }
  return { key, fingerprint: await fingerprintOf(c) };
}

/** Digest of what is asked for. */
async function fingerprintOf(c: Context<AppEnv>): Promise<string> {
  const request = `${c.req.method} ${c.req.path}\n${await c.req.text()}`;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(request))).toHex();
}

function answerOf(response: Response, body: string): Answer {
  return { status: response.status, headers: { "content-type": response.headers.get("content-type")! }, body };
}

function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body, { status, headers: { ...headers, "idempotency-replayed": "true" } });
}

/** What the tests of billing share: a Worker that asks for money, its operator, and customers with keys. */
import { env } from "cloudflare:workers";
import type { Env } from "../../../worker/env.ts";
import { type Client, makeClient } from "../harness.ts";

export const bindings = env as unknown as Env;
export const ADMIN_KEY = "operator";
const admin = { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" };

export interface Balances {
  credit: number;
  reserved: number;
  revenue: number;
}

export interface Customer {
  account: string;
  key: string;
  keyId: string;
  /** POSTs to /v1/translate with the key. */
  translate: (body: object, headers?: Record<string, string>, signal?: AbortSignal) => Promise<Response>;
  balances: () => Promise<Balances>;
}

export interface Shop {
  client: Client;
  /** As the operator. @returns the parsed answer */
  operate: <T>(method: string, path: string, body?: object, status?: number) => Promise<T>;
  /** Opens an account with credit and a key. */
  addCustomer: (credit: number, key?: object) => Promise<Customer>;
}

let count = 0;

export function openShop(settings: Partial<Env> = {}): Shop {
  const client = makeClient({ BILLING: "on", ADMIN_KEY, ...settings });
  const operate = async <T>(method: string, path: string, body?: object, status?: number): Promise<T> => {
    const init = { method, headers: admin, ...(body ? { body: JSON.stringify(body) } : {}) };
    const response = await client.request(`/v1/admin${path}`, init);
    const text = await response.text();
    const expected = status ?? (response.status < 300 ? response.status : 200);
    if (response.status !== expected) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  };
  const addCustomer = async (credit: number, keyOptions: object = {}): Promise<Customer> => {
    const account = `customer-${++count}`;
    await operate("POST", "/accounts", { account });
    if (credit > 0) await operate("POST", `/accounts/${account}/top-ups`, { amount: credit, reference: "start" });
    const { id, key } = await operate<{ id: string; key: string }>("POST", `/accounts/${account}/keys`, keyOptions);
    return {
      account,
      key,
      keyId: id,
      translate: (body, headers = {}, signal) =>
        client.request("/v1/translate", {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${key}`, ...headers },
          body: JSON.stringify({ source: "en", target: "de", ...body }),
          ...(signal ? { signal } : {}),
        }),
      balances: async () => {
        const { credit: left, reserved, revenue } = await operate<Balances>("GET", `/accounts/${account}`);
        return { credit: left, reserved, revenue };
      },
    };
  };
  return { client, operate, addCustomer };
}

/** Waits until a condition holds: what follows a response, such as the end of its stream, is not waited for. */
export async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await check()) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error("it never came to be");
}

/** The price of `characters` with the standard prices of worker/billing/pricing.ts, counted another way. */
export function standardPrice(characters: number): number {
  return Math.max(characters, 100);
}

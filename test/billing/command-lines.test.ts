/** The operator's command lines against a Worker that runs. */
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ADMIN_KEY } from "../../scripts/chaos/billing/operator.ts";
import { ask } from "../../scripts/chaos/billing/payments.ts";
import { type ChaosShop, prepareShop } from "../../scripts/chaos/billing/shop.ts";
import type { RunningWorker } from "../../scripts/chaos/worker-process.ts";

let shop: ChaosShop;
let worker: RunningWorker;

beforeAll(async () => {
  shop = await prepareShop();
  worker = await shop.start();
}, 180_000);
afterAll(async () => {
  await worker?.kill();
  await shop?.close();
}, 30_000);

async function run(script: string, args: string[], env: object = {}): Promise<string> {
  const path = fileURLToPath(new URL(`../../scripts/${script}.ts`, import.meta.url));
  const options = { env: { ...process.env, ADMIN_KEY, ...env } };
  return (await promisify(execFile)(process.execPath, [path, ...args], options)).stdout;
}

const operate = (script: string, ...args: string[]) => run(script, [...args, "--url", worker.url]);

function refusal(script: string, ...args: string[]): Promise<unknown> {
  return operate(script, ...args).then(
    () => "no refusal",
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
  );
}

const BODY = { text: "One.", source: "en", target: "de" };

it("an account is opened, topped up, and its key buys a translation", async () => {
  await operate("account", "create", "acme");
  expect(await operate("account", "top-up", "acme", "12.50", "--reference", "invoice-1")).toBe(
    "12.500000 USD added to acme, which has 12.500000 USD now.\n",
  );
  const made = await operate("keys", "create", "acme", "--name", "shop", "--monthly-limit", "0.0002");
  const key = /^(esk_acme_\S+)\n/.exec(made)![1]!;
  const id = key.split("_")[2]!;
  const authorization = `Bearer ${key}`;
  expect((await ask(worker.url, BODY, { authorization })).status).toBe(200);

  expect(await operate("account", "show", "acme")).toMatch(
    /credit {4}12\.499900 USD\nreserved {2}0\.000000 USD\nspent {5}0\.000100 USD/,
  );
  const list = await operate("keys", "list", "acme");
  expect(list).toContain(id);
  expect(list).not.toContain(key.slice(-32));
  expect(await operate("account", "usage", "acme")).toMatch(/tiny.*XX.*1.*4.*0\.000100/);
  expect(await operate("account", "list")).toBe("acme\n");
  expect(await operate("account", "reconcile")).toBe(
    "1 accounts: credit 12.499900, reserved 0.000000, revenue 0.000100 USD\n",
  );

  const rotated = await operate("keys", "rotate", "acme", id, "--grace-seconds", "0");
  const fresh = /^(esk_acme_\S+)\n/.exec(rotated)![1]!;
  expect((await ask(worker.url, BODY, { authorization })).status).toBe(401);
  expect((await ask(worker.url, BODY, { authorization: `Bearer ${fresh}` })).status).toBe(200);
  await operate("keys", "revoke", "acme", fresh.split("_")[2]!);
  expect((await ask(worker.url, BODY, { authorization: `Bearer ${fresh}` })).status).toBe(401);
  expect(await operate("account", "refund", "acme", "100", "--reference", "refund-1")).toMatch(
    /^12\.499800 USD taken off acme, which has 0\.000000 USD now/,
  );
  expect(await operate("account", "refund", "acme", "100", "--reference", "refund-1")).toMatch(
    /^Nothing was taken off acme: "refund-1" was counted before, or there is nothing left\. It has 0\.000000 USD now/,
  );
  const journal = (await operate("account", "transfers", "acme")).trim().split("\n");
  expect(journal).toHaveLength(4);
  expect(journal[0]).toMatch(/^\S+Z {2}top_up {3} +12\.500000 USD {2}outside:admin → credit {2}invoice-1$/);
  expect(journal[1]).toMatch(/ {2}settle .* 0\.000100 USD {2}credit → revenue {2}/);
}, 120_000);

it.each([
  ["account", ["show", "nobody"], /answered 404: there is no account "nobody"\n$/],
  [
    "account",
    ["top-up", "acme", "1,50", "--reference", "x"],
    /^amount: expected a number such as 12\.50, got "1,50"\n$/,
  ],
  ["keys", ["create", "acme", "--expires", "soon"], /^--expires: expected a date such as 2027-01-31, got "soon"\n$/],
])("%s %j says in one line what is wrong", async (script, args, message) => {
  expect(await refusal(script, ...args)).toEqual({ code: 1, stderr: expect.stringMatching(message) });
});

describe("account totals", () => {
  it("asks Analytics Engine, and scales what it sampled", async () => {
    const asked: { url: string; authorization: string; query: string }[] = [];
    const server = createServer(async (request, response) => {
      let query = "";
      for await (const chunk of request.setEncoding("utf8")) query += chunk;
      asked.push({ url: request.url!, authorization: request.headers.authorization!, query });
      const row = { day: "2026-11-24 00:00:00", model: "m", scheme: "x402", country: "DE" };
      response.end(JSON.stringify({ data: [{ ...row, requests: "3", characters: 500, micros: 1_500_000 }] }));
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const env = { CLOUDFLARE_ACCOUNT_ID: "abc", CLOUDFLARE_API_TOKEN: "token" };
    const printed = await run("account", ["totals", "--api", api, "--days", "7"], env);
    server.close();
    expect(printed).toMatch(/2026-11-24.*m.*x402.*DE.*3.*500.*1\.500000/);
    expect(asked).toMatchObject([{ url: "/accounts/abc/analytics_engine/sql", authorization: "Bearer token" }]);
    expect(asked[0]!.query).toContain("INTERVAL '7' DAY");
    expect(asked[0]!.query).toContain("SUM(_sample_interval * double1)");
  });
});

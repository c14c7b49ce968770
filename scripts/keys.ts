/**
 * `npm run keys -- <create|list|rotate|revoke> <account> …`: a customer's API keys. A new key is printed once and stored
 * nowhere; the Worker keeps its hash.
 */
import { Command } from "commander";
import { SCOPES } from "../worker/billing/keys.ts";
import { formatMoney, parseMoney } from "../worker/billing/money.ts";
import { fail, positiveInteger } from "./cli.ts";
import { type OperatorOptions, operate, withOperator } from "./operator.ts";

interface Key {
  id: string;
  name: string;
  scopes: string[];
  expires: string | null;
  revoked: string | null;
  last_used: string | null;
  monthly_limit: number | null;
  spent_this_month: number;
  requests_per_minute: number | null;
}

const program = new Command("keys").description("API keys of an account");

withOperator(program.command("create <account>"))
  .description("make a key; it is shown this once")
  .option("--name <text>", "for your own list", "")
  .option("--scopes <list>", `of ${SCOPES.join(", ")}`, SCOPES.join(","))
  .option("--expires <date>", "as 2027-01-31")
  .option("--monthly-limit <usd>", "most that it may spend in a calendar month, as 12.50")
  .option("--requests-per-minute <n>", "most requests", positiveInteger)
  .action(async (account: string, options: OperatorOptions & Record<string, string | number | undefined>) => {
    const { name, scopes, expires, monthlyLimit, requestsPerMinute } = options;
    const { id, key } = await operate<{ id: string; key: string }>(options, "POST", `/accounts/${account}/keys`, {
      name,
      scopes: String(scopes).split(","),
      expires: expires === undefined ? null : dateOf(String(expires)),
      monthly_limit: monthlyLimit === undefined ? null : parseMoney(String(monthlyLimit)),
      requests_per_minute: requestsPerMinute ?? null,
    });
    console.log(`${key}\n\nKey ${id} of ${account}. It is shown this once: keep it where your secrets are.`);
  });

withOperator(program.command("list <account>"))
  .description("the keys, without their secrets")
  .action(async (account: string, options: OperatorOptions) => {
    const { keys } = await operate<{ keys: Key[] }>(options, "GET", `/accounts/${account}`);
    console.table(
      keys.map((key) => ({
        id: key.id,
        name: key.name,
        scopes: key.scopes.join(" "),
        state: stateOf(key),
        "last used": key.last_used ?? "never",
        "spent this month": formatMoney(key.spent_this_month),
        "monthly limit": key.monthly_limit === null ? "none" : formatMoney(key.monthly_limit),
        "a minute": key.requests_per_minute ?? "any",
      })),
    );
  });

withOperator(program.command("rotate <account> <id>"))
  .description("a new key with the same rights; the old one works on for a while")
  .option("--grace-seconds <n>", "how long", "86400")
  .action(async (account: string, id: string, options: OperatorOptions & { graceSeconds: string }) => {
    const body = { grace_seconds: Number(options.graceSeconds) };
    const path = `/accounts/${account}/keys/${id}/rotate`;
    const fresh = await operate<{ id: string; key: string }>(options, "POST", path, body);
    console.log(`${fresh.key}\n\nKey ${fresh.id} of ${account} replaces ${id}, which ends in ${body.grace_seconds} s.`);
  });

withOperator(program.command("revoke <account> <id>"))
  .description("end a key at once")
  .action(async (account: string, id: string, options: OperatorOptions) => {
    await operate(options, "DELETE", `/accounts/${account}/keys/${id}`);
    console.log(`Key ${id} of ${account} is revoked.`);
  });

function dateOf(text: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new Error(`--expires: expected a date such as 2027-01-31, got ${JSON.stringify(text)}`);
  return new Date(ms).toISOString();
}

function stateOf({ revoked, expires }: Key): string {
  if (revoked !== null) return `revoked ${revoked}`;
  if (expires !== null && Date.parse(expires) <= Date.now()) return `expired ${expires}`;
  return expires === null ? "good" : `good until ${expires}`;
}

await program.parseAsync().catch(fail);

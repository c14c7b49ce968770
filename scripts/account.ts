/**
 * `npm run account -- <create|list|show|top-up|refund|usage|transfers|reconcile|totals> …`: the accounts of customers, and what the
 * owner earned. `totals` asks Analytics Engine, which samples when there is much; the ledgers have the exact sums.
 */
import { Command } from "commander";
import { formatMoney, parseMoney } from "../worker/billing/money.ts";
import { queryTotals } from "./account/totals.ts";
import { fail, positiveInteger } from "./cli.ts";
import { type OperatorOptions, operate, withOperator } from "./operator.ts";

interface Account {
  account: string;
  created: string;
  credit: number;
  reserved: number;
  revenue: number;
  unresolved_payments: number;
}

interface Usage {
  day: string;
  model: string;
  country: string;
  requests: number;
  characters: number;
  amount: number;
}

interface Transfer {
  ms: number;
  kind: string;
  debit: string;
  credit: string;
  amount: number;
  reference: string;
}

const program = new Command("account").description("Customers' accounts, and what was earned");

withOperator(program.command("create <account>"))
  .description("open an account")
  .action(async (account: string, options: OperatorOptions) => {
    await operate(options, "POST", "/accounts", { account });
    console.log(
      `${account} is open. Add credit with npm run account -- top-up, and a key with npm run keys -- create.`,
    );
  });

withOperator(program.command("list"))
  .description("all accounts; x402-0x… are payers without one")
  .action(async (options: OperatorOptions) => {
    for await (const account of pages<{ accounts: string[] }, string>(
      options,
      "/accounts",
      ({ accounts }) => accounts,
    )) {
      console.log(account);
    }
  });

withOperator(program.command("show <account>"))
  .description("credit and what was spent")
  .action(async (account: string, options: OperatorOptions) => {
    const { created, credit, reserved, revenue, unresolved_payments } = await operate<Account>(
      options,
      "GET",
      `/accounts/${account}`,
    );
    console.log(`${account}, open since ${created}`);
    console.log(
      `credit    ${formatMoney(credit)} USD\nreserved  ${formatMoney(reserved)} USD\nspent     ${formatMoney(revenue)} USD`,
    );
    if (unresolved_payments > 0) console.log(`${unresolved_payments} payments whose settlement was never heard of`);
  });

for (const [name, path, done] of [
  ["top-up", "top-ups", "added to"],
  ["refund", "refunds", "taken off"],
] as const) {
  withOperator(program.command(`${name} <account> <usd>`))
    .description(name === "top-up" ? "add credit, as 12.50" : "take credit off, as far as there is any")
    .requiredOption("--reference <text>", "yours, such as an invoice's number; a repeated one counts once")
    .action(async (account: string, usd: string, options: OperatorOptions & { reference: string }) => {
      const body = { amount: parseMoney(usd), reference: options.reference };
      const moved = await operate<{ amount: number; credit: number }>(
        options,
        "POST",
        `/accounts/${account}/${path}`,
        body,
      );
      const balance = `${formatMoney(moved.credit)} USD now.`;
      if (moved.amount > 0) console.log(`${formatMoney(moved.amount)} USD ${done} ${account}, which has ${balance}`);
      else {
        const why = `${JSON.stringify(options.reference)} was counted before, or there is nothing left`;
        console.log(`Nothing was ${done} ${account}: ${why}. It has ${balance}`);
      }
    });
}

withOperator(program.command("usage <account>"))
  .description("what it used, by day, model and country, exactly")
  .option("--from <day>", "as 2026-11-01")
  .option("--to <day>", "as 2026-11-30")
  .action(async (account: string, options: OperatorOptions & { from?: string; to?: string }) => {
    const query = new URLSearchParams();
    for (const name of ["from", "to"] as const) if (options[name]) query.set(name, options[name]);
    const { rows } = await operate<{ rows: Usage[] }>(options, "GET", `/accounts/${account}/usage?${query}`);
    console.table(rows.map(({ amount, ...row }) => ({ ...row, usd: formatMoney(amount) })));
  });

withOperator(program.command("transfers <account>"))
  .description("its journal: every movement of money, in order")
  .action(async (account: string, options: OperatorOptions) => {
    const path = `/accounts/${account}/transfers`;
    for await (const { ms, kind, amount, debit, credit, reference } of pages<{ transfers: Transfer[] }, Transfer>(
      options,
      path,
      ({ transfers }) => transfers,
    )) {
      console.log(
        `${new Date(ms).toISOString()}  ${kind.padEnd(7)}  ${formatMoney(amount).padStart(14)} USD  ${debit} → ${credit}  ${reference}`,
      );
    }
  });

withOperator(program.command("reconcile"))
  .description("sum every transfer of every account anew; ends with 1 if books do not agree")
  .action(async (options: OperatorOptions) => {
    const sums = { accounts: 0, credit: 0, reserved: 0, revenue: 0 };
    let after: string | null = "";
    while (after !== null) {
      type Page = typeof sums & { faults: Record<string, string[]>; next: string | null };
      const page: Page = await operate<Page>(options, "GET", `/reconcile?after=${after}`);
      for (const name of ["accounts", "credit", "reserved", "revenue"] as const) sums[name] += page[name];
      for (const [account, faults] of Object.entries(page.faults)) {
        process.exitCode = 1;
        for (const fault of faults) console.error(`${account}: ${fault}`);
      }
      after = page.next;
    }
    const { accounts, credit, reserved, revenue } = sums;
    console.log(
      `${accounts} accounts: credit ${formatMoney(credit)}, reserved ${formatMoney(reserved)}, revenue ${formatMoney(revenue)} USD`,
    );
  });

program
  .command("totals")
  .description("what was earned by day, model and country, from Cloudflare's Analytics Engine")
  .option("--days <n>", "of the last days", positiveInteger, 30)
  .option("--api <url>", "Cloudflare's API", "https://api.cloudflare.com/client/v4")
  .action(async (options: { days: number; api: string }) => {
    const { CLOUDFLARE_ACCOUNT_ID: account, CLOUDFLARE_API_TOKEN: token } = process.env;
    if (!account || !token) {
      throw new Error(
        "expected CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN (Account Analytics: Read) in the environment",
      );
    }
    console.table(await queryTotals({ ...options, account, token }));
  });

async function* pages<Page extends object, Item>(
  options: OperatorOptions,
  path: string,
  itemsOf: (page: Page) => Item[],
): AsyncGenerator<Item> {
  let after: string | number | null = "";
  while (after !== null) {
    const page: Page & { next: string | number | null } = await operate(options, "GET", `${path}?after=${after}`);
    yield* itemsOf(page);
    after = page.next;
  }
}

await program.parseAsync().catch(fail);

/** `GET /v1/account` and `/v1/account/usage`: what a customer's key may know of its account. */
import { createRoute, z } from "@hono/zod-openapi";
import { ledgerOf } from "../billing/directory.ts";
import { CURRENCY, formatMoney } from "../billing/money.ts";
import type { UsageRow } from "../billing/usage.ts";
import type { App } from "../context.ts";
import { problemResponse } from "../errors.ts";
import { requireScope } from "../middleware/auth.ts";
import { jsonAnswer, needsKey, TAGS } from "../openapi.ts";

const problems = {
  401: problemResponse("The API key is missing or wrong"),
  403: problemResponse("The key has not the scope `usage`"),
  429: problemResponse("Too many requests"),
};

const accountRoute = createRoute({
  method: "get",
  path: "/v1/account",
  operationId: "getAccount",
  tags: [TAGS.account.name],
  security: needsKey,
  summary: "The credit of the key's account",
  middleware: requireScope("usage"),
  responses: {
    200: jsonAnswer(
      "In micro-units of the currency; `reserved` is of requests in work",
      z.object({
        account: z.string(),
        currency: z.string(),
        credit: z.int(),
        reserved: z.int(),
        spent: z.int(),
      }),
      { account: "acme", currency: "USD", credit: 9_999_000, reserved: 0, spent: 1_000 },
    ),
    ...problems,
  },
});

const daySchema = z.iso.date();

export const usageQuerySchema = z.object({
  from: daySchema.optional().openapi({ description: "First day, UTC; default: 30 days before the last" }),
  to: daySchema.optional().openapi({ description: "Last day; default: today" }),
  format: z.enum(["json", "csv"]).default("json"),
});

const totalSchema = { requests: z.int(), characters: z.int(), amount: z.int() };

const usageSchema = z.object({
  account: z.string(),
  currency: z.string(),
  from: daySchema,
  to: daySchema,
  days: z.array(z.object({ day: daySchema, ...totalSchema })),
  rows: z.array(z.object({ day: daySchema, model: z.string(), country: z.string(), ...totalSchema })),
});

const exampleTotal = { requests: 10, characters: 1_000, amount: 1_000 };
const exampleUsage: z.infer<typeof usageSchema> = {
  account: "acme",
  currency: "USD",
  from: "2026-11-01",
  to: "2026-11-30",
  days: [{ day: "2026-11-24", ...exampleTotal }],
  rows: [{ day: "2026-11-24", model: "multi30k-en-de", country: "DE", ...exampleTotal }],
};

const usageRoute = createRoute({
  method: "get",
  path: "/v1/account/usage",
  operationId: "getUsage",
  tags: [TAGS.account.name],
  security: needsKey,
  summary: "What the key's account used, by day",
  middleware: requireScope("usage"),
  request: { query: usageQuerySchema },
  responses: {
    200: {
      description: "Totals of each day that had requests, and what they are made of. Amounts in micro-units",
      content: {
        "application/json": { schema: usageSchema, example: exampleUsage },
        "text/csv": { schema: z.string() },
      },
    },
    400: problemResponse("A day is malformed"),
    ...problems,
  },
});

export function addAccount(app: App) {
  return app
    .openapi(accountRoute, async (c) => {
      const { account } = c.var;
      const { credit, reserved, revenue: spent } = (await ledgerOf(c.env, account).overview())!;
      return c.json({ account, currency: CURRENCY, credit, reserved, spent }, 200);
    })
    .openapi(usageRoute, async (c) => {
      const { account } = c.var;
      const query = c.req.valid("query");
      const { from, to } = daysOf(query);
      const rows = await ledgerOf(c.env, account).usage(from, to);
      if (query.format === "csv") {
        return c.body(usageCsv(rows), 200, { "content-type": "text/csv; charset=utf-8; header=present" });
      }
      return c.json({ account, currency: CURRENCY, from, to, days: dayTotals(rows), rows }, 200);
    });
}

const DAY_MS = 24 * 3600_000;

export function daysOf({ from, to }: { from?: string | undefined; to?: string | undefined }) {
  const last = to ?? new Date().toISOString().slice(0, 10);
  return { from: from ?? new Date(Date.parse(last) - 30 * DAY_MS).toISOString().slice(0, 10), to: last };
}

/** @param rows ordered by day */
export function dayTotals(rows: UsageRow[]): Pick<UsageRow, "day" | "requests" | "characters" | "amount">[] {
  return [...Map.groupBy(rows, ({ day }) => day)].map(([day, ofDay]) => ({
    day,
    requests: sum(ofDay, "requests"),
    characters: sum(ofDay, "characters"),
    amount: sum(ofDay, "amount"),
  }));
}

function sum(rows: UsageRow[], name: "requests" | "characters" | "amount"): number {
  return rows.reduce((total, row) => total + row[name], 0);
}

/** RFC 4180. Ids of models and codes of countries need no quotes. */
export function usageCsv(rows: UsageRow[]): string {
  const lines = rows.map(({ day, model, country, requests, characters, amount }) =>
    [day, model, country, requests, characters, formatMoney(amount)].join(","),
  );
  return `${["day,model,country,requests,characters,amount_usd", ...lines].join("\r\n")}\r\n`;
}

/**
 * The operator's routes, under `/v1/admin`: accounts, their keys, top-ups and refunds, transfers, and whether the books
 * agree.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { directoryOf, ledgerOf } from "../billing/directory.ts";
import type { KeyInfo } from "../billing/key-ring.ts";
import { ACCOUNT_PATTERN, makeKey, SCOPES } from "../billing/keys.ts";
import { MAX_AMOUNT } from "../billing/money.ts";
import type { App } from "../context.ts";
import type { Env } from "../env.ts";
import { Problem, problemResponse } from "../errors.ts";
import { requireAdmin } from "../middleware/admin.ts";
import { adminProblems, bodyProblems, jsonAnswer, jsonBody, needsAdmin, TAGS } from "../openapi.ts";
import { daysOf, dayTotals } from "./account.ts";

const accountSchema = z.string().regex(ACCOUNT_PATTERN, "expected 1 to 32 of a–z, 0–9 and -");
const amountSchema = z.int().min(1).max(MAX_AMOUNT).openapi({ description: "Micro-units" });
const referenceSchema = z.string().min(1).max(200).openapi({ description: "Yours; a repeated one counts once" });
const accountParams = z.object({ account: z.string().openapi({ example: "acme" }) });
const keyParams = accountParams.extend({ key: z.string().openapi({ description: "The key's id" }) });
const pageQuery = z.object({
  after: z.string().default(""),
  limit: z.coerce.number().int().min(1).max(1000).default(1000),
});

const newKeySchema = z
  .strictObject({
    name: z.string().max(100).default(""),
    scopes: z
      .array(z.enum(SCOPES))
      .min(1)
      .default([...SCOPES]),
    expires: z.iso.datetime().nullable().default(null),
    monthly_limit: amountSchema.nullable().default(null).openapi({ description: "Micro-units a calendar month" }),
    requests_per_minute: z.int().min(1).nullable().default(null),
  })
  .openapi("NewKey");

const keySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.string()),
    created: z.iso.datetime(),
    expires: z.iso.datetime().nullable(),
    revoked: z.iso.datetime().nullable(),
    last_used: z.iso.datetime().nullable(),
    monthly_limit: z.int().nullable(),
    spent_this_month: z.int(),
    requests_per_minute: z.int().nullable(),
  })
  .openapi("Key");

const overviewSchema = z
  .object({
    account: z.string(),
    created: z.iso.datetime(),
    credit: z.int(),
    reserved: z.int(),
    revenue: z.int(),
    unresolved_payments: z.int(),
    keys: z.array(keySchema),
  })
  .openapi("Account");

const transferSchema = z
  .object({
    seq: z.int(),
    ms: z.int(),
    kind: z.string(),
    debit: z.string(),
    credit: z.string(),
    amount: z.int(),
    reference: z.string(),
  })
  .openapi("Transfer");

const keyOnceSchema = z.object({ id: z.string(), key: z.string().openapi({ description: "Shown this once" }) });
const moveSchema = z.strictObject({ amount: amountSchema, reference: referenceSchema });
const movedSchema = z.object({
  amount: z.int().openapi({ description: "0 if the reference is known" }),
  credit: z.int(),
});

const malformed = { 400: problemResponse("The request is malformed") };
const noAccount = { 404: problemResponse("There is no such account or key") };
const problems = { ...adminProblems, ...noAccount };

const guarded = { middleware: requireAdmin, tags: [TAGS.operator.name], security: needsAdmin };

const exampleAccount: z.infer<typeof overviewSchema> = {
  account: "acme",
  created: "2026-11-24T12:00:00.000Z",
  credit: 10_000_000,
  reserved: 0,
  revenue: 0,
  unresolved_payments: 0,
  keys: [
    {
      id: "k7wq2m5a",
      name: "website",
      scopes: ["translate", "classify", "embed", "answer", "recommend", "usage"],
      created: "2026-11-24T12:00:00.000Z",
      expires: null,
      revoked: null,
      last_used: null,
      monthly_limit: null,
      spent_this_month: 0,
      requests_per_minute: 600,
    },
  ],
};
const exampleKey = { id: "k7wq2m5a", key: "esk_acme_k7wq2m5a_…" };
const exampleTotal = { requests: 10, characters: 1_000, amount: 1_000 };

const createAccountRoute = createRoute({
  ...guarded,
  method: "post",
  path: "/v1/admin/accounts",
  operationId: "createAccount",
  summary: "Open an account",
  request: jsonBody(z.strictObject({ account: accountSchema }), { account: "acme" }),
  responses: {
    201: jsonAnswer("It is open", overviewSchema, { ...exampleAccount, credit: 0, keys: [] }),
    ...bodyProblems,
    ...adminProblems,
    409: problemResponse("It was open"),
  },
});

const listAccountsRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/admin/accounts",
  operationId: "listAccounts",
  summary: "The accounts, ordered by name; payers without an account are called x402-0x…",
  request: { query: pageQuery },
  responses: {
    200: jsonAnswer("A page", z.object({ accounts: z.array(z.string()), next: z.string().nullable() }), {
      accounts: ["acme"],
      next: null,
    }),
    ...malformed,
    ...adminProblems,
  },
});

const getAccountRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/admin/accounts/{account}",
  operationId: "getAccountOverview",
  summary: "An account and its keys",
  request: { params: accountParams },
  responses: { 200: jsonAnswer("The account", overviewSchema, exampleAccount), ...problems },
});

const createKeyRoute = createRoute({
  ...guarded,
  method: "post",
  path: "/v1/admin/accounts/{account}/keys",
  operationId: "createKey",
  summary: "Make a key",
  request: { params: accountParams, ...jsonBody(newKeySchema, { name: "website", requests_per_minute: 600 }) },
  responses: { 201: jsonAnswer("The key", keyOnceSchema, exampleKey), ...bodyProblems, ...problems },
});

const rotateKeyRoute = createRoute({
  ...guarded,
  method: "post",
  path: "/v1/admin/accounts/{account}/keys/{key}/rotate",
  operationId: "rotateKey",
  summary: "Replace a key by a new one with the same rights; the old one works on for a while",
  request: {
    params: keyParams,
    ...jsonBody(
      z.strictObject({
        grace_seconds: z
          .int()
          .min(0)
          .max(30 * 86_400)
          .default(86_400),
      }),
      { grace_seconds: 3_600 },
    ),
  },
  responses: { 201: jsonAnswer("The new key", keyOnceSchema, exampleKey), ...bodyProblems, ...problems },
});

const revokeKeyRoute = createRoute({
  ...guarded,
  method: "delete",
  path: "/v1/admin/accounts/{account}/keys/{key}",
  operationId: "revokeKey",
  summary: "Revoke a key at once",
  request: { params: keyParams },
  responses: { 204: { description: "It is revoked" }, ...problems },
});

const topUpRoute = createRoute({
  ...guarded,
  method: "post",
  path: "/v1/admin/accounts/{account}/top-ups",
  operationId: "topUp",
  summary: "Add credit",
  request: { params: accountParams, ...jsonBody(moveSchema, { amount: 10_000_000, reference: "invoice-1" }) },
  responses: {
    200: jsonAnswer("The credit after it", movedSchema, { amount: 10_000_000, credit: 10_000_000 }),
    ...bodyProblems,
    ...problems,
  },
});

const refundRoute = createRoute({
  ...guarded,
  method: "post",
  path: "/v1/admin/accounts/{account}/refunds",
  operationId: "refund",
  summary: "Take credit off, as far as there is any, because its money went back",
  request: { params: accountParams, ...jsonBody(moveSchema, { amount: 1_000_000, reference: "refund-1" }) },
  responses: {
    200: jsonAnswer("What was taken, and the credit after it", movedSchema, { amount: 1_000_000, credit: 9_000_000 }),
    ...bodyProblems,
    ...problems,
  },
});

const transfersRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/admin/accounts/{account}/transfers",
  operationId: "listTransfers",
  summary: "The journal of an account",
  request: {
    params: accountParams,
    query: pageQuery.extend({ after: z.coerce.number().int().min(0).default(0) }),
  },
  responses: {
    200: jsonAnswer("A page", z.object({ transfers: z.array(transferSchema), next: z.int().nullable() }), {
      transfers: [
        {
          seq: 1,
          ms: 1_795_521_600_000,
          kind: "top_up",
          debit: "outside:admin",
          credit: "credit",
          amount: 10_000_000,
          reference: "invoice-1",
        },
      ],
      next: null,
    }),
    ...malformed,
    ...problems,
  },
});

const reconcileRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/admin/reconcile",
  operationId: "reconcile",
  summary: "Whether all books agree: sums every transfer of a page of accounts anew",
  request: { query: pageQuery.extend({ limit: z.coerce.number().int().min(1).max(100).default(100) }) },
  responses: {
    200: jsonAnswer(
      "What does not agree, by account; sums of the books in micro-units",
      z.object({
        accounts: z.int(),
        credit: z.int(),
        reserved: z.int(),
        revenue: z.int(),
        faults: z.record(z.string(), z.array(z.string())),
        next: z.string().nullable(),
      }),
      { accounts: 1, credit: 10_000_000, reserved: 0, revenue: 0, faults: {}, next: null },
    ),
    ...malformed,
    ...adminProblems,
  },
});

const totalsRoute = createRoute({
  ...guarded,
  method: "get",
  path: "/v1/admin/accounts/{account}/usage",
  operationId: "getAccountUsage",
  summary: "What an account used, by day, model and country",
  request: { params: accountParams, query: z.object({ from: z.iso.date().optional(), to: z.iso.date().optional() }) },
  responses: {
    200: jsonAnswer(
      "Amounts in micro-units",
      z.object({
        days: z.array(z.object({ day: z.string(), requests: z.int(), characters: z.int(), amount: z.int() })),
        rows: z.array(
          z.object({
            day: z.string(),
            model: z.string(),
            country: z.string(),
            requests: z.int(),
            characters: z.int(),
            amount: z.int(),
          }),
        ),
      }),
      {
        days: [{ day: "2026-11-24", ...exampleTotal }],
        rows: [{ day: "2026-11-24", model: "multi30k-en-de", country: "DE", ...exampleTotal }],
      },
    ),
    ...malformed,
    ...problems,
  },
});

export function addAdminAccounts(app: App): void {
  app.openapi(createAccountRoute, async (c) => {
    const { account } = c.req.valid("json");
    // First the list: an account that is on it and not open yet can be opened again.
    await directoryOf(c.env).add(account);
    if (!(await ledgerOf(c.env, account).create(account))) {
      throw new Problem("account_exists", `the account ${account} is open already`);
    }
    return c.json(await overviewOf(c.env, account), 201);
  });
  app.openapi(listAccountsRoute, async (c) => {
    const { after, limit } = c.req.valid("query");
    const accounts = (await directoryOf(c.env).list(after, limit)).map(({ account }) => account);
    return c.json({ accounts, next: accounts.length === limit ? accounts.at(-1)! : null }, 200);
  });
  app.openapi(getAccountRoute, async (c) => c.json(await overviewOf(c.env, c.req.valid("param").account), 200));
  app.openapi(createKeyRoute, async (c) => {
    const { account } = c.req.valid("param");
    await overviewOf(c.env, account);
    const { name, scopes, expires, monthly_limit, requests_per_minute } = c.req.valid("json");
    const { key, ...reference } = await makeKey(account);
    await ledgerOf(c.env, account).addKey(reference, {
      name,
      scopes: [...new Set(scopes)],
      expiresMs: expires === null ? null : Date.parse(expires),
      monthlyLimit: monthly_limit,
      requestsPerMinute: requests_per_minute,
    });
    return c.json({ id: reference.keyId, key }, 201);
  });
  app.openapi(rotateKeyRoute, async (c) => {
    const { account, key: id } = c.req.valid("param");
    await overviewOf(c.env, account);
    const { key, ...reference } = await makeKey(account);
    const graceMs = c.req.valid("json").grace_seconds * 1000;
    if (!(await ledgerOf(c.env, account).rotateKey(id, reference, graceMs))) throw noKey(account, id);
    return c.json({ id: reference.keyId, key }, 201);
  });
  app.openapi(revokeKeyRoute, async (c) => {
    const { account, key } = c.req.valid("param");
    await overviewOf(c.env, account);
    if (!(await ledgerOf(c.env, account).revokeKey(key))) throw noKey(account, key);
    return c.body(null, 204);
  });
  app.openapi(topUpRoute, async (c) => {
    const { account } = c.req.valid("param");
    await overviewOf(c.env, account);
    const { amount, reference } = c.req.valid("json");
    const counted = await ledgerOf(c.env, account).topUp("admin", reference, amount);
    return c.json({ amount: counted ? amount : 0, credit: (await overviewOf(c.env, account)).credit }, 200);
  });
  app.openapi(refundRoute, async (c) => {
    const { account } = c.req.valid("param");
    await overviewOf(c.env, account);
    const { amount, reference } = c.req.valid("json");
    const taken = await ledgerOf(c.env, account).refund("admin", reference, amount);
    return c.json({ amount: taken?.taken ?? 0, credit: (await overviewOf(c.env, account)).credit }, 200);
  });
  app.openapi(transfersRoute, async (c) => {
    const { account } = c.req.valid("param");
    const { after, limit } = c.req.valid("query");
    await overviewOf(c.env, account);
    const transfers = await ledgerOf(c.env, account).transfers(after, limit);
    return c.json({ transfers, next: transfers.length === limit ? transfers.at(-1)!.seq : null }, 200);
  });
  app.openapi(reconcileRoute, async (c) => {
    const { after, limit } = c.req.valid("query");
    const accounts = await directoryOf(c.env).list(after, limit);
    const sums = { accounts: accounts.length, credit: 0, reserved: 0, revenue: 0 };
    const faults: Record<string, string[]> = {};
    for (const { account } of accounts) {
      const ledger = ledgerOf(c.env, account);
      const [found, overview] = await Promise.all([ledger.reconcile(), ledger.overview()]);
      if (found.length > 0) faults[account] = found;
      for (const book of ["credit", "reserved", "revenue"] as const) sums[book] += overview?.[book] ?? 0;
    }
    const next = accounts.length === limit ? accounts.at(-1)!.account : null;
    return c.json({ ...sums, faults, next }, 200);
  });
  app.openapi(totalsRoute, async (c) => {
    const { account } = c.req.valid("param");
    const { from, to } = daysOf(c.req.valid("query"));
    await overviewOf(c.env, account);
    const rows = await ledgerOf(c.env, account).usage(from, to);
    return c.json({ days: dayTotals(rows), rows }, 200);
  });
}

/** @throws Problem unknown_account */
async function overviewOf(env: Env, account: string): Promise<z.infer<typeof overviewSchema>> {
  const overview = await ledgerOf(env, account).overview();
  if (!overview) throw new Problem("unknown_account", `there is no account ${JSON.stringify(account)}`);
  const { createdMs, keys, unresolvedPayments, credit, reserved, revenue } = overview;
  const created = new Date(createdMs).toISOString();
  const balances = { credit, reserved, revenue, unresolved_payments: unresolvedPayments };
  return { account, created, ...balances, keys: keys.map(describeKey) };
}

function describeKey(key: KeyInfo): z.infer<typeof keySchema> {
  const date = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    id: key.keyId,
    name: key.name,
    scopes: key.scopes,
    created: new Date(key.createdMs).toISOString(),
    expires: date(key.expiresMs),
    revoked: date(key.revokedMs),
    last_used: date(key.lastUsedMs),
    monthly_limit: key.monthlyLimit,
    spent_this_month: key.spentThisMonth,
    requests_per_minute: key.requestsPerMinute,
  };
}

function noKey(account: string, key: string): Problem {
  return new Problem("unknown_account", `the account ${account} has no key ${JSON.stringify(key)} that is in use`);
}

/**
 * What the Worker is given from outside: its bindings and its settings, as wrangler.toml declares them.
 */
import { z } from "zod";
import type { AccountDirectory } from "./billing/directory.ts";
import type { FreeQuota } from "./billing/free-quota.ts";
import type { Ledger } from "./billing/ledger.ts";
import { type Prices, pricesSchema } from "./billing/pricing.ts";
import type { HookMessage } from "./hooks/consumer.ts";
import type { HookDirectory } from "./hooks/directory.ts";
import type { HookObject } from "./hooks/hook-object.ts";
import { RETRY_SECONDS } from "./hooks/retry.ts";
import type { KnowledgeDirectory } from "./knowledge/directory.ts";
import type { KnowledgeObject } from "./knowledge/knowledge-object.ts";
import { describeIssues } from "./model/config.ts";

export interface Env {
  /** Holds the models; layout in model/manifest.ts. */
  MODELS: R2Bucket;
  /** One object a hook, and one that knows which hooks there are. */
  HOOKS: DurableObjectNamespace<HookObject>;
  HOOK_DIRECTORY: DurableObjectNamespace<HookDirectory>;
  /** Events that wait for the classifier. */
  HOOK_QUEUE: Queue<HookMessage>;
  HOOK_EVENTS: AnalyticsEngineDataset;
  /** One object for each knowledge base, and one that knows which there are. */
  KNOWLEDGE: DurableObjectNamespace<KnowledgeObject>;
  KNOWLEDGE_DIRECTORY: DurableObjectNamespace<KnowledgeDirectory>;
  /** One object for each account: its credit, keys and usage. */
  LEDGER: DurableObjectNamespace<Ledger>;
  /** One object: which accounts there are. */
  ACCOUNT_DIRECTORY: DurableObjectNamespace<AccountDirectory>;
  /** One object for each address and day: what it used for free. */
  FREE_QUOTA: DurableObjectNamespace<FreeQuota>;
  /** Callers without a key, by address. */
  FREE_LIMIT: RateLimit;
  /** A data point for each request that was paid or free. */
  USAGE: AnalyticsEngineDataset;
  /** The variables below, from wrangler.toml, `.dev.vars`, secrets or `--var`; only the first gives other than strings. */
  KERNEL_BUILD?: unknown;
  MODEL_MEMORY_BUDGET_MIB?: unknown;
  MODEL_TTL_SECONDS?: unknown;
  MAX_TEXTS?: unknown;
  MAX_CHARACTERS?: unknown;
  /** A secret: what the operator's routes ask for. */
  ADMIN_KEY?: unknown;
  /** A secret: encrypts the hooks' secrets. */
  HOOKS_KEY?: unknown;
  MAX_EVENT_BYTES?: unknown;
  MAX_IMPORT_BYTES?: unknown;
  MAX_IMPORT_ENTRIES?: unknown;
  MAX_KNOWLEDGE_PASSAGES?: unknown;
  HOOKS_RETRY_SECONDS?: unknown;
  HOOKS_DNS_URL?: unknown;
  HOOKS_ALLOW_LOOPBACK?: unknown;
  BILLING?: unknown;
  PRICES?: unknown;
  FREE_CHARACTERS_PER_DAY?: unknown;
  RESERVATION_SECONDS?: unknown;
  X402_PAY_TO?: unknown;
  X402_FACILITATOR_URL?: unknown;
  X402_NETWORK?: unknown;
  X402_ASSET?: unknown;
  X402_ASSET_NAME?: unknown;
  X402_ASSET_VERSION?: unknown;
  /** Secrets. */
  X402_FACILITATOR_TOKEN?: unknown;
  STRIPE_WEBHOOK_SECRET?: unknown;
  LOG?: unknown;
  METRICS?: unknown;
}

const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/, "expected an address: 0x and 40 hex digits");

const settingsSchema = z.object({
  /** Which build of the kernels runs: `relaxed` SIMD, or `simd`, the baseline of 2021. Equal to the bit. */
  KERNEL_BUILD: z.enum(["relaxed", "simd"]).default("relaxed"),
  /** Wasm memory of all models of an isolate together; of its 128 MiB the rest is left to the JS heap. */
  MODEL_MEMORY_BUDGET_MIB: z.coerce.number().positive().default(96),
  /** Age at which a cached manifest is read again, so that an uploaded version is picked up. */
  MODEL_TTL_SECONDS: z.coerce.number().min(0).default(60),
  /** Most texts and most characters (UTF-16 units, all texts together) of one request. */
  MAX_TEXTS: z.coerce.number().int().positive().default(64),
  MAX_CHARACTERS: z.coerce.number().int().positive().default(20_000),
  /** Empty is the same as none. */
  ADMIN_KEY: z.string().trim().optional(),
  HOOKS_KEY: z.string().trim().optional(),
  /** Largest body of an event. An object's row holds 2 MB. */
  MAX_EVENT_BYTES: z.coerce.number().int().positive().max(1_900_000).default(1_000_000),
  /** Largest body of an import into a knowledge base: what of it is new is embedded within the request's CPU time. */
  MAX_IMPORT_BYTES: z.coerce.number().int().positive().max(20_000_000).default(500_000),
  MAX_IMPORT_ENTRIES: z.coerce.number().int().positive().default(1_000),
  /** Of one knowledge base, whose vectors are all in memory: 14 MB for 100,000 of 128 dimensions. */
  MAX_KNOWLEDGE_PASSAGES: z.coerce.number().int().positive().max(500_000).default(120_000),
  /** Seconds between the attempts of a delivery, separated by commas. */
  HOOKS_RETRY_SECONDS: z
    .string()
    .regex(/^\d+(\.\d+)?(,\d+(\.\d+)?)*$/, "expected seconds separated by commas")
    .optional(),
  /** Where the names of destinations are looked up, by DNS-over-HTTPS with JSON; empty for nowhere. */
  HOOKS_DNS_URL: z.union([z.literal(""), z.url()]).optional(),
  /** For development: whether destinations may be on this machine. */
  HOOKS_ALLOW_LOOPBACK: z.union([z.boolean(), z.enum(["true", "false"])]).default(false),
  /** Whether requests must be paid. Without a value they are free on this machine, and refused anywhere else. */
  BILLING: z.enum(["on", "off"]).optional(),
  /** Model id → price; what is not named has a standard price (billing/pricing.ts). */
  PRICES: pricesSchema.default({}),
  /** Characters a day that an address without a key may use for nothing. */
  FREE_CHARACTERS_PER_DAY: z.coerce.number().int().min(0).default(0),
  /** After this, a request that reserved credit and was not heard of again counts as dead. */
  RESERVATION_SECONDS: z.coerce.number().int().positive().default(120),
  /** x402: the seller's address; without it nobody can pay that way. The rest has the values of USDC on Base Sepolia. */
  X402_PAY_TO: address.optional(),
  X402_FACILITATOR_URL: z.url().default("https://x402.org/facilitator"),
  X402_NETWORK: z
    .string()
    .regex(/^eip155:\d+$/)
    .default("eip155:84532"),
  X402_ASSET: address.default("0x036CbD53842c5426634e7929541eC2318f3dCF7e"),
  X402_ASSET_NAME: z.string().default("USDC"),
  X402_ASSET_VERSION: z.string().default("2"),
  X402_FACILITATOR_TOKEN: z.string().optional(),
  STRIPE_WEBHOOK_SECRET: z.string().optional(),
  /** Whether each request has a line in the log, or only what fails of our fault. */
  LOG: z.enum(["requests", "errors"]).default("errors"),
  /** Whether `/metrics` is for the operator or for anyone. */
  METRICS: z.enum(["operator", "public"]).default("operator"),
});

export interface Settings {
  kernelBuild: "relaxed" | "simd";
  memoryBudgetBytes: number;
  modelTtlMs: number;
  maxTexts: number;
  maxCharacters: number;
  /** Without it the operator's routes are closed. */
  adminKey: string | undefined;
  hooksKey: string | undefined;
  maxEventBytes: number;
  maxImportBytes: number;
  maxImportEntries: number;
  maxKnowledgePassages: number;
  retrySeconds: readonly number[];
  dnsUrl: string | undefined;
  allowLoopback: boolean;
  billing: "on" | "off" | undefined;
  prices: Prices;
  freeCharactersPerDay: number;
  reservationMs: number;
  x402: X402Settings | undefined;
  stripeWebhookSecret: string | undefined;
  logRequests: boolean;
  publicMetrics: boolean;
}

export interface X402Settings {
  payTo: string;
  facilitatorUrl: string;
  facilitatorToken: string | undefined;
  /** CAIP-2, as eip155:8453. */
  network: `${string}:${string}`;
  /** The token's contract, and its EIP-712 domain. Its unit must be a millionth of the currency, as USDC's is. */
  asset: string;
  assetName: string;
  assetVersion: string;
}

/** An isolate gets the same bindings with each request. */
const known = new WeakMap<Partial<Env>, Settings>();

/** @throws Error naming the variable that has a wrong value */
export function readSettings(env: Partial<Env>): Settings {
  let settings = known.get(env);
  if (!settings) {
    settings = parseSettings(env);
    known.set(env, settings);
  }
  return settings;
}

function parseSettings(env: Partial<Env>): Settings {
  const result = settingsSchema.safeParse(env);
  if (!result.success) throw new Error(`wrangler.toml [vars]: ${describeIssues(result.error)}`);
  const vars = result.data;
  return {
    kernelBuild: vars.KERNEL_BUILD,
    memoryBudgetBytes: vars.MODEL_MEMORY_BUDGET_MIB * 2 ** 20,
    modelTtlMs: vars.MODEL_TTL_SECONDS * 1000,
    maxTexts: vars.MAX_TEXTS,
    maxCharacters: vars.MAX_CHARACTERS,
    adminKey: vars.ADMIN_KEY || undefined,
    hooksKey: vars.HOOKS_KEY || undefined,
    maxEventBytes: vars.MAX_EVENT_BYTES,
    maxImportBytes: vars.MAX_IMPORT_BYTES,
    maxImportEntries: vars.MAX_IMPORT_ENTRIES,
    maxKnowledgePassages: vars.MAX_KNOWLEDGE_PASSAGES,
    retrySeconds: vars.HOOKS_RETRY_SECONDS?.split(",").map(Number) ?? RETRY_SECONDS,
    dnsUrl: vars.HOOKS_DNS_URL || undefined,
    allowLoopback: String(vars.HOOKS_ALLOW_LOOPBACK) === "true",
    billing: vars.BILLING,
    prices: vars.PRICES,
    freeCharactersPerDay: vars.FREE_CHARACTERS_PER_DAY,
    reservationMs: vars.RESERVATION_SECONDS * 1000,
    x402: vars.X402_PAY_TO === undefined ? undefined : x402Settings(vars, vars.X402_PAY_TO),
    stripeWebhookSecret: vars.STRIPE_WEBHOOK_SECRET || undefined,
    logRequests: vars.LOG === "requests",
    publicMetrics: vars.METRICS === "public",
  };
}

function x402Settings(vars: z.infer<typeof settingsSchema>, payTo: string): X402Settings {
  return {
    payTo,
    facilitatorUrl: vars.X402_FACILITATOR_URL,
    facilitatorToken: vars.X402_FACILITATOR_TOKEN,
    network: vars.X402_NETWORK as X402Settings["network"],
    asset: vars.X402_ASSET,
    assetName: vars.X402_ASSET_NAME,
    assetVersion: vars.X402_ASSET_VERSION,
  };
}

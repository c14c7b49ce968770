/**
 * What the Worker is given from outside: its bindings and its settings, as wrangler.toml declares them.
 */
import { z } from "zod";
import type { HookMessage } from "./hooks/consumer.ts";
import type { Directory } from "./hooks/directory.ts";
import type { HookObject } from "./hooks/hook-object.ts";
import { RETRY_SECONDS } from "./hooks/retry.ts";
import { describeIssues } from "./model/config.ts";

export interface Env {
  /** Holds the models; layout in model/manifest.ts. */
  MODELS: R2Bucket;
  /** One object a hook, and one that knows which hooks there are. */
  HOOKS: DurableObjectNamespace<HookObject>;
  HOOK_DIRECTORY: DurableObjectNamespace<Directory>;
  /** Events that wait for the classifier. */
  HOOK_QUEUE: Queue<HookMessage>;
  HOOK_EVENTS: AnalyticsEngineDataset;
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
  HOOKS_RETRY_SECONDS?: unknown;
  HOOKS_DNS_URL?: unknown;
  HOOKS_ALLOW_LOOPBACK?: unknown;
}

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
  /** Seconds between the attempts of a delivery, separated by commas. */
  HOOKS_RETRY_SECONDS: z
    .string()
    .regex(/^\d+(\.\d+)?(,\d+(\.\d+)?)*$/, "expected seconds separated by commas")
    .optional(),
  /** Where the names of destinations are looked up, by DNS-over-HTTPS with JSON; empty for nowhere. */
  HOOKS_DNS_URL: z.union([z.literal(""), z.url()]).optional(),
  /** For development: whether destinations may be on this machine. */
  HOOKS_ALLOW_LOOPBACK: z.union([z.boolean(), z.enum(["true", "false"])]).default(false),
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
  retrySeconds: readonly number[];
  dnsUrl: string | undefined;
  allowLoopback: boolean;
}

/** An isolate gets the same bindings with each request. */
const known = new WeakMap<Env, Settings>();

/** @throws Error naming the variable that has a wrong value */
export function readSettings(env: Env): Settings {
  let settings = known.get(env);
  if (!settings) {
    settings = parseSettings(env);
    known.set(env, settings);
  }
  return settings;
}

function parseSettings(env: Env): Settings {
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
    retrySeconds: vars.HOOKS_RETRY_SECONDS?.split(",").map(Number) ?? RETRY_SECONDS,
    dnsUrl: vars.HOOKS_DNS_URL || undefined,
    allowLoopback: String(vars.HOOKS_ALLOW_LOOPBACK) === "true",
  };
}

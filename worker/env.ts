/**
 * What the Worker is given from outside: its bindings and its settings, as wrangler.toml declares them.
 */
import { z } from "zod";
import { describeIssues } from "./model/config.ts";

export interface Env {
  /** Holds the models; layout in model/manifest.ts. */
  MODELS: R2Bucket;
  /** The variables below, from wrangler.toml, `.dev.vars`, secrets or `--var`; only the first gives other than strings. */
  KERNEL_BUILD?: unknown;
  MODEL_MEMORY_BUDGET_MIB?: unknown;
  MODEL_TTL_SECONDS?: unknown;
  MAX_TEXTS?: unknown;
  MAX_CHARACTERS?: unknown;
  /** A secret: what the operator's routes ask for. */
  ADMIN_KEY?: unknown;
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
});

export interface Settings {
  kernelBuild: "relaxed" | "simd";
  memoryBudgetBytes: number;
  modelTtlMs: number;
  maxTexts: number;
  maxCharacters: number;
  /** Without it the operator's routes are closed. */
  adminKey: string | undefined;
}

/** @throws Error naming the variable that has a wrong value */
export function readSettings(env: Env): Settings {
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
  };
}

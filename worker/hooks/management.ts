/** Makes and changes hooks: checks that one can work, makes its secrets, and has its object keep it. */
import type { AppEnv } from "../context.ts";
import type { Env } from "../env.ts";
import { Problem } from "../errors.ts";
import { refuseUrl } from "./destination.ts";
import { directoryOf } from "./directory.ts";
import {
  type CreateHook,
  destinationsOf,
  type Hook,
  liveSecrets,
  type PatchHook,
  rotate,
  type Source,
} from "./hook.ts";
import { hookObjectOf } from "./hook-object.ts";
import { digestOf, randomSecret, requireHooksKey, seal, signingSecret, unseal } from "./secrets.ts";
import { standardKey } from "./signatures.ts";

type Variables = Pick<AppEnv["Variables"], "store" | "scope">;

interface Changed {
  hook: Hook;
  /** The sender's, in the clear, if there is a new one. */
  secret: string | undefined;
}

/** @throws Problem invalid_hook, hooks_disabled, or of the model */
export async function createHook(env: Env, { store, scope }: Variables, request: CreateHook): Promise<Changed> {
  const hooksKey = requireHooksKey(scope.settings.hooksKey);
  const { secret: given, ...settings } = request;
  await checkHook(settings, { store, scope });
  const id = `hook_${crypto.randomUUID().replaceAll("-", "")}`;
  const secret = given ?? makeSecret(settings.source.kind);
  if (secret !== undefined) checkSecret(settings.source.kind, secret);
  const sealed = secret === undefined ? undefined : await keepSecret(settings.source, secret, id, hooksKey);
  const hook: Hook = {
    ...settings,
    id,
    createdMs: Date.now(),
    version: 1,
    secrets: sealed === undefined ? [] : [{ sealed, expiresMs: null }],
    signingSeeds: [{ sealed: await seal(randomSecret().toBase64(), id, hooksKey), expiresMs: null }],
  };
  // First the entry: one without a hook is passed over, a hook without an entry would be lost.
  await directoryOf(env).add(id);
  await hookObjectOf(env, id).write(hook);
  return { hook, secret };
}

/** @throws Problem invalid_hook, hooks_disabled, conflict, or of the model */
export async function updateHook(
  env: Env,
  { store, scope }: Variables,
  before: Hook,
  patch: PatchHook,
): Promise<Changed> {
  const hooksKey = requireHooksKey(scope.settings.hooksKey);
  const { rotate_secret, rotate_signing_secret, ...settings } = patch;
  const hook: Hook = { ...before, ...settings, version: before.version + 1 };
  await checkHook(hook, { store, scope });
  const nowMs = Date.now();
  let secret: string | undefined;
  if (rotate_secret) {
    const { kind } = hook.source;
    secret = rotate_secret.secret ?? makeSecret(kind);
    if (secret === undefined) throw new Problem("invalid_hook", "rotate_secret: expected the secret that Stripe shows");
    checkSecret(kind, secret);
    const sealed = await keepSecret(hook.source, secret, hook.id, hooksKey);
    hook.secrets = rotate(hook.secrets, sealed, rotate_secret.keep_seconds, nowMs);
  }
  if (rotate_signing_secret) {
    const sealed = await seal(randomSecret().toBase64(), hook.id, hooksKey);
    hook.signingSeeds = rotate(hook.signingSeeds, sealed, rotate_signing_secret.keep_seconds, nowMs);
  }
  if (await hookObjectOf(env, hook.id).write(hook)) return { hook, secret };
  throw new Problem("conflict", `hook ${hook.id}: somebody else has changed it; read it and try again`);
}

/** The newest signing secret of each destination. */
export async function describeSecrets(hook: Hook, hooksKey: string | undefined) {
  const [newest] = liveSecrets(hook.signingSeeds, Date.now());
  const seed = await unseal(newest!.sealed, hook.id, requireHooksKey(hooksKey));
  const urls = destinationsOf(hook.rules);
  return {
    destinations: await Promise.all(urls.map(async (url) => ({ url, signing_secret: await signingSecret(seed, url) }))),
  };
}

/** What would only fail when the first event comes. */
async function checkHook(
  { model, task, rules }: Pick<Hook, "model" | "task" | "rules">,
  { store, scope }: Variables,
): Promise<void> {
  for (const [i, rule] of rules.entries()) {
    if (rule.action !== "deliver") continue;
    const refusal = refuseUrl(rule.destination, scope.settings);
    if (refusal !== undefined) throw new Problem("invalid_hook", `rules/${i}/destination: ${refusal}`);
  }
  const candidates = await store.candidates(scope, "classification", model);
  const heads = candidates.flatMap(({ config }) => config.heads).filter(({ name }) => name === task);
  if (heads.length === 0) {
    const tasks = [...new Set(candidates.flatMap(({ config }) => config.heads.map(({ name }) => name)))];
    throw new Problem("unsupported_task", `task: expected ${tasks.join(", ")}; got ${task}`, { extensions: { tasks } });
  }
  const labels = new Set(heads.flatMap((head) => head.labels));
  for (const [i, { label }] of rules.entries()) {
    if (label === undefined || labels.has(label)) continue;
    const detail = `rules/${i}/label: expected ${[...labels].join(", ")}; got ${label}`;
    throw new Problem("invalid_hook", detail, { extensions: { labels: [...labels] } });
  }
}

/** @returns undefined where only the sender can make one */
function makeSecret(kind: Source["kind"]): string | undefined {
  switch (kind) {
    case "stripe":
      return undefined;
    case "standard":
      return `whsec_${randomSecret().toBase64()}`;
    case "none":
      return randomSecret().toBase64({ alphabet: "base64url", omitPadding: true });
    default:
      return randomSecret().toHex();
  }
}

/** Bytes of a key of Standard Webhooks, which recommends 24 to 64. */
const MIN_KEY_BYTES = 16;

function checkSecret(kind: Source["kind"], secret: string): void {
  if (kind === "none" && !/^[\w-]{20,}$/.test(secret)) {
    throw new Problem("invalid_hook", "secret: expected at least 20 letters, digits, - or _, for it stands in a path");
  }
  if (kind !== "standard") return;
  const expected = `secret: expected whsec_ and at least ${MIN_KEY_BYTES} bytes in base64`;
  try {
    if (standardKey(secret).length >= MIN_KEY_BYTES) return;
  } catch (cause) {
    throw new Problem("invalid_hook", expected, { cause });
  }
  throw new Problem("invalid_hook", expected);
}

/** A secret that is only compared needs no more than its digest. */
function keepSecret({ kind }: Source, secret: string, id: string, hooksKey: string): Promise<string> {
  return kind === "none" ? digestOf(secret) : seal(secret, id, hooksKey);
}

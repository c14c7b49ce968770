/** What work brings along, whether a request or a batch of the queue began it. */
import { type Env, readSettings } from "./env.ts";
import { kernelModules } from "./kernels.ts";
import type { RequestScope } from "./store.ts";

/** @throws Error naming the variable that has a wrong value */
export function readScope(env: Env, waitUntil: RequestScope["waitUntil"]): RequestScope {
  const settings = readSettings(env);
  return { bucket: env.MODELS, kernels: kernelModules[settings.kernelBuild], settings, waitUntil };
}

/**
 * Entry points of the Worker: requests, batches of the queues, and the classes of the Durable Objects. The app, and with
 * it the loaded models, live as long as the isolate.
 */
import { createApp } from "./app.ts";
import type { Env } from "./env.ts";
import { consume, type HookMessage } from "./hooks/consumer.ts";
import { readScope } from "./scope.ts";
import { ModelStore } from "./store.ts";

export { AccountDirectory } from "./billing/directory.ts";
export { FreeQuota } from "./billing/free-quota.ts";
export { Ledger } from "./billing/ledger.ts";
export { HookDirectory } from "./hooks/directory.ts";
export { HookObject } from "./hooks/hook-object.ts";
export { KnowledgeDirectory } from "./knowledge/directory.ts";
export { KnowledgeObject } from "./knowledge/knowledge-object.ts";

const store = new ModelStore();
const app = createApp(store);

export default {
  fetch: app.fetch,
  queue: (batch, env, context) =>
    consume(
      batch,
      env,
      store,
      readScope(env, (work) => context.waitUntil(work)),
    ),
} satisfies ExportedHandler<Env, HookMessage>;

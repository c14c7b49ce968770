/**
 * The built Worker in workerd with a local R2 bucket: the bundle, bindings and runtime as deployed, without wrangler's
 * development server in between. Each instance is a process of its own, so its isolate is cold.
 */
import { createTestHarness } from "wrangler";
import { configPath, type LocalR2, localBucket, quietWrangler } from "../publish/bucket.ts";
import type { ModelFolder } from "../publish/model-folder.ts";
import { publish } from "../publish/publish.ts";
import type { Bundle } from "./bundle.ts";

export interface Answer {
  translations: { text: string; source_tokens: number; target_tokens: number }[];
  timing: { load_ms: number; tokenize_ms: number; generate_ms: number };
}

export interface Workerd {
  /** One request through HTTP. @returns the answer and the milliseconds until its body was read */
  translate(request: object): Promise<{ answer: Answer; ms: number }>;
  close(): Promise<void>;
}

/** Starts the Worker with one model in its bucket; nothing is in the isolate's memory yet. */
export async function startWorkerd({ directory }: Bundle, model: ModelFolder): Promise<Workerd> {
  Object.assign(process.env, quietWrangler);
  const harness = createTestHarness({ workers: [{ configPath, prebuiltWorkerDir: directory }] });
  await harness.listen();
  const env = await harness.getWorker<{ MODELS: unknown }>().getEnv();
  const close = () => harness.close();
  await publish(localBucket(env.MODELS as LocalR2, close), model);
  return {
    async translate(request) {
      const startMs = performance.now();
      const response = await harness.fetch("/v1/translate", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(request),
      });
      const body = await response.text();
      const ms = performance.now() - startMs;
      if (!response.ok) throw new Error(`bench: /v1/translate answered ${response.status}: ${body}`);
      return { answer: JSON.parse(body) as Answer, ms };
    },
    close,
  };
}

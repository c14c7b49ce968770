/** Starts a Worker of the benchmark's own in a local workerd: no bindings, bundled as wrangler bundles. */
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";
import { quietWrangler } from "../publish/bucket.ts";

const directory = fileURLToPath(new URL("../../build/bench/", import.meta.url));

export interface BenchWorker {
  /** @returns the answer's JSON @throws Error with the answer's text if it is not OK */
  post<T>(path: string, body: unknown): Promise<T>;
  close(): Promise<void>;
}

/** @param module the Worker's */
export async function startBenchWorker(module: URL): Promise<BenchWorker> {
  Object.assign(process.env, quietWrangler);
  await mkdir(directory, { recursive: true });
  const main = fileURLToPath(module);
  // .../kernels/worker.ts → kernels
  const name = basename(dirname(main));
  const configPath = `${directory}${name}.json`;
  const config = { name: `edge-slm-bench-${name}`, main, compatibility_date: "2026-10-01" };
  await writeFile(configPath, JSON.stringify(config));
  const harness = createTestHarness({ workers: [{ configPath }] });
  await harness.listen();
  return {
    async post<T>(path: string, body: unknown) {
      const isBytes = body instanceof Uint8Array;
      const response = await harness.fetch(path, {
        method: "POST",
        body: isBytes ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`bench: ${name}${path} answered ${response.status}: ${await response.text()}`);
      return (await response.json()) as T;
    },
    close: () => harness.close(),
  };
}

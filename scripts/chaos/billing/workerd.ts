/**
 * A Worker in a workerd of its own that can be killed and started again on the same storage, with all it prints kept.
 * Requests go to its own socket.
 */
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { childrenNamed } from "../../bench/worker/cpu-time.ts";
import { configPath, quietWrangler, wranglerPath } from "../../publish/bucket.ts";

const NAME = "edge-slm";

/** @param entry the Worker's module, @param directory what wrangler makes of it goes there */
export async function bundleWorker(entry: URL, directory: string): Promise<void> {
  const args = ["deploy", fileURLToPath(entry), "--dry-run", "--minify", "--outdir", directory, "--config", configPath];
  const env = { ...process.env, ...quietWrangler };
  await promisify(execFile)(process.execPath, [wranglerPath(), ...args], { env });
}

export interface WorkerOptions {
  bundle: string;
  vars: Record<string, string | number>;
  /** Folder of its storage, as wrangler's --persist-to. */
  state: string;
}

export interface RunningWorker {
  url: string;
  /** As SIGKILL does it: nothing is finished, nothing is said. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** @param log what the Worker prints is appended to it */
export async function startWorker({ bundle, vars, state }: WorkerOptions, log: string[]): Promise<RunningWorker> {
  Object.assign(process.env, quietWrangler);
  const { workerOptions } = unstable_getMiniflareWorkerOptions(configPath);
  const [script, ...others] = await filesOf(bundle, ".js");
  if (script === undefined || others.length > 0) throw new Error(`${bundle}: expected one script, the bundled Worker`);
  const worker = {
    ...workerOptions,
    name: NAME,
    modules: [
      { type: "ESModule" as const, path: script },
      ...(await filesOf(bundle, ".wasm")).map((path) => ({ type: "CompiledWasm" as const, path })),
    ],
    modulesRoot: bundle,
    bindings: { ...(workerOptions.bindings as object), ...vars },
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  };
  const before = await childrenNamed("workerd");
  const options = convertV4MiniflareOptions({ cf: false, workers: [worker] });
  const miniflare = new Miniflare({
    ...options,
    resourcePersistencePath: join(state, "v3"),
    handleStructuredLogs: ({ message }) => log.push(message),
  });
  await miniflare.ready;
  const mine = (await childrenNamed("workerd")).filter((id) => !before.includes(id));
  return {
    url: String(await miniflare.unsafeGetDirectURL(NAME)).replace(/\/$/, ""),
    async kill() {
      for (const id of mine) process.kill(id, "SIGKILL");
      await miniflare.dispose().catch(() => {});
    },
    close: () => miniflare.dispose(),
  };
}

async function filesOf(bundle: string, extension: string): Promise<string[]> {
  return (await readdir(bundle)).filter((name) => name.endsWith(extension)).map((name) => join(bundle, name));
}

/** The process that `startWorker` starts: workerd with the bindings of wrangler.toml. */
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { configPath, quietWrangler } from "../publish/bucket.ts";
import type { WorkerOptions } from "./worker-process.ts";

const NAME = "edge-slm";

process.stdin.on("end", () => process.exit()).resume();
const { bundle, directory, vars } = JSON.parse(process.argv[2]!) as WorkerOptions;
Object.assign(process.env, quietWrangler);
const { workerOptions } = unstable_getMiniflareWorkerOptions(configPath);
const entryFirst = bundle.files.toSorted((a, b) => Number(b.endsWith(".js")) - Number(a.endsWith(".js")));
const modules = entryFirst.map((file) => ({
  type: file.endsWith(".wasm") ? ("CompiledWasm" as const) : ("ESModule" as const),
  path: join(bundle.directory, file),
}));
const worker = {
  ...workerOptions,
  name: NAME,
  modules,
  modulesRoot: bundle.directory,
  bindings: Object.assign({}, workerOptions.bindings, vars),
  unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
};
const miniflare = new Miniflare(
  convertV4MiniflareOptions({ cf: false, resourcePersistencePath: join(directory, "v3"), workers: [worker] }),
);
await miniflare.ready;
console.log(`listening ${(await miniflare.unsafeGetDirectURL(NAME)).href.replace(/\/$/, "")}`);

/** The process that `WorkerProcess` starts: workerd with the bindings of wrangler.toml, and a model in its bucket. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";
import { configPath, type LocalR2, localBucket, quietWrangler } from "../../publish/bucket.ts";
import { readModelFolder } from "../../publish/model-folder.ts";
import { publish } from "../../publish/publish.ts";
import type { WorkerOptions } from "./worker-process.ts";

const NAME = "edge-slm";
const classifier = fileURLToPath(new URL("../../../test/fixtures/tiny-classifier", import.meta.url));

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
  convertV4MiniflareOptions({ cf: false, resourcePersistencePath: directory, workers: [worker] }),
);
await miniflare.ready;
const bucket = (await miniflare.getR2Bucket("MODELS", NAME)) as unknown as LocalR2;
await publish(
  localBucket(bucket, async () => {}),
  await readModelFolder(classifier),
);
console.log(`listening ${(await miniflare.unsafeGetDirectURL(NAME)).href.replace(/\/$/, "")}`);

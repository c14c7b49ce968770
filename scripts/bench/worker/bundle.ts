/** Builds the Worker as `wrangler deploy` would upload it, minified, and weighs it. */
import { execFile } from "node:child_process";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { configPath, quietWrangler, wranglerPath } from "../../publish/bucket.ts";
import type { Figure } from "../figures.ts";

export interface Bundle {
  directory: string;
  /** The entry point and the wasm modules beside it, by file name. */
  files: string[];
}

const buildDirectory = fileURLToPath(new URL("../../../build/worker", import.meta.url));

/**
 * @param directory to build in, which is emptied before
 * @param entry another than wrangler.toml's
 * @throws Error with wrangler's output if the Worker does not build
 */
export async function buildBundle(directory = buildDirectory, entry?: string): Promise<Bundle> {
  await rm(directory, { recursive: true, force: true });
  const own = entry === undefined ? [] : [entry];
  const args = ["deploy", ...own, "--dry-run", "--minify", "--outdir", directory, "--config", configPath];
  await promisify(execFile)(process.execPath, [wranglerPath(), ...args], {
    env: { ...process.env, ...quietWrangler },
  }).catch((error: Error & { stderr?: string }) => {
    throw new Error(`bench: the Worker does not build: ${error.stderr ?? error.message}`, { cause: error });
  });
  const files = (await readdir(directory)).filter((name) => name.endsWith(".js") || name.endsWith(".wasm"));
  return { directory, files };
}

/** What Cloudflare counts: every uploaded file, compressed. */
export async function weighBundle({ directory, files }: Bundle): Promise<Figure> {
  const sizes = await Promise.all(files.map(async (name) => gzipSync(await readFile(join(directory, name))).length));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  return { name: "Worker bundle with kernels, minified, gzip", unit: "kB", value: bytes / 1000, bar: { atMost: 500 } };
}

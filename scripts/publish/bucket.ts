/**
 * The R2 bucket that wrangler.toml binds, seen from Node: the local one, which `wrangler dev` reads, or the real one
 * through wrangler's own commands, which know how to log in.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

export interface Bucket {
  /** For people: which bucket it is. */
  name: string;
  getText(key: string): Promise<string | undefined>;
  /** Whether an object is there with this size, as far as the bucket can tell without reading it. */
  has(key: string, bytes: number): Promise<boolean>;
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>;
  delete(keys: string[]): Promise<void>;
  close(): Promise<void>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
export const configPath = join(root, "wrangler.toml");
/** Where `wrangler dev` keeps its local state unless told otherwise. */
export const statePath = join(root, ".wrangler", "state");

/** What keeps wrangler quiet and off the network: no usage statistics, no cf.json, no question about either. */
export const quietWrangler = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_WRITE_LOGS: "false",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
};

/** The path of wrangler's command line. */
export function wranglerPath(): string {
  const packageJson = createRequire(import.meta.url).resolve("wrangler/package.json");
  return join(dirname(packageJson), "bin", "wrangler.js");
}

/** What of a local R2 binding is used here; the types of Workers do not go together with those of Node. */
export interface LocalR2 {
  get(key: string): Promise<{ text(): Promise<string> } | null>;
  head(key: string): Promise<{ size: number } | null>;
  put(key: string, value: Uint8Array, options: { httpMetadata: { contentType: string } }): Promise<unknown>;
  delete(keys: string[]): Promise<void>;
}

/** @param persistTo folder of the local state */
export async function openLocalBucket(persistTo = statePath): Promise<Bucket> {
  Object.assign(process.env, quietWrangler);
  const { convertV4MiniflareOptions, Miniflare } = await import("miniflare");
  // Only the bucket: wrangler's own proxy of all bindings complains of Durable Objects that it does not run.
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      cf: false,
      resourcePersistencePath: join(persistTo, "v3"),
      modules: true,
      script: "export default {};",
      r2Buckets: { MODELS: await bucketName() },
    }),
  );
  const bucket = (await miniflare.getR2Bucket("MODELS")) as unknown as LocalR2;
  return localBucket(bucket, () => miniflare.dispose());
}

/** A bucket from its binding in a local workerd. */
export function localBucket(binding: LocalR2, close: () => Promise<void>): Bucket {
  return {
    name: "the local bucket",
    getText: async (key) => (await binding.get(key))?.text(),
    has: async (key, bytes) => (await binding.head(key))?.size === bytes,
    put: async (key, bytes, contentType) => {
      await binding.put(key, bytes, { httpMetadata: { contentType } });
    },
    delete: (keys) => binding.delete(keys),
    close,
  };
}

/**
 * @param location which bucket of that name; tests take the local one, since all else is the same
 * @param run how wrangler is run
 */
export async function openRemoteBucket(location = ["--remote"], run = runWrangler): Promise<Bucket> {
  const name = await bucketName();
  const directory = await mkdtemp(join(tmpdir(), "edge-slm-upload-"));
  const object = (verb: string, key: string, ...args: string[]) =>
    run(["r2", "object", verb, `${name}/${key}`, ...location, ...args]);
  return {
    name: `the bucket ${name}`,
    async getText(key) {
      const { code, stdout, stderr } = await object("get", key, "--pipe");
      if (code === 0) return stdout;
      if (/key does not exist/.test(stdout + stderr)) return undefined;
      throw wranglerError(`reading ${name}/${key}`, stdout + stderr);
    },
    // Wrangler has no command for it. The manifest was written last, so the files were there.
    has: async () => true,
    async put(key, bytes, contentType) {
      const path = join(directory, "object");
      await writeFile(path, bytes);
      const { code, stdout, stderr } = await object("put", key, "--file", path, "--content-type", contentType);
      if (code !== 0) throw wranglerError(`writing ${name}/${key}`, stdout + stderr);
    },
    async delete(keys) {
      for (const key of keys) {
        const { code, stdout, stderr } = await object("delete", key);
        if (code !== 0) throw wranglerError(`deleting ${name}/${key}`, stdout + stderr);
      }
    },
    close: () => rm(directory, { recursive: true, force: true }),
  };
}

/** What wrangler.toml binds to MODELS. */
async function bucketName(): Promise<string> {
  const { unstable_readConfig } = await import("wrangler");
  const { r2_buckets } = unstable_readConfig({ config: configPath });
  const buckets: { binding: string; bucket_name?: string }[] = r2_buckets;
  const name = buckets.find(({ binding }) => binding === "MODELS")?.bucket_name;
  if (!name) throw new Error(`${configPath}: expected an R2 bucket bound to MODELS`);
  return name;
}

function runWrangler(args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [wranglerPath(), ...args, "--config", configPath], {
      env: { ...process.env, ...quietWrangler, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", fail);
    child.on("close", (code) => done({ code, stdout, stderr }));
  });
}

/** Wrangler's own error line, out of what it printed. */
function wranglerError(doing: string, output: string): Error {
  const lines = stripVTControlCharacters(output)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const line = lines.find((text) => text.includes("[ERROR]")) ?? lines.at(-1) ?? "no output";
  return new Error(`upload: ${doing}: ${line.replace(/^.*\[ERROR\]\s*/, "")}`);
}

/**
 * The decisions of `npm run deploy`, with a `wrangler` on the PATH that plays a Cloudflare account: it keeps what was
 * made in a folder, and writes down how it was called. A real account is not here.
 */
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type DeployOptions, deploy as run } from "../../scripts/deploy/deploy.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Answers as wrangler 4 does, as far as it is asked. `down` names a command that fails, once. In sh, which starts fast. */
const FAKE = String.raw`#!/bin/sh
cd "$FAKE_ACCOUNT" || exit 1
command=$(echo "$*" | sed 's/ --config .*//')
echo "$command" >> calls
fail() { echo "✘ [ERROR] $1" >&2; exit 1; }
if [ -f down ] && case "$command" in "$(cat down)"*) true;; *) false;; esac; then
  rm down; fail "A request to the Cloudflare API failed."
fi
case "$command" in
  "whoami --json") [ -f anonymous ] && fail "You are not authenticated. Please run wrangler login."; echo "{}" ;;
  "r2 bucket list") [ -f buckets ] && sed 's/^/name:           /' buckets ;;
  "r2 bucket create "*) echo "$4" >> buckets ;;
  "queues info "*) grep -qx "$3" queues 2>/dev/null || fail "Queue \"$3\" does not exist. To create it, run: wrangler queues create $3" ;;
  "queues create "*) echo "$3" >> queues ;;
  "secret list "*)
    [ -f worker ] || fail "Worker \"edge-slm\" not found."
    echo "[$(sed 's/.*/{"name":"&","type":"secret_text"}/' secrets | paste -sd, -)]" ;;
  "r2 object get "*) fail "The specified key does not exist." ;;
  "r2 object put "*) echo "$4" >> objects ;;
  deploy*)
    if [ "$2" = "--secrets-file" ]; then
      { tr -d '{}"' < "$3" | tr , '\n'; echo; } | while IFS=: read -r name value; do echo "$name" >> secrets; echo "$value" >> values; done
    fi
    echo deployed >> worker
    printf 'Uploaded edge-slm\n  https://edge-slm.acme.workers.dev\n' ;;
  *) fail "unknown command $command" ;;
esac
exit 0
`;

let directory: string;
let account: string;
let config: string;
let secrets: string;

// It is large, and read when it is first needed.
beforeAll(() => import("wrangler"), 180_000);
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "edge-slm-deploy-"));
  account = join(directory, "account");
  await mkdir(account);
  await mkdir(join(directory, "bin"));
  await writeFile(join(directory, "bin", "wrangler"), FAKE);
  await chmod(join(directory, "bin", "wrangler"), 0o755);
  config = join(directory, "wrangler.toml");
  await copyFile(join(root, "wrangler.toml"), config);
  secrets = join(directory, "deployed.vars");
  vi.stubEnv("PATH", [join(directory, "bin"), process.env.PATH].join(delimiter));
  vi.stubEnv("FAKE_ACCOUNT", account);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

const build = vi.fn(async () => {});
const models = [join(root, "test", "fixtures", "tiny")];

/** @returns what it printed, and the error that it ended with, if any */
async function deploy(options: Partial<DeployOptions>): Promise<{ stdout: string; error: string | undefined }> {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const ask = options.ask ?? (async () => false);
  const error = await run({ smoke: false, config, secrets, models, build, ...options, ask }).then(
    () => undefined,
    (reason: Error) => reason.message,
  );
  const stdout = log.mock.calls.map(([line]) => `${line}\n`).join("");
  log.mockRestore();
  return { stdout, error };
}

/** How wrangler was called, the first words of each call. */
async function calls(): Promise<string[]> {
  const text = await readFile(join(account, "calls"), "utf8").catch(() => "");
  await rm(join(account, "calls"), { force: true });
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => line.split(" ").slice(0, 3).join(" "));
}

const kept = (name: string) => readFile(join(account, name), "utf8").then((text) => text.trim().split("\n"));

describe("npm run deploy", () => {
  it("makes what is missing, uploads, deploys, and at the second time finds it all", async () => {
    const first = await deploy({ yes: true, billing: "off" });
    expect(first.error).toBeUndefined();
    expect(first.stdout).toMatch(/✓ Worker: https:\/\/edge-slm\.acme\.workers\.dev\n$/);
    expect(await kept("buckets")).toEqual(["edge-slm-models"]);
    expect(await kept("queues")).toEqual(["edge-slm-hooks", "edge-slm-hooks-dead"]);
    expect(await kept("secrets")).toEqual(["ADMIN_KEY", "HOOKS_KEY"]);
    const objects = await kept("objects");
    expect(objects).toHaveLength(4);
    // The manifest comes after the files.
    expect(objects.at(-1)).toMatch(/tiny\/manifest\.json$/);
    const values = await readFile(secrets, "utf8");
    for (const value of await kept("values")) expect(values).toContain(value);
    expect(first.stdout).not.toContain((await kept("values"))[0]!);
    expect(await readFile(config, "utf8")).toMatch(/^BILLING = "off"$/m);
    await calls();

    const second = await deploy({ yes: true });
    expect(second.error).toBeUndefined();
    expect(second.stdout.match(/: is there$/gm)).toHaveLength(5);
    const again = await calls();
    expect(again.filter((call) => / create /.test(call))).toEqual([]);
    expect(again.at(-1)).toBe("deploy");
    expect(await kept("secrets")).toHaveLength(2);
  });

  it("says how far it came when something fails, and goes on from there", async () => {
    await writeFile(join(account, "down"), "queues create edge-slm-hooks-dead");
    const failed = await deploy({ yes: true, billing: "on" });
    expect(failed.error).toMatch(/^queue edge-slm-hooks-dead: .*A request to the Cloudflare API failed\.\n/);
    expect(failed.error).toMatch(
      /^ {2}done {7}queue edge-slm-hooks\n {2}failed {5}queue edge-slm-hooks-dead\n {2}not begun {2}secrets$/m,
    );
    expect(await calls()).not.toContain("deploy");
    const after = await deploy({ yes: true });
    expect(after.error).toBeUndefined();
    expect(after.stdout).toMatch(/✓ queue edge-slm-hooks: is there\n✓ queue edge-slm-hooks-dead\n/);
    expect(await kept("queues")).toEqual(["edge-slm-hooks", "edge-slm-hooks-dead"]);
  });

  it("keeps a secret that was made before the Worker went up", async () => {
    await writeFile(join(account, "down"), "deploy");
    expect((await deploy({ yes: true, billing: "off" })).error).toMatch(/^Worker: /);
    const made = await readFile(secrets, "utf8");
    expect((await deploy({ yes: true })).error).toBeUndefined();
    expect(await readFile(secrets, "utf8")).toBe(made);
  });

  it("asks for a login, and does nothing without one", async () => {
    await writeFile(join(account, "anonymous"), "");
    const { error } = await deploy({ yes: true, billing: "off" });
    expect(error).toMatch(/^login: expected a login to Cloudflare.*npx wrangler login.*CLOUDFLARE_API_TOKEN/);
    expect(await calls()).toEqual(["whoami --json"]);
    expect(await readFile(config, "utf8")).toContain('# BILLING = "on"');
  });

  it("does nothing that nobody said yes to", async () => {
    const { error } = await deploy({ billing: "off" });
    expect(error).toMatch(/^bucket edge-slm-models: you said no; nothing else is begun\n.*refused/s);
    expect((await calls()).filter((call) => / create |^deploy/.test(call))).toEqual([]);
    expect((await deploy({ ask: async () => true })).error).toBeUndefined();
    expect(await kept("worker")).toHaveLength(1);
  });

  it("wants to know about money first", async () => {
    const { error } = await deploy({ yes: true });
    expect(error).toMatch(/^expected --billing on or off with --yes/);
    expect(await calls()).toEqual([]);
  });
});

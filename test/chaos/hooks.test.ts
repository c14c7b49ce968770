import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildBundle } from "../../scripts/bench/worker/bundle.ts";
import { forge } from "../../scripts/chaos/hooks/forgeries.ts";
import { storm } from "../../scripts/chaos/hooks/storm.ts";
import { HooksWorker } from "../../scripts/chaos/hooks/worker.ts";

/** `npm run chaos -- hooks`, but short; latencies are not for a machine that runs other tests. */
let directory: string;
let worker: HooksWorker;
const log: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "edge-slm-chaos-"));
  worker = new HooksWorker(await buildBundle(), directory);
  await worker.start();
}, 180_000);
afterAll(async () => {
  await worker.kill();
  await rm(directory, { recursive: true });
});

it("loses nothing and does nothing twice while the Worker is killed and its receivers fail", async () => {
  const [row] = await storm(worker, { events: 200, senders: 20, kills: 1 }, (line) => log.push(line));
  expect(row, log.join("\n")).toMatchObject({ isMet: true });
}, 300_000);

it("refuses forged requests and keeps none", async () => {
  const [row] = await forge(worker, { mutations: 400 }, (line) => log.push(line));
  expect(row, log.join("\n")).toMatchObject({ isMet: true });
}, 120_000);

const script = fileURLToPath(new URL("../../scripts/hooks.ts", import.meta.url));
const runHooks = (...args: string[]) => promisify(execFile)(process.execPath, [script, ...args]);

async function findPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

it("makes a hook, sends it an event and sees it arrive, by the commands that it prints", async () => {
  const port = await findPort();
  const common = ["--worker", worker.url!, "--admin-key", worker.adminKey];
  const to = `http://127.0.0.1:${port}/`;
  const { stdout } = await runHooks("create", "--kind", "github", "--task", "topic", "--to", to, ...common);
  const commandOf = (name: string) => new RegExp(`^${name}: +npm run hooks -- (.*)$`, "m").exec(stdout)![1]!.split(" ");
  const listener = spawn(process.execPath, [script, ...commandOf("Receive")], { stdio: ["ignore", "pipe", "inherit"] });
  let heard = "";
  const hears = (pattern: RegExp) =>
    new Promise<void>((done) => {
      const look = () => pattern.test(heard) && done();
      listener.stdout.on("data", look);
      look();
    });
  listener.stdout.setEncoding("utf8").on("data", (text: string) => {
    heard += text;
  });
  try {
    await hears(/Receiving on/);
    const file = join(directory, "event.json");
    await writeFile(file, JSON.stringify({ action: "opened", issue: { title: "The parcel never arrived" } }));
    expect((await runHooks(...commandOf("Send"), "--file", file, "--id", "delivery-1")).stdout).toMatch(/^202 /);
    await hears(/^verified evt_\w+, github issues delivery-1: topic \d+ \(0\.\d+, by tiny-classifier\)$/m);
    expect((await runHooks(...commandOf("Send"), "--event", "ping")).stdout).toBe('200 {"status":"pong"}\n');
    await expect(runHooks(...commandOf("Send"), "--secret", "wrong")).rejects.toMatchObject({ code: 1 });
    await expect(runHooks("create", "--task", "weather", ...common)).rejects.toMatchObject({
      stderr: expect.stringContaining("expected sentiment, intent, topic"),
    });
  } finally {
    listener.kill();
  }
}, 120_000);

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildBundle } from "../../scripts/bench/worker/bundle.ts";
import { forge } from "../../scripts/chaos/hooks/forgeries.ts";
import { storm } from "../../scripts/chaos/hooks/storm.ts";
import { WorkerProcess } from "../../scripts/chaos/hooks/worker-process.ts";

/** `npm run chaos -- hooks`, but short; latencies are not for a machine that runs other tests. */
let directory: string;
let worker: WorkerProcess;
const log: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "edge-slm-chaos-"));
  worker = new WorkerProcess(await buildBundle(), directory);
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

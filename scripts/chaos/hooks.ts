/** `npm run chaos -- hooks`: the promises of the hooks, one table. */
import { mkdtemp, open, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { buildBundle } from "../bench/worker/bundle.ts";
import { fail, positiveInteger, writeJson } from "../cli.ts";
import { forge } from "./hooks/forgeries.ts";
import { measureLatency } from "./hooks/latency.ts";
import { storm } from "./hooks/storm.ts";
import { WorkerProcess } from "./hooks/worker-process.ts";

interface Options {
  events: number;
  senders: number;
  kills: number;
  rate: number;
  seconds: number;
  mutations: number;
  storage: string;
  json?: string;
}

export interface Row {
  what: string;
  bar: string;
  measured: string;
  isMet: boolean;
}

export function hooksCommand(): Command {
  return new Command("hooks")
    .description("Events, while the Worker is killed and its receivers fail; the intake under load; forged requests")
    .option("--events <n>", "events of the storm", positiveInteger, 10_000)
    .option("--senders <n>", "that send at a time", positiveInteger, 50)
    .option("--kills <n>", "times that the Worker is killed", positiveInteger, 5)
    .option("--rate <n>", "events per second, for the latencies", positiveInteger, 200)
    .option("--seconds <n>", "of that load", positiveInteger, 30)
    .option("--mutations <n>", "forged requests", positiveInteger, 5000)
    .option("--storage <dir>", "where the Worker's storage lives; each commit waits for this disk", tmpdir())
    .option("--json <file>", "figures for machines")
    .action((options: Options) => run(options).catch(fail));
}

async function run(options: Options): Promise<void> {
  const directory = await mkdtemp(join(options.storage, "edge-slm-chaos-"));
  console.log("Building the Worker …");
  const bundle = await buildBundle();
  const worker = new WorkerProcess(bundle, directory);
  try {
    await worker.start();
    const rows = [
      ...(await measureLatency(worker, options, console.log)),
      ...(await forge(worker, options, console.log)),
      ...(await storm(worker, options, console.log)),
    ];
    const flushMs = (await measureFlush(directory)).toFixed(1);
    const load = loadavg()[0]!.toFixed(1);
    const machine = `${cpus().length} cores of ${cpus()[0]!.model}, load average ${load}, a flush of the disk ${flushMs} ms`;
    console.log(`\n${formatRows(rows)}\n\n${machine}`);
    if (options.json) await writeJson(options.json, { options, rows, loadavg: loadavg(), cpu: cpus()[0]!.model });
    if (rows.some(({ isMet }) => !isMet)) process.exitCode = 1;
  } finally {
    await worker.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

const FLUSHES = 50;

/** @returns milliseconds that the disk takes to keep 4 kB for good */
async function measureFlush(directory: string): Promise<number> {
  const file = await open(join(directory, "flush"), "w");
  const startMs = performance.now();
  for (let i = 0; i < FLUSHES; i++) {
    await file.write(new Uint8Array(4096));
    await file.sync();
  }
  await file.close();
  return (performance.now() - startMs) / FLUSHES;
}

function formatRows(rows: Row[]): string {
  const lines = rows.map(
    ({ what, bar, measured, isMet }) => `| ${what} | ${bar} | ${measured} | ${isMet ? "yes" : "NO"} |`,
  );
  return ["| what | bar | measured | met |", "|---|---|---|---|", ...lines].join("\n");
}

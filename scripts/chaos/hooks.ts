/** `npm run chaos -- hooks`: the promises of the hooks, one table. */
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { buildBundle } from "../bench/worker/bundle.ts";
import { fail, positiveInteger, writeJson } from "../cli.ts";
import { forge } from "./hooks/forgeries.ts";
import { measureLatency } from "./hooks/latency.ts";
import { storm } from "./hooks/storm.ts";
import { HooksWorker } from "./hooks/worker.ts";
import { printTable } from "./table.ts";

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
  const worker = new HooksWorker(bundle, directory);
  try {
    await worker.start();
    const rows = [
      ...(await measureLatency(worker, options, console.log)),
      ...(await forge(worker, options, console.log)),
      ...(await storm(worker, options, console.log)),
    ];
    await printTable(rows, options.storage);
    if (options.json) await writeJson(options.json, { options, rows, loadavg: loadavg(), cpu: cpus()[0]!.model });
  } finally {
    await worker.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

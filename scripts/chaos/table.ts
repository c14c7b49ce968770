/** What the commands of `npm run chaos` print in the end: a table of promises, and the machine that kept them. */
import { mkdtemp, open, rm } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";

export interface Row {
  what: string;
  bar: string;
  measured: string;
  isMet: boolean;
}

/** Prints the rows; a bar that is missed makes the process end with 1. @param storage folder where the Worker stored */
export async function printTable(rows: Row[], storage: string): Promise<void> {
  const lines = rows.map(
    ({ what, bar, measured, isMet }) => `| ${what} | ${bar} | ${measured} | ${isMet ? "yes" : "NO"} |`,
  );
  const table = ["| what | bar | measured | met |", "|---|---|---|---|", ...lines].join("\n");
  const flushMs = (await measureFlush(storage)).toFixed(1);
  const load = loadavg()[0]!.toFixed(1);
  const machine = `${cpus().length} cores of ${cpus()[0]!.model}, load average ${load}, a flush of the disk ${flushMs} ms`;
  console.log(`\n${table}\n\n${machine}`);
  if (rows.some(({ isMet }) => !isMet)) process.exitCode = 1;
}

const FLUSHES = 50;

/** @returns milliseconds that the disk takes to keep 4 kB for good, median */
export async function measureFlush(storage: string): Promise<number> {
  const directory = await mkdtemp(join(storage, "edge-slm-flush-"));
  try {
    const file = await open(join(directory, "flush"), "w");
    const times: number[] = [];
    for (let i = 0; i < FLUSHES; i++) {
      const startMs = performance.now();
      await file.write(new Uint8Array(4096));
      await file.sync();
      times.push(performance.now() - startMs);
    }
    await file.close();
    return times.sort((a, b) => a - b)[FLUSHES / 2]!;
  } finally {
    await rm(directory, { recursive: true });
  }
}

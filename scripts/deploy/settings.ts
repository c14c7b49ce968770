/** What wrangler.toml says of a deployment, and the one line of it that deploying may change. */
import { readFile, writeFile } from "node:fs/promises";

export interface Settings {
  bucket: string;
  /** Of the hooks, with their dead-letter queues. */
  queues: string[];
  billing: string | undefined;
}

interface Queues {
  producers?: { queue: string }[];
  consumers?: { queue: string; dead_letter_queue?: string }[];
}

/** @throws Error if something is missing that the Worker needs */
export async function readDeployment(path: string): Promise<Settings> {
  const { unstable_readConfig } = await import("wrangler");
  const { r2_buckets, queues, vars } = unstable_readConfig({ config: path });
  const buckets: { binding: string; bucket_name?: string }[] = r2_buckets;
  const bucket = buckets.find(({ binding }) => binding === "MODELS")?.bucket_name;
  if (!bucket) throw new Error(`${path}: expected an R2 bucket bound to MODELS`);
  const { producers = [], consumers = [] }: Queues = queues;
  const names = [
    ...producers.map(({ queue }) => queue),
    ...consumers.flatMap(({ queue, dead_letter_queue: dead }) => (dead ? [queue, dead] : [queue])),
  ];
  return { bucket, queues: [...new Set(names)], billing: (vars as { BILLING?: string }).BILLING };
}

/** Sets BILLING where its comment stands, and leaves the rest of the file as it is. */
export async function writeBilling(path: string, billing: "on" | "off"): Promise<void> {
  const text = await readFile(path, "utf8");
  const line = /^# BILLING = .*$/m;
  if (!line.test(text))
    throw new Error(`${path}: expected the line # BILLING = "on"; write BILLING = "${billing}" in [vars]`);
  await writeFile(path, text.replace(line, `BILLING = "${billing}"`));
}

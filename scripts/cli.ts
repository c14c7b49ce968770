/** What every command line of the project shares. */
import { writeFile } from "node:fs/promises";

/** Ends the process with one clear line on standard error and exit code 1. */
export function fail(reason: unknown): never {
  const message = reason instanceof Error ? reason.message : String(reason);
  console.error(process.env.EDGE_SLM_DEBUG && reason instanceof Error ? reason.stack : message);
  process.exit(1);
}

/** Writes figures for machines, as `--json FILE` asks. */
export async function writeJson(path: string, figures: unknown): Promise<void> {
  await writeFile(path, `${JSON.stringify(figures, null, 2)}\n`).catch((cause: Error) => {
    throw new Error(`cannot write ${path}: ${cause.message}`, { cause });
  });
}

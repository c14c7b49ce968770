/** What every command line of the project shares. */
import { writeFile } from "node:fs/promises";
import { InvalidArgumentError } from "commander";

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

/** Reads a number option of the command line. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(Number.isFinite(value) && value > 0)) {
    throw new InvalidArgumentError(`expected a number above 0, got ${JSON.stringify(text)}`);
  }
  return value;
}

/** The same of a whole number. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new InvalidArgumentError(`expected a whole number from 1 on, got ${JSON.stringify(text)}`);
  }
  return value;
}

/** What every command line of the project shares. */

/** Ends the process with one clear line on standard error and exit code 1. */
export function fail(reason: unknown): never {
  const message = reason instanceof Error ? reason.message : String(reason);
  console.error(process.env.EDGE_SLM_DEBUG && reason instanceof Error ? reason.stack : message);
  process.exit(1);
}

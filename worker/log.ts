/**
 * Logs, one JSON object a line, for Workers Logs and whoever reads a process's output. What users send never gets in:
 * no text, no path (a hook's may hold its secret), no key.
 */

export type LogFields = Record<string, string | number | boolean | undefined>;

export function logInfo(message: string, fields: LogFields): void {
  console.log(line("info", message, fields));
}

/** @param cause what was thrown, if anything was */
export function logError(message: string, fields: LogFields = {}, cause?: unknown): void {
  console.error(line("error", message, { ...fields, ...describe(cause) }));
}

function line(level: string, message: string, fields: LogFields): string {
  return JSON.stringify({ level, time: new Date().toISOString(), message, ...fields });
}

function describe(cause: unknown): LogFields {
  if (cause === undefined) return {};
  if (!(cause instanceof Error)) return { cause: typeof cause };
  // What a parser complains of it quotes.
  const cause_message = cause instanceof SyntaxError ? "" : cause.message;
  const frames = cause.stack?.split("\n").filter((frame) => frame.trimStart().startsWith("at "));
  return { cause: cause.name, cause_message, stack: frames?.map((frame) => frame.trim()).join(" | ") };
}

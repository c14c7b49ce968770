/** The operator's side of a Worker, for command lines: its address, its ADMIN_KEY, and one way to ask. */
import type { Command } from "commander";
import { readAdminKey } from "./start/secrets.ts";

export interface OperatorOptions {
  url: string;
}

/** Adds the options that every command of the operator's has. */
export function withOperator(command: Command): Command {
  return command.option(
    "--url <url>",
    "address of the Worker; ADMIN_KEY from the environment or .dev.vars",
    "http://127.0.0.1:8787",
  );
}

/** @throws Error with what the Worker says */
export async function operate<T>({ url }: OperatorOptions, method: string, path: string, body?: object): Promise<T> {
  const adminKey = process.env.ADMIN_KEY ?? (await readAdminKey());
  if (adminKey === undefined)
    throw new Error("expected ADMIN_KEY in the environment or in .dev.vars; npm start makes one");
  const response = await fetch(new URL(`/v1/admin${path}`, url), {
    method,
    headers: { authorization: `Bearer ${adminKey}`, "content-type": "application/json" },
    ...(body ? { body: JSON.stringify(body) } : {}),
  }).catch((cause: Error) => {
    throw new Error(`${url} cannot be reached: ${cause.message}; npm start runs a Worker`, { cause });
  });
  const text = await response.text();
  if (!response.ok) {
    const problem = text.startsWith("{") ? (JSON.parse(text) as { detail?: string }) : {};
    throw new Error(`${url} answered ${response.status}: ${problem.detail ?? text}`);
  }
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

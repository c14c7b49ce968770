/**
 * The operator's key of this machine. It lives in `.dev.vars`, where `wrangler dev` looks for secrets and git does not.
 */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseEnv } from "node:util";
import { configPath } from "../publish/bucket.ts";

export const devVarsPath = join(dirname(configPath), ".dev.vars");

/** @returns the key, or undefined if the file has none */
export async function readAdminKey(path = devVarsPath): Promise<string | undefined> {
  return parseEnv(await readText(path)).ADMIN_KEY || undefined;
}

/** Makes a key unless there is one; keeps what else the file says. @returns whether it made one */
export async function ensureAdminKey(path = devVarsPath): Promise<boolean> {
  if (await readAdminKey(path)) return false;
  const text = await readText(path);
  const separator = text === "" || text.endsWith("\n") ? "" : "\n";
  // The last of two lines for one name counts.
  const key = randomBytes(32).toString("base64url");
  await writeFile(path, `${text}${separator}ADMIN_KEY=${key}\n`, { mode: 0o600 });
  return true;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

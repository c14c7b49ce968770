/**
 * The secrets of this machine. They live in `.dev.vars`, where `wrangler dev` looks for them and git does not.
 */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseEnv } from "node:util";
import { configPath } from "../publish/bucket.ts";

export const devVarsPath = join(dirname(configPath), ".dev.vars");

/** Those of a Worker that was deployed from here: likewise not in git. */
export const deployedVarsPath = join(dirname(configPath), ".deployed.vars");

/** What the Worker needs, and what for. */
export const SECRETS: Record<string, string> = {
  ADMIN_KEY: "the operator's routes",
  HOOKS_KEY: "encrypting the hooks' secrets",
};

/** @returns the key, or undefined if the file has none */
export async function readAdminKey(path = devVarsPath): Promise<string | undefined> {
  return parseEnv(await readText(path)).ADMIN_KEY || undefined;
}

/** @returns of these names those that the file has */
export async function readSecrets(path: string, names: string[]): Promise<Record<string, string>> {
  const vars = parseEnv(await readText(path));
  return Object.fromEntries(names.flatMap((name) => (vars[name] ? [[name, vars[name]]] : [])));
}

/** Makes what is missing; keeps what else the file says. @returns for each secret that it made what it is for */
export async function ensureSecrets(path = devVarsPath, names = Object.keys(SECRETS)): Promise<string[]> {
  const made: string[] = [];
  for (const name of names) {
    const purpose = SECRETS[name];
    const text = await readText(path);
    if (parseEnv(text)[name]) continue;
    const separator = text === "" || text.endsWith("\n") ? "" : "\n";
    // The last of two lines for one name counts.
    const secret = randomBytes(32).toString("base64url");
    await writeFile(path, `${text}${separator}${name}=${secret}\n`, { mode: 0o600 });
    made.push(`${name}, for ${purpose}`);
  }
  return made;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

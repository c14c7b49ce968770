/** What the trainings of one's own data share: a name, a run folder that knows what it was made of, the command to note. */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { modelIdSchema } from "../../worker/model/manifest.ts";
import { isShipped } from "../publish/model-folder.ts";
import { writeWhole } from "../training/checkpoint.ts";

export type OwnKind = "classify" | "recommend";

/** A model's id from a file's name. */
export function nameOf(path: string): string {
  return basename(path, extname(path))
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "");
}

/** @throws Error if a model cannot be called so */
export function checkName(name: string): void {
  const result = modelIdSchema.safeParse(name);
  if (!result.success) throw new Error(`--name ${JSON.stringify(name)}: ${result.error.issues[0]!.message}`);
  if (isShipped(name)) throw new Error(`--name ${name}: there is a model of this name in models/; choose another`);
}

/**
 * The run's folder: one of the same data goes on, one of others is begun anew.
 * @param fingerprint of what the run is made of: another content or another option makes another run
 * @throws Error if it is of another kind of training
 */
export async function openRun(kind: OwnKind, runDir: string, fingerprint: string): Promise<void> {
  const path = join(runDir, `${kind}.json`);
  if (existsSync(runDir)) {
    const found = await readFile(path, "utf8").catch(() => undefined);
    if (found === undefined) {
      throw new Error(`${runDir} is there and not of npm run train -- ${kind}; choose another --name, or delete it`);
    }
    if (found === fingerprint) return;
    console.log(`${runDir} was of other data or options; it begins anew`);
    await rm(runDir, { recursive: true });
  }
  await mkdir(runDir, { recursive: true });
  await writeWhole(path, fingerprint);
}

/** The command that made a model, for its card. */
export function commandOf(kind: OwnKind, options: Record<string, string | number | undefined>): string {
  const flags = Object.entries(options).flatMap(([flag, value]) =>
    value === undefined ? [] : [`--${flag} ${/^[\w./-]+$/.test(String(value)) ? value : JSON.stringify(value)}`],
  );
  return `npm run train -- ${kind} ${flags.join(" ")}`;
}

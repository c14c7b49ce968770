/** Cloudflare through wrangler's command line: the one on the PATH, as npm scripts set it, or else the project's own. */
import { spawn } from "node:child_process";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { quietWrangler } from "../publish/bucket.ts";

const binPath = fileURLToPath(new URL("../../node_modules/.bin", import.meta.url));

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

export class Wrangler {
  readonly #config: string;

  /** @param config path of the wrangler.toml */
  constructor(config: string) {
    this.#config = config;
  }

  run(args: string[]): Promise<Ran> {
    const path = [process.env.PATH, binPath].filter(Boolean).join(delimiter);
    return new Promise((done, failed) => {
      const child = spawn("wrangler", [...args, "--config", this.#config], {
        env: { ...process.env, ...quietWrangler, NO_COLOR: "1", PATH: path },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const ran: Ran = { code: null, stdout: "", stderr: "" };
      for (const name of ["stdout", "stderr"] as const) {
        child[name].setEncoding("utf8").on("data", (text: string) => {
          ran[name] += stripVTControlCharacters(text);
        });
      }
      child.on("error", failed);
      child.on("close", (code) => done({ ...ran, code }));
    });
  }

  /** @throws Error with wrangler's own words if it fails */
  async call(args: string[]): Promise<string> {
    const ran = await this.run(args);
    if (ran.code === 0) return ran.stdout;
    throw new Error(`wrangler ${args.slice(0, 3).join(" ")}: ${errorOf(ran)}`);
  }
}

/** Wrangler's error, out of what it printed. */
export function errorOf({ stdout, stderr, code }: Ran): string {
  const lines = `${stderr}\n${stdout}`.split("\n").map((line) => line.trim());
  const line = lines.find((text) => text.includes("[ERROR]")) ?? lines.filter((text) => text !== "").at(-1);
  return line?.replace(/^.*\[ERROR\]\s*/, "") ?? `it ended with code ${code}`;
}

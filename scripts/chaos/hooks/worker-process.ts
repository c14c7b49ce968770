/**
 * The built Worker in a process group of its own, with its storage in a folder, so that it can be killed without warning
 * and started again where it was. What the local queue holds is in memory and dies with it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { Bundle } from "../../bench/worker/bundle.ts";

const START_TIMEOUT_MS = 120_000;

/** What the process is told. */
export interface WorkerOptions {
  bundle: Bundle;
  /** Where the storage lives. */
  directory: string;
  vars: Record<string, string>;
}

/** Between the attempts of a delivery: short, so that the storm ends. */
const RETRY_SECONDS = "0.2,0.5,1,2,4,8,8,8,8";

export class WorkerProcess {
  readonly adminKey = randomBytes(16).toString("hex");
  readonly #options: WorkerOptions;
  #child: ChildProcess | undefined;
  #url: string | undefined;

  constructor(bundle: Bundle, directory: string) {
    const vars = {
      ADMIN_KEY: this.adminKey,
      HOOKS_KEY: randomBytes(32).toString("hex"),
      HOOKS_ALLOW_LOOPBACK: "true",
      HOOKS_RETRY_SECONDS: RETRY_SECONDS,
      HOOKS_DNS_URL: "",
    };
    this.#options = { bundle, directory, vars };
  }

  /** Where it listens now, which changes with each start, or undefined while it does not. */
  get url(): string | undefined {
    return this.#url;
  }

  /** @throws Error with what it printed if it does not start */
  async start(): Promise<void> {
    const script = fileURLToPath(new URL("worker-main.ts", import.meta.url));
    const child = spawn(process.execPath, [script, JSON.stringify(this.#options)], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    let output = "";
    this.#url = await new Promise<string>((done, failed) => {
      const timer = setTimeout(
        () => failed(new Error(`chaos: the Worker did not start:\n${output}`)),
        START_TIMEOUT_MS,
      );
      const read = (text: string) => {
        output = (output + text).slice(-10_000);
        const url = /^listening (\S+)$/m.exec(output)?.[1];
        if (!url) return;
        clearTimeout(timer);
        done(url);
      };
      child.stdout.setEncoding("utf8").on("data", read);
      child.stderr.setEncoding("utf8").on("data", read);
      child.on("close", () => failed(new Error(`chaos: the Worker ended:\n${output}`)));
    });
  }

  /** SIGKILL to all of it: nobody writes anything down. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#url = undefined;
    this.#child = undefined;
    if (!child?.pid || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once("close", done));
    process.kill(-child.pid, "SIGKILL");
    await ended;
  }

  /** @throws Error with the problem if the answer is not 2xx */
  async admin<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.adminKey}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`chaos: ${method} ${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  }
}

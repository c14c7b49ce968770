/** The Worker whose hooks are broken: killed, and started again where it was. */
import { randomBytes } from "node:crypto";
import type { Bundle } from "../../bench/worker/bundle.ts";
import { publishTiny, type RunningWorker, startWorker } from "../worker-process.ts";

/** Between the attempts of a delivery: short, so that the storm ends. */
const RETRY_SECONDS = "0.2,0.5,1,2,4,8,8,8,8";

export class HooksWorker {
  readonly adminKey = randomBytes(16).toString("hex");
  readonly #bundle: Bundle;
  readonly #directory: string;
  readonly #vars: Record<string, string>;
  #isPublished = false;
  #running: RunningWorker | undefined;

  /** @param directory where the storage lives */
  constructor(bundle: Bundle, directory: string) {
    this.#bundle = bundle;
    this.#directory = directory;
    this.#vars = {
      ADMIN_KEY: this.adminKey,
      HOOKS_KEY: randomBytes(32).toString("hex"),
      HOOKS_ALLOW_LOOPBACK: "true",
      HOOKS_RETRY_SECONDS: RETRY_SECONDS,
      HOOKS_DNS_URL: "",
    };
  }

  /** Where it listens now, which changes with each start, or undefined while it does not. */
  get url(): string | undefined {
    return this.#running?.url;
  }

  async start(): Promise<void> {
    if (!this.#isPublished) await publishTiny("tiny-classifier", this.#directory);
    this.#isPublished = true;
    this.#running = await startWorker({ bundle: this.#bundle, directory: this.#directory, vars: this.#vars });
  }

  async kill(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.kill();
  }

  /** @throws Error with the problem if the answer is not 2xx */
  async admin<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.adminKey}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`chaos: ${method} ${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  }
}

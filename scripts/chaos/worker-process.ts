/**
 * The built Worker in a process group of its own, with its storage in a folder, so that it can be killed without warning
 * and started again where it was. What the local queue holds is in memory and dies with it. Requests go to its own socket.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Bundle } from "../bench/worker/bundle.ts";
import { openLocalBucket } from "../publish/bucket.ts";
import { readModelFolder } from "../publish/model-folder.ts";
import { publish } from "../publish/publish.ts";

const START_TIMEOUT_MS = 120_000;

export interface WorkerOptions {
  bundle: Bundle;
  /** Where the storage lives, as wrangler's --persist-to. */
  directory: string;
  vars: Record<string, string | number>;
}

export interface RunningWorker {
  url: string;
  /** SIGKILL to all of it: nobody writes anything down. */
  kill(): Promise<void>;
}

/** Puts one of the tests' tiny models into the bucket of a storage. */
export async function publishTiny(name: "tiny" | "tiny-classifier", directory: string): Promise<void> {
  const bucket = await openLocalBucket(directory);
  await publish(bucket, await readModelFolder(fileURLToPath(new URL(`../../test/fixtures/${name}`, import.meta.url))));
  await bucket.close();
}

/**
 * @param onOutput gets all that the Worker prints
 * @throws Error with what it printed if it does not start
 */
export async function startWorker(
  options: WorkerOptions,
  onOutput: (text: string) => void = () => {},
): Promise<RunningWorker> {
  const script = fileURLToPath(new URL("worker-main.ts", import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    detached: true,
    // Its input ends with this process, however that ends, and it with its input.
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = new Promise((done) => child.once("close", done));
  let output = "";
  const url = await new Promise<string>((done, failed) => {
    const fail = (how: string) => failed(new Error(`chaos: the Worker ${how}:\n${output}`));
    const timer = setTimeout(() => fail("did not start"), START_TIMEOUT_MS);
    const read = (text: string) => {
      onOutput(text);
      output = (output + text).slice(-10_000);
      const listening = /^listening (\S+)$/m.exec(output)?.[1];
      if (!listening) return;
      clearTimeout(timer);
      done(listening);
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    child.on("close", () => fail("ended"));
  });
  return {
    url,
    async kill() {
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, "SIGKILL");
      await ended;
    },
  };
}

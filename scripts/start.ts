/**
 * `npm start [-- --port N]`: builds the kernels, puts the shipped models into the local R2 bucket, starts the Worker in
 * workerd (`wrangler dev`, offline, without an account), proves that it answers, and prints its address. Ctrl-C ends it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { Command, InvalidArgumentError } from "commander";
import type { Task } from "../worker/model/config.ts";
import { fail } from "./cli.ts";
import { configPath, openLocalBucket, quietWrangler, statePath, wranglerPath } from "./publish/bucket.ts";
import { findModelFolder, listModelFolders, type ModelFolder, readModelFolder } from "./publish/model-folder.ts";
import { publish } from "./publish/publish.ts";
import { runBuild } from "./run-build.ts";
import { type FirstAnswer, firstQuestion } from "./start/first-question.ts";
import { ensureSecrets } from "./start/secrets.ts";

const HOST = "127.0.0.1";
const START_TIMEOUT_MS = 60_000;
/** What each kind of model gives, in the order of the first questions. */
const PAID: Record<Task, string> = {
  translation: "Translations",
  classification: "Classifications",
  "question-answering": "Answers",
  embedding: "Embeddings",
  recommendation: "Recommendations",
};

interface StartOptions {
  port: number;
  model?: string;
  persistTo: string;
}

const options = new Command("start")
  .description("Runs the Worker on this machine")
  .option("--port <n>", "port to listen on", parsePort, 8787)
  .option("--model <folder>", "serve this model instead of all of models/")
  .option("--persist-to <folder>", "where the local R2 bucket lives", statePath)
  .allowExcessArguments(false)
  .parse()
  .opts<StartOptions>();

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) throw new InvalidArgumentError("expected 1 to 65535");
  return port;
}

async function start({ port, model, persistTo }: StartOptions): Promise<void> {
  await checkPort(port);
  const folders = model === undefined ? await listModelFolders() : [await findModelFolder(model)];
  const models = [];
  for (const folder of folders) models.push(await readModelFolder(folder));

  for (const secret of await ensureSecrets()) console.log(`Made a random ${secret}; it is in .dev.vars.`);
  console.log("Building the kernels, filling the local bucket …");
  await Promise.all([runBuild(), fillLocalBucket(models, persistTo)]);

  console.log("Starting the Worker …");
  const worker = startWorker(port, persistTo);
  const address = `http://${HOST}:${port}`;
  try {
    if ((await Promise.race([waitUntilHealthy(address), worker.exited])) === "stopped") return;
    console.log(`\nThe Worker listens on ${address} (Ctrl-C ends it).`);
    // One model of each kind is enough to see.
    const tasks = new Map(models.toReversed().map(({ manifest }) => [manifest.config.task, manifest]));
    for (const task of Object.keys(PAID) as Task[]) {
      const config = tasks.get(task)?.config;
      if (!config) continue;
      const { path, body, asked, readAnswer } = firstQuestion(config);
      const answer = await ask(address + path, body);
      if ("demand" in answer) {
        console.log(`\n${PAID[config.task]} are paid for: ${answer.demand}`);
        continue;
      }
      console.log(`
The first answer, by ${typeof answer.model === "string" ? answer.model : answer.model.id}:
  ${asked}
  ${readAnswer(answer)}

Try it:
  curl ${address}${path} -H 'content-type: application/json' \\
    -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'
`);
    }
    worker.showOutput();
    await worker.exited;
  } finally {
    worker.stop();
  }
}

/** @throws Error if the port cannot be listened on, or not be called */
async function checkPort(port: number): Promise<void> {
  const other = `choose another: npm start -- --port ${port === 8787 ? 8788 : 8787}`;
  await new Promise<void>((done, refuse) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why = { EADDRINUSE: "is in use", EACCES: "needs more rights" }[error.code ?? ""] ?? error.message;
      refuse(new Error(`port ${port} ${why}; ${other}`));
    });
    server.listen(port, HOST, () => server.close(() => done()));
  });
  // The list of https://fetch.spec.whatwg.org/#port-blocking. Nobody listens, so this fails either way.
  const error = await fetch(`http://${HOST}:${port}`).catch((reason: Error) => reason);
  if (error instanceof Error && error.cause instanceof Error && error.cause.message === "bad port") {
    throw new Error(`port ${port} is one that browsers refuse to call; ${other}`);
  }
}

async function fillLocalBucket(models: ModelFolder[], persistTo: string): Promise<void> {
  const bucket = await openLocalBucket(persistTo);
  try {
    for (const model of models) await publish(bucket, model);
  } finally {
    await bucket.close();
  }
}

function collectOutput(child: ChildProcess): () => string {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  return () => output;
}

interface RunningWorker {
  /** Resolves when Ctrl-C ended it; rejects when it ended by itself. */
  exited: Promise<"stopped">;
  stop: () => void;
  /** From now on what it prints is shown; before, only if it fails. */
  showOutput: () => void;
}

function startWorker(port: number, persistTo: string): RunningWorker {
  const args = ["dev", "--config", configPath, "--ip", HOST, "--port", String(port), "--persist-to", persistTo];
  // So that a hook can be tried out with a receiver on this machine.
  const vars = ["--var", "HOOKS_ALLOW_LOOPBACK:true"];
  const quiet = ["--local", "--show-interactive-dev-session=false", "--log-level", "warn"];
  const child = spawn(process.execPath, [wranglerPath(), ...args, ...vars, ...quiet], {
    env: { ...process.env, ...quietWrangler, CI: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stopping = false;
  const stop = () => {
    stopping = true;
    // A bundler that is interrupted at work prints where it was.
    for (const stream of [child.stdout, child.stderr]) stream.unpipe(process.stderr);
    if (child.exitCode === null) child.kill("SIGINT");
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop);
  const output = collectOutput(child);
  const exited = new Promise<"stopped">((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) => {
      if (stopping) done("stopped");
      else failed(new Error(`start: the Worker ended with code ${code}:\n${lastLines(output())}`));
    });
  });
  // It may end before anybody waits for it.
  exited.catch(() => {});
  const showOutput = () => {
    for (const stream of [child.stdout, child.stderr]) stream.pipe(process.stderr);
  };
  return { exited, stop, showOutput };
}

function lastLines(text: string, count = 12): string {
  return text.trim().split("\n").slice(-count).join("\n");
}

async function waitUntilHealthy(address: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    const response = await fetch(`${address}/health`).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`start: ${address}/health did not answer within ${START_TIMEOUT_MS / 1000} s`);
}

/** @returns what is asked for, if the settings say that answers cost money */
async function ask(url: string, request: object): Promise<FirstAnswer | { demand: string }> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  const body = (await response.json()) as FirstAnswer & { detail?: string };
  if (response.status === 401 || response.status === 402) return { demand: body.detail ?? "" };
  if (!response.ok) throw new Error(`start: the first answer failed: ${body.detail ?? response.status}`);
  return body;
}

await start(options).catch(fail);

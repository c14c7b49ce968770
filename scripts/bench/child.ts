/**
 * A contender in a process of its own, asked over Node's IPC one question at a time: so that no contender runs with
 * another's heap, compiled code or garbage collection.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The questions a child answers, by name. Arguments and answers are what structured cloning can carry. */
// biome-ignore lint/suspicious/noExplicitAny: stands for every parameter list, which `never[]` would not as a target
export type Methods = Record<string, (...args: any[]) => unknown>;

export type Child<M extends Methods> = {
  [K in keyof M]: (...args: Parameters<M[K]>) => Promise<Awaited<ReturnType<M[K]>>>;
} & { close(): Promise<void> };

interface Question {
  method: string;
  args: unknown[];
}

type Reply = { value: unknown } | { error: string };

/**
 * Starts a script that calls `serve`.
 * @param execArgv options of Node, e.g. `--expose-gc`
 */
export function startChild<M extends Methods>(script: URL, execArgv: string[] = []): Child<M> {
  const file = fileURLToPath(script);
  const child = fork(file, { serialization: "advanced", execArgv });
  let last: Promise<unknown> = Promise.resolve();
  const ask = (method: string, args: unknown[]) =>
    new Promise<unknown>((resolve, reject) => {
      const onExit = (code: number | null) => reject(new Error(`bench: ${file} ended with code ${code}`));
      child.once("exit", onExit);
      child.once("message", (reply: Reply) => {
        child.off("exit", onExit);
        if ("error" in reply) reject(new Error(`bench: ${file}: ${reply.error}`));
        else resolve(reply.value);
      });
      child.send({ method, args } satisfies Question);
    });
  const close = async () => {
    await last.catch(() => {});
    if (child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.disconnect();
    await ended;
  };
  return new Proxy({} as Child<M>, {
    get(_, name) {
      // Awaiting the child itself must not look like a question.
      if (typeof name === "symbol" || name === "then") return undefined;
      if (name === "close") return close;
      return (...args: unknown[]) => {
        last = last.then(() => ask(name, args));
        return last;
      };
    },
  });
}

/** Answers questions until the parent goes away. */
export function serve(methods: Methods): void {
  process.on("disconnect", () => process.exit());
  process.on("message", async ({ method, args }: Question) => {
    let reply: Reply;
    try {
      reply = { value: await methods[method]!(...args) };
    } catch (error) {
      reply = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    process.send!(reply);
  });
}

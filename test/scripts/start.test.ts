import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("../../scripts/start.ts", import.meta.url));
const fixture = (id: string) => fileURLToPath(new URL(`../fixtures/${id}`, import.meta.url));
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "edge-slm-start-"));
});
afterAll(() => rm(directory, { recursive: true }));

interface Run {
  /** Resolves with all that was printed once `pattern` is in it, or at the end. */
  printed: (pattern: RegExp) => Promise<string>;
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
  interrupt: () => void;
}

function start(...args: string[]): Run {
  const child = spawn(process.execPath, [script, ...args, "--persist-to", directory], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Awaited<Run["ended"]>>((done) => {
    child.on("close", (code) => done({ code, stdout, stderr }));
  });
  const printed = (pattern: RegExp) =>
    new Promise<string>((done) => {
      const look = () => pattern.test(stdout) && done(stdout);
      child.stdout.on("data", look);
      child.on("close", () => done(stdout + stderr));
      look();
    });
  return { printed, ended, interrupt: () => child.kill("SIGINT") };
}

async function listen(): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((done) => server.close(() => done())),
  };
}

describe("npm start", () => {
  it.each([
    ["tiny", { translations: [{ segments: 1 }] }],
    ["tiny-classifier", { classifications: [{ tasks: { topic: { reason: null } } }] }],
  ])("answers by %s, prints a curl that can be pasted, and ends with Ctrl-C", async (id, answer) => {
    const { port, close } = await listen();
    await close();
    const run = start("--port", String(port), "--model", fixture(id));
    const output = await run.printed(/-d '.*'\n\n/);
    expect(output).toContain(`http://127.0.0.1:${port}`);
    const [, url, header, body] = /curl (\S+) -H '(.*)' \\\n\s+-d '(.*)'/.exec(output) ?? [];
    const [name, value] = header!.split(": ");
    const response = await fetch(url!, { method: "POST", headers: { [name!]: value! }, body: body! });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ model: { id }, ...answer });
    run.interrupt();
    expect(await run.ended).toMatchObject({ code: 0, stderr: "" });
    await expect(fetch(url!)).rejects.toThrow();
  });

  it("says in one line that a port is busy", async () => {
    const { port, close } = await listen();
    const { code, stderr } = await start("--port", String(port), "--model", fixture("tiny")).ended;
    await close();
    expect(code).toBe(1);
    expect(stderr).toBe(`port ${port} is in use; choose another: npm start -- --port 8787\n`);
  });

  it.each([
    [["--port", "0"], /^error: .*'--port <n>' argument '0' is invalid\. expected 1 to 65535\n$/],
    [["--port", "web"], /^error: .*'web' is invalid\. expected 1 to 65535\n$/],
    [["--port", "6000", "--model", "."], /^port 6000 is one that browsers refuse to call; choose another: .*\n$/],
    [["--port", "8799", "--model", "nowhere"], /^nowhere: expected a model's folder or its name in .*\n$/],
    [["--prot", "1"], /^error: unknown option '--prot'\n/],
  ])("says in one line what is wrong with %j", async (args, message) => {
    const { code, stdout, stderr } = await start(...args).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(message);
  });
});

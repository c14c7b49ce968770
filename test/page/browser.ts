/** What the pages are tested with: Debian's Chromium, a real local Worker as `npm start` runs it, and axe. */
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { readAdminKey } from "../../scripts/start/secrets.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The browser's path: CHROMIUM, or the first one on PATH. */
export function findChromium(): string | undefined {
  const { CHROMIUM, PATH = "" } = process.env;
  if (CHROMIUM) return CHROMIUM;
  return PATH.split(delimiter)
    .flatMap((directory) => NAMES.map((name) => join(directory, name)))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface LocalWorker {
  url: string;
  adminKey: string;
  stop: () => Promise<void>;
}

/** `npm start` with the shipped models, on a port and with a bucket of its own. */
export async function startWorker(timeoutMs: number): Promise<LocalWorker> {
  const port = await findPort();
  const directory = await mkdtemp(join(tmpdir(), "edge-slm-page-"));
  const script = fileURLToPath(new URL("../../scripts/start.ts", import.meta.url));
  const child = spawn(process.execPath, [script, "--port", String(port), "--persist-to", directory], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const ready = new Promise<void>((done, failed) => {
    const timer = setTimeout(() => failed(new Error(`the Worker did not start in time:\n${output}`)), timeoutMs);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        // One for each kind of model: then all are loaded.
        if (output.split("Try it:").length < 4) return;
        clearTimeout(timer);
        done();
      });
    }
    child.on("close", () => failed(new Error(`the Worker ended:\n${output}`)));
  });
  const ended = new Promise<void>((done) => child.on("close", () => done()));
  const stop = async () => {
    child.kill("SIGINT");
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  await ready.catch(async (error) => {
    await stop();
    throw error;
  });
  return { url: `http://127.0.0.1:${port}`, adminKey: (await readAdminKey())!, stop };
}

async function findPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

const axeSource = readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const SIZES = [
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
];

/** axe finds nothing wrong with what the page shows now: light and dark, on a desktop and on a phone. */
export async function expectAccessible(page: Page): Promise<void> {
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(await axeSource);
  const before = page.viewportSize()!;
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const size of SIZES) {
      await page.setViewportSize(size);
      const { violations, passes } = (await page.evaluate("axe.run({ resultTypes: ['violations'] })")) as AxeResults;
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
      expect(found, `${page.url()} ${colorScheme}, ${size.width} px`).toEqual([]);
      expect(passes.length).toBeGreaterThan(10);
      const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(overflow, `${page.url()} at ${size.width} px: no scrolling sideways`).toBeLessThanOrEqual(0);
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(before);
}

/** Takes the lines of all sources through a model and writes the answers in the same order. */
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import cliProgress from "cli-progress";
import type { CommonOptions } from "./options.ts";
import { argumentSource, fileSources, type Source, standardInput } from "./sources.ts";
import { type TextModel, toError } from "./text-model.ts";

interface Progress {
  advance(lines: number): void;
  stop(): void;
}

/** @param open reads the model: after the command line and its files were found to be in order */
export async function runCommand(
  texts: string[],
  options: CommonOptions,
  open: () => Promise<TextModel>,
): Promise<void> {
  if (texts.length > 0 && options.in !== undefined) throw new Error("expected texts or --in, got both");
  if (texts.length === 0 && options.in === undefined && process.stdin.isTTY) {
    throw new Error('expected a text, as in edge-slm translate "Hello.", or --in, or lines on standard input');
  }
  const { isFolder, sources } = await chooseSources(texts, options);
  const outputOf = await chooseOutput(options, isFolder);
  const model = await open();
  const progress = await showProgress(sources, options);
  let failures = 0;
  try {
    for (const source of sources) {
      // A folder may hold what is no text; the rest of it is none the worse.
      failures += await answerSource(source, model, outputOf(source), options, progress).catch((error) => {
        if (!isFolder) throw error;
        console.error(toError(error).message);
        return 1;
      });
    }
  } finally {
    progress.stop();
  }
  if (failures > 0) process.exitCode = 1;
}

async function chooseSources(texts: string[], options: CommonOptions) {
  if (texts.length > 0) return { isFolder: false, sources: [argumentSource(texts)] };
  if (options.in !== undefined) return fileSources(options.in);
  return { isFolder: false, sources: [standardInput()] };
}

/** @returns for each source the file it goes to, or undefined for standard output */
async function chooseOutput(
  { in: input, out }: CommonOptions,
  isFolder: boolean,
): Promise<(source: Source) => string | undefined> {
  if (out === undefined) return () => undefined;
  const isThere = await stat(out).catch(() => undefined);
  if (isFolder && isThere && !isThere.isDirectory()) throw new Error(`${out}: expected a folder as --in is one`);
  if (!isFolder && isThere?.isDirectory()) throw new Error(`${out}: expected a file, it is a folder`);
  if (input !== undefined && resolve(input) === resolve(out)) throw new Error("expected another --out than --in");
  return (source) => (isFolder ? join(out, source.name) : out);
}

/** A bar on standard error, where somebody sees it and nothing else is written. */
async function showProgress(sources: Source[], { out }: CommonOptions): Promise<Progress> {
  const isSeen = process.stderr.isTTY && (out !== undefined || !process.stdout.isTTY);
  const counts = isSeen ? await Promise.all(sources.map((source) => source.count())) : [undefined];
  if (counts.includes(undefined)) return { advance: () => {}, stop: () => {} };
  const bar = new cliProgress.SingleBar({
    format: "|{bar}| {value}/{total} lines · {eta_formatted} left",
    clearOnComplete: true,
    stream: process.stderr,
  });
  bar.start(
    (counts as number[]).reduce((sum, count) => sum + count, 0),
    0,
  );
  return { advance: (lines) => bar.increment(lines), stop: () => bar.stop() };
}

/** @returns how many lines failed */
async function answerSource(
  source: Source,
  model: TextModel,
  path: string | undefined,
  { json }: CommonOptions,
  progress: Progress,
): Promise<number> {
  const output = path === undefined ? standardOutput() : await openFile(path);
  let line = 0;
  let failures = 0;
  try {
    for await (const texts of source.batches()) {
      const answers = await model.answer(texts.filter((text) => typeof text === "string"));
      const results = texts.map((text) => (typeof text === "string" ? answers.shift()! : text));
      const lines = results.map((result, i) => {
        const place = { ...(source.file === undefined ? {} : { file: source.file }), line: ++line };
        if (!(result instanceof Error))
          return json ? JSON.stringify({ ...place, ...result.json }) : oneLine(result.line);
        failures++;
        console.error(`${source.file ?? source.name}, line ${line}: ${result.message}`);
        const text = texts[i] instanceof Error ? null : texts[i];
        return json ? JSON.stringify({ ...place, text, error: result.message }) : "";
      });
      await output.write(`${lines.join("\n")}\n`);
      progress.advance(texts.length);
    }
    await output.close();
  } catch (error) {
    await output.abandon();
    throw error;
  }
  return failures;
}

/** A translation of a text with line breaks, as an argument may be, stays a line. */
function oneLine(text: string): string {
  return text.replaceAll(/\r?\n/g, " ");
}

interface Output {
  write(text: string): Promise<void>;
  close(): Promise<void>;
  abandon(): Promise<void>;
}

function standardOutput(): Output {
  return { write: (text) => writeTo(process.stdout, text), close: async () => {}, abandon: async () => {} };
}

/** Its name is there once all of it is. */
async function openFile(path: string): Promise<Output> {
  const partial = `${path}.partial`;
  await mkdir(dirname(path), { recursive: true });
  const stream = createWriteStream(partial);
  // An error is heard by whoever writes or closes.
  stream.on("error", () => {});
  return {
    write: (text) => writeTo(stream, text),
    async close() {
      stream.end();
      await finished(stream);
      await rename(partial, path);
    },
    async abandon() {
      stream.destroy();
      await rm(partial, { force: true });
    },
  };
}

/** Waits until it is taken, so that a slow reader holds the work up. */
function writeTo(stream: Writable, text: string): Promise<void> {
  return new Promise((done, failed) => stream.write(text, (error) => (error ? failed(error) : done())));
}
